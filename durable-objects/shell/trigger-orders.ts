import type { EventRecord } from "../../src/engine/trigger/event.ts";
import { handlerFor } from "../../src/engine/trigger/definition-handler.ts";
import { runRequestFor } from "../../src/engine/trigger/dispatch.ts";
import { handlerCallFor, type HandlerCall } from "../../src/engine/trigger/handler.ts";
import type { TriggerEvent } from "../../src/schema/trigger.ts";

const priorityOf = ({ definition }: EventRecord["binding"]) => ({
  priority: typeof definition.priority === "string" ? definition.priority : undefined,
  header: definition.compatibility === "harn",
});

/** The call that the current attempt of an event makes; `batch` holds the events that were put together. */
export const handlerCall = (record: EventRecord, batch: readonly TriggerEvent[]): HandlerCall => {
  const { binding, replay, attempts, dispatch_id } = record;
  const members = batch.map(
    ({ raw_body: _bytes, ...event }) => event as unknown as NonNullable<TriggerEvent["batch"]>[number],
  );
  const event = members.length === 0 ? record.event : { ...record.event, batch: members };
  const facts = {
    dispatch_id: dispatch_id ?? "",
    attempt: attempts.length,
    trigger_id: binding.trigger_id,
    binding_version: binding.version,
    replay_of_event_id: replay?.event_id ?? null,
  };
  const handler = handlerFor(binding.definition);
  if (handler.kind !== "workflow") return handlerCallFor(event, handler, { ...facts, priority: priorityOf(binding) });
  return {
    ...facts,
    kind: "workflow",
    idempotency_key: facts.dispatch_id,
    binding_key: `${binding.trigger_id}@v${binding.version}`,
    event_id: event.id,
    trace_id: event.trace_id,
    target_uri: handler.target_uri,
    event,
    completion: handler.completion,
    run: runRequestFor({ ...record, event }, handler),
  };
};

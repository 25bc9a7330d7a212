import { type Answer, reject } from "../../src/engine/machine.ts";
import { acceptingBinding, definitionOf } from "../../src/engine/trigger/binding.ts";
import type { EventRecord, ReplayOf, ReplaySummary } from "../../src/engine/trigger/event.ts";
import type { TriggerEvent } from "../../src/schema/trigger.ts";
import type { EventDraft } from "./event-draft.ts";
import { replayKey } from "./keyed-events.ts";
import type { TriggerParts } from "./trigger-parts.ts";
import type { ReplayRequest } from "./trigger-requests.ts";

/** The refusal for a dead letter that is none, or none any more. */
export const unknownLetter = (id: string): Answer<never> =>
  reject("dead_letter_not_found", `unknown pending DLQ entry '${id}'`);

const newReplay = (record: EventRecord, { event_id: _of, ...replay }: ReplayOf): ReplaySummary => ({
  ...replay,
  binding_version: record.binding.version,
  requested_at: record.updated_at,
  status: "accepted",
  settled_at: null,
  run_id: null,
});

interface Replayed {
  readonly replay: EventDraft;
  readonly original: EventDraft;
}

/** A replay of an event and its original that knows of it, not committed yet (spec/triggers 23); the first one of its name. */
export const makeReplay = (
  { book, state }: Pick<TriggerParts, "book" | "state">,
  key: string,
  request: ReplayRequest,
): Answer<Replayed> => {
  const original = book.draft(key);
  if (original.state.status === "absent") return reject("event_not_found", "there is no such event");
  const { event, dead_letter, replay_count, replays, binding } = original.record;
  const { version, as_of, dlq_id, requested_by, not_before, request_id } = request;
  const named = request_id === undefined ? {} : { request_id };
  const same = request_id === undefined ? undefined : replays.find((one) => one.request_id === request_id);
  if (same !== undefined) return { ok: true, reply: { replay: book.draft(replayKey(key, same.number)), original } };
  if (dlq_id !== null && (dead_letter?.id !== dlq_id || dead_letter.state !== "pending")) return unknownLetter(dlq_id);
  const definition = definitionOf(state(), version);
  const unknown = `unknown trigger binding '${binding.trigger_id}' version ${version}`;
  if (definition === null)
    return reject("invalid_request", unknown, { issues: [{ path: "version", message: unknown }] });
  const number = replay_count + 1;
  const replayOf: ReplayOf = { event_id: event.id, number, dlq_id, as_of, requested_by, ...named };
  // Whatever lies there is a replay of the event that had the key before.
  const replay = book.blank(replayKey(key, number));
  const versioned = { ...binding, version, definition };
  replay.tell({ type: "accept_replay", event, binding: versioned, replay: replayOf, not_before });
  original.tell({ type: "note_replay", summary: newReplay(replay.record, replayOf) });
  return { ok: true, reply: { replay, original } };
};

/** A replay of an event that was recorded elsewhere, under the version that accepts now; not committed yet. */
export const recordedReplay = (
  { book, state }: Pick<TriggerParts, "book" | "state">,
  { key, event, replay }: { readonly key: string; readonly event: TriggerEvent; readonly replay: ReplayOf },
): Answer<EventDraft> => {
  const binding = acceptingBinding(state());
  if (!binding.ok) return { ok: false, rejection: binding.error };
  const draft = book.blank(replayKey(key, replay.number));
  draft.tell({ type: "accept_replay", event, binding: binding.value, replay, not_before: null });
  return { ok: true, reply: draft };
};

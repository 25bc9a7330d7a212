import { resolveLiveOrAsOf } from "../../../src/engine/trigger/binding-history.ts";
import { dispatchOutcome } from "../../../src/engine/trigger/view.ts";
import { isObject, type Json, type JsonObject } from "../../../src/lib/json.ts";
import { rfc3339 } from "../../../src/lib/time.ts";
import type { TriggerEvent } from "../../../src/schema/trigger.ts";
import type { Located } from "../dispatcher.ts";
import { envelopeOf } from "../inbox.ts";
import { listArg, OperationFailure, type Operations, textArg } from "../operation.ts";
import type { System } from "../system.ts";

const optionalText = (value: Json | undefined): string | null => (typeof value === "string" ? value : null);

/** The event of an operation, with defaults as firing one by hand has them (spec/triggers 22.5). */
const eventArg = (system: System, args: JsonObject): TriggerEvent => {
  const given = (args["event"] ?? {}) as JsonObject;
  const { clock } = system;
  const unique = `synthetic:${String(given["provider"])}:${String(given["kind"])}:${clock.nextId("")}`;
  return {
    id: clock.nextId("trigger_evt"),
    provider: "",
    kind: "",
    received_at: rfc3339(clock.now),
    occurred_at: null,
    dedupe_key: unique,
    trace_id: clock.nextId("trace"),
    tenant_id: null,
    headers: {},
    provider_payload: {},
    signature_status: { state: "unsigned" },
    ...given,
  } as TriggerEvent;
};

/** Says how an event that was fired went. */
const fired = ({ record }: Located, entryId: string | null): JsonObject => {
  const { status, event_id, error, result, replay_of_event_id } = dispatchOutcome(record);
  const isLetter = status === "dlq";
  return {
    event_id,
    status: status === "succeeded" ? "dispatched" : status,
    error,
    result,
    dlq_entry_id: isLetter ? (entryId ?? record.dead_letter?.id ?? null) : null,
    replay_of_event_id,
  };
};

const noteEvent = (system: System, { record }: Pick<Located, "record">, replayOf: string | null): void => {
  const { binding, event } = record;
  const payload = {
    binding_id: binding.trigger_id,
    binding_version: binding.version,
    replay_of_event_id: replayOf,
    event: event as unknown as Json,
  };
  const headers = { event_id: event.id, trace_id: event.trace_id, provider: event.provider, kind: event.kind };
  system.dispatcher.log.append("triggers.events", { kind: "trigger_event", headers, payload });
};

const shownLetter = ({ record }: Located): JsonObject | null => {
  const { dead_letter: letter, event, binding, replay } = record;
  if (letter === null || replay !== null) return null;
  return {
    id: letter.id,
    event_id: event.id,
    binding_id: binding.trigger_id,
    binding_version: binding.version,
    provider: event.provider,
    kind: event.kind,
    state: letter.state,
    error: letter.error,
    error_class: letter.error_class,
    event: event as unknown as Json,
    retry_history: letter.history as unknown as Json,
  };
};

const letters = (system: System): readonly (readonly [Located, JsonObject])[] =>
  system.dispatcher.events.flatMap((located) => {
    const letter = shownLetter(located);
    return letter === null ? [] : [[located, letter] as const];
  });

const letterArg = (system: System, args: JsonObject): readonly [Located, JsonObject] => {
  const id = textArg(args, "entry_id");
  const found = letters(system).find(([, letter]) => letter["id"] === id);
  if (found === undefined) throw new OperationFailure(`unknown pending DLQ entry '${id}'`);
  return found;
};

const fire = async (system: System, args: JsonObject): Promise<JsonObject> => {
  const host = system.dispatcher.host(textArg(args, "trigger_id"));
  const ended = system.dispatcher.accept(host, eventArg(system, args));
  const last = system.dispatcher.events.findLast((located) => located.host === host);
  if (last !== undefined) noteEvent(system, last, null);
  return fired(await system.until(ended), null);
};

const replayLetter = async (system: System, args: JsonObject): Promise<JsonObject> => {
  const [{ host, key, record }, letter] = letterArg(system, args);
  const received_at = Date.parse(record.event.received_at);
  const { version: recorded } = record.binding;
  const resolved = resolveLiveOrAsOf(host.shell.binding.state, host.id, { version: recorded, received_at });
  if (!resolved.ok) throw new OperationFailure(resolved.error.detail);
  const dlq_id = String(letter["id"]);
  const { version } = resolved.value.binding;
  const answer = host.shell.replay(key, { version, as_of: null, dlq_id, requested_by: null, not_before: null });
  if (!answer.ok) throw new OperationFailure(answer.rejection.detail);
  const { replay } = answer.reply.record;
  noteEvent(system, answer.reply, record.event.id);
  const row = host.keys.find((one) => {
    const known = host.shell.latest(one)?.record;
    return (
      known?.event.id === record.event.id && known.replay?.number === replay?.number && known.replay?.dlq_id === dlq_id
    );
  });
  return fired(await system.until(system.dispatcher.ended(host, row ?? "")), dlq_id);
};

const discardLetter = (system: System, args: JsonObject): JsonObject => {
  const [{ host, key }, letter] = letterArg(system, args);
  const answer = host.shell.discard(key, String(letter["id"]));
  if (!answer.ok) throw new OperationFailure(answer.rejection.detail);
  return letterArg(system, args)[1];
};

const start = async (system: System, args: JsonObject): Promise<JsonObject> => {
  const dispatch = system.dispatcher.start(eventArg(system, args));
  await system.dispatcher.settle();
  return { id: dispatch.id, finished: dispatch.finished };
};

const dispatchArg = (system: System, args: JsonObject) => {
  const { dispatch } = args;
  return system.dispatcher.dispatch(isObject(dispatch) ? textArg(dispatch, "id") : textArg(args, "dispatch"));
};

const drain = async (system: System, args: JsonObject): Promise<JsonObject> => {
  const { dispatcher } = system;
  await system.advanceUntil(() => dispatcher.stats.in_flight === 0, Number(args["timeout_ms"]));
  const { in_flight, retry_queue_depth, dlq_depth } = dispatcher.stats;
  return { drained: in_flight === 0 && retry_queue_depth === 0, in_flight, retry_queue_depth, dlq_depth };
};

/** Dispatches an event to a remote agent that is really called, and counts the calls that reach it. */
const dispatchToAgent = async (system: System, args: JsonObject): Promise<JsonObject> => {
  const id = "a2a";
  const uri = `a2a://${textArg(args, "target").replace(/^a2a:\/\//, "")}`;
  const handler = { uri, allow_cleartext: args["allow_cleartext"] === true };
  // No event is of this provider: only what is dispatched here goes there.
  system.dispatcher.install([{ id, provider: "manual", handler, retry: args["retry"] ?? null }]);
  const before = system.agents.calls;
  const given = (args["event"] ?? {}) as JsonObject;
  const event = eventArg(system, { event: { provider: "github", kind: "issues.opened", ...given } });
  const { record } = await system.until(system.dispatcher.accept(system.dispatcher.host(id), event));
  return { ...dispatchOutcome(record), remote_requests: system.agents.calls - before };
};

const cancel = async (system: System, args: JsonObject): Promise<void> => {
  system.dispatcher.requestCancel({
    binding_key: textArg(args, "binding_key"),
    event_id: textArg(args, "event_id"),
    requested_by: optionalText(args["requested_by"]),
    audit_id: optionalText(args["audit_id"]),
  });
  await system.dispatcher.settle();
};

/** Dispatch of events, dead letters and the event log (spec/triggers 3, 8 to 13, 15). */
export const dispatchOperations: Operations = {
  install_triggers: (system, args) => system.dispatcher.install(listArg(args, "triggers").filter(isObject)),
  dispatch: async (system, args) => {
    const dispatch = system.dispatcher.start(eventArg(system, args));
    await system.advanceUntil(() => dispatch.finished);
    return dispatch.outcomes;
  },
  dispatch_start: start,
  dispatch_poll: async (system, args) => {
    await system.dispatcher.settle();
    return { finished: dispatchArg(system, args).finished };
  },
  dispatch_wait: async (system, args) => {
    const dispatch = dispatchArg(system, args);
    await system.advanceUntil(() => dispatch.finished);
    return dispatch.outcomes;
  },
  dispatch_replay: async (system, args) => {
    const host = system.dispatcher.host(textArg(args, "trigger_id"));
    const event = eventArg(system, args);
    const ended = system.dispatcher.replay(host, event, optionalText(args["replay_of_event_id"]) ?? event.id);
    return dispatchOutcome((await system.until(ended)).record);
  },
  dispatch_a2a: dispatchToAgent,
  dispatcher_dlq: (system) => system.dispatcher.deadLetters,
  dispatcher_stats: (system) => system.dispatcher.stats,
  llm_calls: (system) => system.dispatcher.llmCalls,
  shutdown_dispatcher: async (system) => {
    system.dispatcher.shutDown();
    await system.dispatcher.settle();
  },
  drain_dispatcher: drain,
  request_cancel: cancel,
  enqueue_event: async (system, args) => {
    const put = system.inbox.put(envelopeOf(eventArg(system, args), args));
    await system.dispatcher.settle();
    return put;
  },
  start_dispatcher: async (system) => {
    system.inbox.start();
    await system.dispatcher.settle();
  },
  stranded_envelopes: (system, args) => system.inbox.stranded(Number(args["min_age_ms"] ?? 0)),
  trigger_fire: fire,
  dlq_list: (system) => letters(system).flatMap(([, letter]) => (letter["state"] === "pending" ? [letter] : [])),
  dlq_get: (system, args) => letterArg(system, args)[1],
  dlq_replay: replayLetter,
  dlq_discard: discardLetter,
  read_topic: (system, args) => {
    const kinds = Array.isArray(args["kinds"]) ? listArg(args, "kinds") : null;
    const entries = system.dispatcher.log.read(textArg(args, "topic"));
    return entries.filter(({ kind }) => kinds === null || kinds.includes(kind));
  },
  topic_kinds: (system, args) => system.dispatcher.log.read(textArg(args, "topic")).map(({ kind }) => kind),
  append_log: async (system, args) => {
    const headers = Object.fromEntries(
      Object.entries((args["headers"] ?? {}) as JsonObject).map(([name, value]) => [name, String(value)]),
    );
    const entry = { kind: textArg(args, "kind"), headers, payload: args["payload"] ?? null };
    system.dispatcher.log.appendRaw(textArg(args, "topic"), entry);
    system.dispatcher.applyCancelRequests();
    await system.dispatcher.settle();
  },
};

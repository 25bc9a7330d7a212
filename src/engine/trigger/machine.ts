// One accepted event; an instance for each dedupe key of a trigger (spec/triggers 7, 12.1).
//
//   (absent) --accept--> accepted --dispatch--> dispatching --settle started--> dispatched
//       \                   ^                       |
//        \                  +---settle failed-------+--settle failed, for good--> failed
//         +--accept, no match--> skipped
//
// E1 The first accept decides; every later one gets the same receipt and changes nothing.
// E2 An open event has a waker: its `enqueue_dispatch` effect stays in the outbox until the event is final.
// E3 Every attempt names the same dispatch and the same run, so a run starts at most once.
// E4 dispatched, skipped and failed are final.

import { rfc3339 } from "../../lib/time.ts";
import type { TriggerEvent } from "../../schema/trigger.ts";
import { reject, type Context, type Decision, type Machine } from "../machine.ts";
import { dispatchIdFor, runIdFor, runRequestFor } from "./dispatch.ts";
import type {
  AcceptEvent,
  DispatchAttempt,
  DispatchOutcome,
  EventCommand,
  EventEffect,
  EventEvent,
  EventRecord,
  EventReply,
  EventState,
  SettleDispatch,
} from "./event.ts";
import { matchVerdict } from "./match.ts";
import { DEFAULT_RETRY, delayAfter } from "./retry.ts";

type EventDecision = Decision<EventEvent, EventEffect, EventReply>;
type FailedOutcome = Extract<DispatchOutcome, { readonly type: "failed" }>;

const DAY_MS = 86_400_000;

const isFinal = (state: EventState): boolean =>
  state.status === "dispatched" || state.status === "skipped" || state.status === "failed";

const settled = (record: EventRecord, attempt: number, end: Partial<DispatchAttempt>): readonly DispatchAttempt[] =>
  record.attempts.map((one) => (one.attempt === attempt ? { ...one, ...end } : one));

const evolve = (state: EventState, event: EventEvent): EventState => {
  if (event.type === "accepted" || event.type === "skipped") {
    if (state.status !== "absent") return state;
    const { type: status, ...accepted } = event;
    const none = { attempts: [], next_at: null, dispatch_id: null, run_id: null, error: null };
    return { status, ...accepted, ...none };
  }
  if (state.status === "absent" || isFinal(state)) return state;
  const { attempt, at } = event;
  switch (event.type) {
    case "dispatch_started": {
      const { dispatch_id, run_id } = event;
      const begun = { attempt, started_at: at, settled_at: null, outcome: null, error: null };
      const attempts = [...state.attempts, begun];
      return { ...state, status: "dispatching", attempts, next_at: null, dispatch_id, run_id };
    }
    case "dispatched": {
      const attempts = settled(state, attempt, { settled_at: at, outcome: "started", error: null });
      return { ...state, status: "dispatched", attempts, next_at: null, error: null };
    }
    case "retry_scheduled": {
      const { error, next_at } = event;
      const attempts = settled(state, attempt, { settled_at: at, outcome: "failed", error });
      return { ...state, status: "accepted", attempts, next_at, error };
    }
    case "dispatch_failed": {
      const { error } = event;
      const attempts = settled(state, attempt, { settled_at: at, outcome: "failed", error });
      return { ...state, status: "failed", attempts, next_at: null, error };
    }
  }
};

const receiptOf = (record: EventRecord, duplicate: boolean): EventReply => {
  const { event, receipt, status } = record;
  return { type: "receipt", event_id: event.id, receipt, duplicate, status };
};

/** The answer after some events; an event that is not there has no answer. */
const decided = (
  state: EventState,
  events: readonly EventEvent[],
  effects: readonly EventEffect[] = [],
): EventDecision => {
  const next = events.reduce(evolve, state);
  if (next.status === "absent") return reject("event_not_found", "no event was accepted under this dedupe key");
  const { status, dispatch_id, run_id, next_at } = next;
  const attempt = next.attempts.length;
  const reply: EventReply = {
    type: "dispatch",
    event_id: next.event.id,
    status,
    dispatch_id,
    run_id,
    attempt,
    next_at,
  };
  return { ok: true, events, effects, reply };
};

const envelope = (command: AcceptEvent, context: Context): TriggerEvent => ({
  id: context.nextId("trigger_evt"),
  ...command.event,
  received_at: rfc3339(context.now),
  trace_id: command.trace_id ?? context.nextId("trace"),
  tenant_id: command.tenant_id,
  ...(command.raw_body === undefined ? {} : { raw_body: command.raw_body }),
  ...(command.raw_body_ref === undefined ? {} : { raw_body_ref: command.raw_body_ref }),
});

const accept = (state: EventState, command: AcceptEvent, context: Context): EventDecision => {
  if (state.status !== "absent") return { ok: true, events: [], effects: [], reply: receiptOf(state, true) };
  const { binding } = command;
  const verdict = matchVerdict(binding.definition.match, command.event);
  const days = binding.definition.dedupe.retention_days;
  const event = envelope(command, context);
  const type = verdict.outcome === "passed" ? "accepted" : "skipped";
  const receipt = context.nextId("receipt");
  const claim_expires_at = days === undefined ? null : rfc3339(context.now + days * DAY_MS);
  const { id: event_id, dedupe_key } = event;
  const wake: EventEffect = { type: "enqueue_dispatch", event_id, dedupe_key, at_ms: context.now };
  return {
    ok: true,
    events: [{ type, event, receipt, binding, verdict, claim_expires_at }],
    effects: type === "accepted" ? [wake] : [],
    reply: { type: "receipt", event_id, receipt, duplicate: false, status: type },
  };
};

const dispatch = (state: EventState, context: Context): EventDecision => {
  if (state.status === "dispatching") return decided(state, [], [startRun(state)]);
  // A message is a hint: it may come twice, late, or before its time.
  if (state.status !== "accepted") return decided(state, []);
  if (state.next_at !== null && Date.parse(state.next_at) > context.now) return decided(state, []);
  const { event, binding, attempts } = state;
  const attempt = attempts.length + 1;
  const dispatch_id = dispatchIdFor(binding, event.id);
  const run_id = runIdFor(dispatch_id);
  const started: EventEvent = { type: "dispatch_started", dispatch_id, run_id, attempt, at: rfc3339(context.now) };
  return decided(state, [started], [startRun(state, attempt)]);
};

/** Whoever was to start the run may have died: the same attempt is ordered again, and creates the same run (E3). */
const startRun = (record: EventRecord, attempt = record.attempts.length): EventEffect => ({
  type: "start_run",
  attempt,
  ...runRequestFor(record.event, record.binding),
});

const fail = (record: EventRecord, attempt: number, outcome: FailedOutcome, context: Context): EventDecision => {
  const { code, detail } = outcome;
  const error = { code, detail };
  const at = rfc3339(context.now);
  const delay = outcome.retryable ? delayAfter(DEFAULT_RETRY, attempt) : null;
  if (delay === null) return decided(record, [{ type: "dispatch_failed", attempt, error, at }]);
  const at_ms = context.now + delay;
  const { id: event_id, dedupe_key } = record.event;
  return decided(
    record,
    [{ type: "retry_scheduled", attempt, error, at, next_at: rfc3339(at_ms) }],
    [{ type: "enqueue_dispatch", event_id, dedupe_key, at_ms }],
  );
};

const settle = (state: EventState, command: SettleDispatch, context: Context): EventDecision => {
  if (state.status === "absent" || isFinal(state)) return decided(state, []);
  const { dispatch_id, attempt, outcome } = command;
  const stale = reject("stale_attempt", `attempt ${attempt} of dispatch '${dispatch_id}' is not the current one`);
  const isKnown = dispatch_id === state.dispatch_id && state.attempts.some((one) => one.attempt === attempt);
  if (!isKnown) return stale;
  // Whichever attempt says so: the run is the same for all of them, and it exists.
  if (outcome.type === "started") {
    return decided(state, [{ type: "dispatched", attempt, at: rfc3339(context.now) }]);
  }
  if (state.status !== "dispatching" || attempt !== state.attempts.length) return stale;
  return fail(state, attempt, outcome, context);
};

/** An accepted event, from its receipt to its run (spec/triggers 7, 12.1). */
export const eventMachine: Machine<EventState, EventCommand, EventEvent, EventEffect, EventReply> = {
  initial: { status: "absent" },
  decide: (state, command, context) => {
    switch (command.type) {
      case "accept":
        return accept(state, command, context);
      case "dispatch":
        return dispatch(state, context);
      case "settle":
        return settle(state, command, context);
    }
  },
  evolve,
};

/**
 * Whether the dedupe key of an event is free again: then the next delivery starts over from the initial state. An event
 * that is still on its way keeps its key (spec/triggers 7.1).
 */
export const claimIsExpired = (state: EventState, now: Context["now"]): boolean => {
  if (state.status === "absent" || !isFinal(state)) return false;
  return state.claim_expires_at !== null && Date.parse(state.claim_expires_at) <= now;
};

import { reject, type Decision } from "../machine.ts";
import type { EventEffect, EventEvent, EventRecord, EventReply, EventState } from "./event.ts";
import { evolve } from "./evolve.ts";

/** What deciding about an event leads to. */
export type EventDecision = Decision<EventEvent, EventEffect, EventReply, EventState>;

const replyOf = (record: EventRecord): EventReply => {
  const { event, status, dispatch_id, run_id, next_at, attempts, cancel } = record;
  return {
    type: "dispatch",
    event_id: event.id,
    status,
    dispatch_id,
    run_id,
    attempt: attempts.length,
    next_at,
    is_cancelled: cancel !== null,
  };
};

/** The answer after some events; an event that is not there has no answer. */
export const decided = (
  state: EventState,
  events: readonly EventEvent[],
  effects: readonly EventEffect[] = [],
): EventDecision => {
  const next = events.reduce(evolve, state);
  if (next.status === "absent") return reject("event_not_found", "no event was accepted under this dedupe key");
  return { ok: true, events, effects, reply: replyOf(next), state: next };
};

import type { EventEffect, EventEvent, EventRecord } from "../../src/engine/trigger/event.ts";
import { handlerFor } from "../../src/engine/trigger/definition-handler.ts";
import { isFinal } from "../../src/engine/trigger/evolve.ts";
import { RESEND_MS } from "./keyed-outbox.ts";

/** A parked event is woken by its ticket, whose row is its true waker: very many may wait, and looking costs a row. */
const PARKED_WATCH_MS = 86_400_000;

/** How often an event whose run is under way asks whether it still is. */
const RUN_WATCH_MS = 900_000;

/** An event that waits for a person is looked at so rarely that it costs nothing. */
const PERSON_WATCH_MS = 30 * 86_400_000;

/** How often an open event is looked after that something else wakes; null where its message is all there is. */
export const watchMs = ({ status, attempts }: EventRecord): number | null => {
  if (status === "parked") return PARKED_WATCH_MS;
  if (status === "waiting") return PERSON_WATCH_MS;
  return status === "dispatching" && attempts.at(-1)?.is_running === true ? RUN_WATCH_MS : null;
};

const LEASE_SLACK_MS = 30_000;

const timeOf = (text: string | null, otherwise: number): number => (text === null ? otherwise : Date.parse(text));

/** When an open event is looked after again, should nothing happen to it before (E2); null for one that is over. */
export const wakeTime = (record: EventRecord, now: number): number | null => {
  if (isFinal(record)) return null;
  const { status, next_at, attempts, binding } = record;
  switch (status) {
    case "parked":
      return Math.max(timeOf(next_at, now + PARKED_WATCH_MS), now);
    case "waiting":
      return now + PERSON_WATCH_MS;
    case "dispatching": {
      if (attempts.at(-1)?.is_running === true) return now + RUN_WATCH_MS;
      const isWorkflow = handlerFor(binding.definition).kind === "workflow";
      return isWorkflow ? now + RESEND_MS : Math.max(timeOf(next_at, now + RESEND_MS), now);
    }
    default: {
      const at = timeOf(next_at, now);
      // What is sent at once is looked after a little later.
      return at <= now ? now + RESEND_MS : at;
    }
  }
};

/** What changes when an event is looked after again; other steps leave its row of the outbox as it is. */
const MOVES: ReadonlySet<EventEvent["type"]> = new Set(["parked", "deferred", "approval_requested", "run_started"]);

/** Whether an open event's row of the outbox has to be written. */
export const mustHold = (fresh: readonly EventEvent[], effects: readonly EventEffect[]): boolean =>
  effects.some(({ type }) => type === "enqueue_dispatch") ||
  fresh.some(
    ({ type, ...event }) =>
      MOVES.has(type) || (type === "dispatch_started" && "run_id" in event && event.run_id === null),
  );

/** How long an attempt may take before it is given up for lost, in milliseconds; longer than whoever performs it lets it. */
export const leaseOf = ({ binding }: EventRecord): number => {
  const handler = handlerFor(binding.definition);
  switch (handler.kind) {
    case "workflow":
      return RESEND_MS;
    case "http":
      return handler.http.timeout_ms + LEASE_SLACK_MS;
    case "worker":
    case "auto_resume":
      return LEASE_SLACK_MS;
    case "local":
    case "a2a":
      return handler.timeout_ms + LEASE_SLACK_MS;
  }
};

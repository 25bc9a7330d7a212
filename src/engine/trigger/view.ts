import type { EventRow, EventView } from "../../schema/trigger-event.ts";
import type { EventRecord } from "./event.ts";

const FINAL_SEQ = 1_000_000;
const MAX_ERROR_LENGTH = 500;

/** Counts up with every change of an event: two steps for each attempt, and the end after all of them. */
export const eventSeq = ({ status, attempts }: EventRecord): number => {
  if (status !== "accepted" && status !== "dispatching") return FINAL_SEQ;
  return 1 + 2 * attempts.length - (status === "dispatching" ? 1 : 0);
};

const updatedAt = ({ event, attempts }: EventRecord): string => {
  const last = attempts.at(-1);
  return last?.settled_at ?? last?.started_at ?? event.received_at;
};

/** The row of an event in the list of events. */
export const eventRow = (record: EventRecord): EventRow => {
  const { event, binding, status, receipt, run_id, error } = record;
  return {
    event_id: event.id,
    trigger_id: binding.trigger_id,
    provider: event.provider,
    kind: event.kind,
    dedupe_key: event.dedupe_key,
    status,
    run_id,
    receipt,
    error: error === null ? null : `${error.code}: ${error.detail}`.slice(0, MAX_ERROR_LENGTH),
    received_at: event.received_at,
    updated_at: updatedAt(record),
  };
};

/** An event with everything that was decided about it. */
export const eventView = (record: EventRecord): EventView => {
  const { binding, verdict, attempts, next_at, error, dispatch_id, event, status, run_id } = record;
  return {
    ...eventRow(record),
    status,
    binding_version: binding.version,
    definition: binding.definition,
    verdicts: [verdict],
    attempts,
    next_at,
    error,
    dispatch_id,
    runs: status === "dispatched" && run_id !== null ? [run_id] : [],
    event,
  };
};

import type { Json } from "../../lib/json.ts";
import type { DeadLetterChange } from "../../schema/api-dead-letter.ts";
import type { EventRow, EventView } from "../../schema/trigger-event.ts";
import type { EventRecord } from "./event.ts";
import { destinationOf, handlerKindOf, targetUriOf } from "./definition-handler.ts";

const MAX_ERROR_LENGTH = 500;

/** The row of an event in the list of events. */
export const eventRow = (record: EventRecord): EventRow => {
  const { event, binding, status, receipt, run_id, error, attempts, verdicts, dead_letter } = record;
  const skip = status === "skipped" ? (verdicts.find(({ outcome }) => outcome === "skipped")?.stage ?? null) : null;
  const isOver = ["dispatched", "skipped", "failed", "cancelled", "dead_lettered"].includes(status);
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
    updated_at: record.updated_at,
    binding_version: binding.version,
    attempt_count: attempts.length,
    skip_stage: skip,
    error_class: dead_letter?.error_class ?? null,
    settled_at: isOver ? record.updated_at : null,
    replay_of: record.replay?.event_id ?? null,
  };
};

/** An event with everything that was decided about it. */
export const eventView = (record: EventRecord): EventView => {
  const { binding, status, next_at } = record;
  const runs = record.attempts.flatMap(({ run_id }) => (run_id === null ? [] : [run_id]));
  return {
    ...eventRow(record),
    status,
    binding_version: binding.version,
    attempts: record.attempts,
    definition: binding.definition,
    handler_kind: handlerKindOf(binding.definition),
    target_uri: targetUriOf(binding.definition),
    destination: destinationOf(binding.definition),
    verdicts: record.verdicts,
    next_at: status === "dispatching" ? null : next_at,
    result: record.result,
    error: record.error,
    dispatch_id: record.dispatch_id,
    runs: status === "dispatched" || record.attempts.some((one) => one.is_running) ? [...new Set(runs)] : [],
    batch: record.batch,
    cancel: record.cancel,
    approval: record.approval,
    dead_letter: record.dead_letter,
    replay: record.replay,
    replays: record.replays,
    event: record.event,
  };
};

/** The dead letter of an event as the list of dead letters is told of it; null when there is none, or for a replay. */
export const deadLetterChange = (record: EventRecord, seq: number): DeadLetterChange | null => {
  const { dead_letter: letter, event, binding, replay } = record;
  if (letter === null || replay !== null) return null;
  const { id, state, error, error_class, created_at, updated_at } = letter;
  return {
    dlq_id: id,
    event_id: event.id,
    trigger_id: binding.trigger_id,
    binding_version: binding.version,
    provider: event.provider,
    kind: event.kind,
    state,
    error: error.slice(0, MAX_ERROR_LENGTH),
    error_class,
    created_at,
    updated_at,
    seq,
  };
};

/** How a dispatch went, in the words of the specification (spec/triggers 8). */
export interface DispatchOutcome {
  readonly trigger_id: string;
  readonly binding_key: string;
  readonly event_id: string;
  readonly attempt_count: number;
  readonly status: "succeeded" | "failed" | "dlq" | "skipped" | "waiting" | "cancelled";
  readonly handler_kind: string;
  readonly target_uri: string;
  readonly replay_of_event_id: string | null;
  readonly result: Json;
  readonly error: string | null;
}

const STATUS = {
  accepted: "waiting",
  parked: "waiting",
  deferred: "waiting",
  waiting: "waiting",
  dispatching: "waiting",
  retrying: "waiting",
  dispatched: "succeeded",
  skipped: "skipped",
  failed: "failed",
  cancelled: "cancelled",
  dead_lettered: "dlq",
} as const satisfies Record<EventRecord["status"], DispatchOutcome["status"]>;

/** The key of a binding's version (spec/triggers 6.1). */
export const bindingKey = ({ trigger_id, version }: EventRecord["binding"]): string => `${trigger_id}@v${version}`;

/** How a dispatch went, in the words of the specification (spec/triggers 8). */
export const dispatchOutcome = (record: EventRecord): DispatchOutcome => {
  const { binding, event, attempts, status, result, error, replay } = record;
  const isOver = status !== "dispatched" && status !== "skipped" && error !== null;
  return {
    trigger_id: binding.trigger_id,
    binding_key: bindingKey(binding),
    event_id: event.id,
    attempt_count: attempts.length,
    status: STATUS[status],
    handler_kind: handlerKindOf(binding.definition),
    target_uri: targetUriOf(binding.definition),
    replay_of_event_id: replay?.event_id ?? null,
    result,
    error: isOver ? error.detail : null,
  };
};

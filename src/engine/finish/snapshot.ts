import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { Timestamp } from "../../lib/time.ts";
import type { QueuedTrigger } from "./queued.ts";
import type { PartialHandoff } from "./state.ts";
import { payloadSummary } from "./summaries.ts";

/** An open handoff as a snapshot shows it (spec/workers 21.4). */
export interface HandoffItem extends PartialHandoff {
  readonly from: string | null;
  readonly to: string;
  readonly payload_summary: string;
  readonly age_ms: number;
}

/** A call of a model that is under way (spec/workers 21.4). */
export interface InFlightCall {
  readonly call_id: string;
  readonly model: string | null;
  readonly role: string;
  readonly started_at_ms: Timestamp;
  readonly age_ms: number;
  readonly stage_id: string;
  readonly node_id: string;
  /** Whoever made it has given no sign of life for longer than its lease (spec/workers 31). */
  readonly stale: boolean;
}

/** What a run has left unsettled, in five buckets (spec/workers 21.3). */
export interface UnsettledState {
  readonly suspended_subagents: readonly JsonObject[];
  readonly queued_triggers: readonly QueuedTrigger[];
  readonly partial_handoffs: readonly HandoffItem[];
  readonly in_flight_llm_calls: readonly InFlightCall[];
  readonly pool_pending_tasks: readonly JsonObject[];
}

/** How many items each bucket has. */
export interface UnsettledCounts {
  readonly suspended: number;
  readonly queued: number;
  readonly partial: number;
  readonly in_flight: number;
  readonly pool_pending: number;
}

/** Something that could not be asked: it counts neither as settled nor as unsettled (spec/workers 31). */
export interface UnknownPart {
  readonly bucket: keyof UnsettledState;
  /** The worker, queue or pool that did not answer. */
  readonly id: string;
  readonly reason: string;
}

/** A snapshot with what is said about it. */
export interface UnsettledSnapshot {
  readonly state: UnsettledState;
  readonly counts: UnsettledCounts;
  readonly is_empty: boolean;
  readonly summary: string;
}

/** Each bucket with its key among the counts and its name in the summary, in their order (spec/workers 21.3). */
const BUCKETS = [
  ["suspended_subagents", "suspended", "suspended subagents"],
  ["queued_triggers", "queued", "queued triggers"],
  ["partial_handoffs", "partial", "partial handoffs"],
  ["in_flight_llm_calls", "in_flight", "in-flight llm calls"],
  ["pool_pending_tasks", "pool_pending", "pool pending tasks"],
] as const satisfies readonly (readonly [keyof UnsettledState, keyof UnsettledCounts, string])[];

const isNothing = (counts: UnsettledCounts): boolean => Object.values(counts).every((count) => count === 0);

/** Counts in words, all five of them (spec/workers 21.3). */
const summaryOf = (counts: UnsettledCounts, unknown: number): string => {
  if (isNothing(counts) && unknown === 0) return "no unsettled work";
  const listed = BUCKETS.map(([, key, name]) => `${counts[key]} ${name}`).join(", ");
  return `unsettled work: ${listed}${unknown === 0 ? "" : `, and ${unknown} that could not be asked`}`;
};

const TYPE_NAMES = { string: "string", boolean: "bool", object: "dict" } as const;

const typeName = (value: Json): string => {
  if (value === null) return "nil";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  return TYPE_NAMES[typeof value as keyof typeof TYPE_NAMES];
};

/** How much a given state has in each bucket; a bucket that is missing has nothing (spec/workers 21.9). */
export const countsOf = (given: unknown): Result<UnsettledCounts, string> => {
  if (!isObject(given)) return err("Harness unsettled-state helpers expect a state dict");
  const counts: Record<string, number> = {};
  for (const [bucket, key] of BUCKETS) {
    const items = given[bucket];
    if (items !== undefined && !Array.isArray(items))
      return err(`unsettled-state field \`${bucket}\` must be a list, got ${typeName(items)}`);
    counts[key] = items?.length ?? 0;
  }
  return ok(counts as unknown as UnsettledCounts);
};

/** Whether a given state has nothing in any bucket (spec/workers 21.9). */
export const isEmptyState = (given: unknown): Result<boolean, string> => {
  const counts = countsOf(given);
  return counts.ok ? ok(isNothing(counts.value)) : counts;
};

/** A state with its counts; what could not be asked keeps it from being empty (spec/workers 21.3, 31). */
export const snapshotOf = (state: UnsettledState, unknown: readonly UnknownPart[] = []): UnsettledSnapshot => {
  const counts = Object.fromEntries(
    BUCKETS.map(([bucket, key]) => [key, state[bucket].length]),
  ) as unknown as UnsettledCounts;
  return {
    state,
    counts,
    is_empty: isNothing(counts) && unknown.length === 0,
    summary: summaryOf(counts, unknown.length),
  };
};

/** An open handoff as an item of the snapshot (spec/workers 21.4). */
export const handoffItem = (handoff: PartialHandoff, now: Timestamp): HandoffItem => ({
  ...handoff,
  from: handoff.origin_pipeline,
  to: handoff.target_pipeline,
  payload_summary: payloadSummary(handoff.payload),
  age_ms: Math.max(0, now - handoff.queued_at_ms),
});

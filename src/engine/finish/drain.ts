import type { Json, JsonObject } from "../../lib/json.ts";
import { settlementOf, type SettleTrigger } from "./acknowledge.ts";
import type { UnsettledState } from "./snapshot.ts";

/** What is really done for an item, by whoever carries out a step (spec/workers 30 no. 6). */
export type DrainEffect =
  | { readonly type: "close_worker"; readonly worker_id: string }
  | SettleTrigger
  | { readonly type: "acknowledge_handoff"; readonly envelope_id: string; readonly decision: Json }
  /** Nothing can be done about it from here: the decision is only recorded. */
  | { readonly type: "record" };

/** One decision of the settlement agent: what is done about one item, and the audit entry that says so. */
export interface DrainStep {
  /** The same for the same item in every iteration. */
  readonly key: string;
  readonly effect: DrainEffect;
  /** The payload of the `drain_decision` (spec/workers 21.10). */
  readonly decision: JsonObject;
}

/** How a drain went so far. */
export interface DrainProgress {
  readonly iterations: number;
  readonly items_processed: number;
  readonly audit_count: number;
}

/** What a drain answers (spec/workers 21.10). */
export interface DrainReceipt extends DrainProgress {
  readonly status: "no_unsettled" | "completed" | "exhausted";
  readonly method: "spawn_settlement_agent";
  readonly budget: number;
  readonly remaining: UnsettledState;
  readonly return_value: Json;
}

const DEFAULT_BUDGET = 5;

const MAX_BUDGET = 20;

/** How many iterations a drain may take: what is asked for within 1 to 20, else 5 (spec/workers 21.10). */
export const drainBudget = (asked: Json | undefined): number =>
  typeof asked === "number" && Number.isInteger(asked) && asked > 0 ? Math.min(asked, MAX_BUDGET) : DEFAULT_BUDGET;

const HANDOFF_DECISION: JsonObject = { disposition: "deferred", source: "settlement_agent" };

interface Decided {
  readonly action: "cancel" | "acknowledge" | "drain" | "defer";
  readonly category: string;
  readonly id: string;
  readonly why: string;
  readonly item: object;
  readonly effect: DrainEffect;
}

const stepOf = ({ action, category, id, why, item, effect }: Decided): DrainStep => ({
  key: `${category}:${id}`,
  effect,
  decision: { action, item: { category, id, summary: item as JsonObject }, reason: `default disposition: ${why}` },
});

const RECORD: DrainEffect = { type: "record" };

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");

/** What would be decided about every item, bucket by bucket in the order of settling (spec/workers 21.10). */
const decisions = (state: UnsettledState): readonly (readonly DrainStep[])[] => [
  state.suspended_subagents.map((item) => {
    const id = textOf(item["handle"]) || textOf(item["id"]);
    const effect = { type: "close_worker", worker_id: id } as const;
    const why = "cancel suspended subagent at drain";
    return stepOf({ action: "cancel", category: "suspended_subagent", id, why, item, effect });
  }),
  state.queued_triggers.map((item) => {
    const settled = settlementOf(item);
    const effect = settled.ok ? settled.value : RECORD;
    const why = "acknowledge stale queued trigger at drain";
    return stepOf({ action: "acknowledge", category: "queued_trigger", id: item.id, why, item, effect });
  }),
  state.partial_handoffs.map((item) => {
    const id = item.envelope_id;
    const effect = { type: "acknowledge_handoff", envelope_id: id, decision: HANDOFF_DECISION } as const;
    const why = "acknowledge partial handoff as deferred";
    return stepOf({ action: "acknowledge", category: "partial_handoff", id, why, item, effect });
  }),
  state.in_flight_llm_calls.map((item) => {
    const why = "record drain decision for in-flight llm call";
    const effect = RECORD;
    return stepOf({ action: "drain", category: "in_flight_llm_call", id: item.call_id, why, item, effect });
  }),
  state.pool_pending_tasks.map((item) => {
    const id = textOf(item["task_id"]) || textOf(item["id"]);
    const why = "defer pool pending task at drain";
    return stepOf({ action: "defer", category: "pool_pending_task", id, why, item, effect: RECORD });
  }),
];

/** What was decided before, and how far a drain may go. */
export interface DrainScope {
  readonly decided: ReadonlySet<string>;
  /** Events that wait in triggers are those of other runs to come: they are cancelled only on request. */
  readonly include_events: boolean;
}

/**
 * The steps of one iteration: of each bucket the first item that was not decided before (spec/workers 21.10). An iteration
 * without any ends the drain.
 */
export const drainSteps = (state: UnsettledState, { decided, include_events }: DrainScope): readonly DrainStep[] =>
  decisions(state).flatMap(
    (steps) => steps.find(({ key, effect }) => !decided.has(key) && (include_events || !isForEvent(effect))) ?? [],
  );

const isForEvent = ({ type }: DrainEffect): boolean => type === "cancel_event";

/** The last audit entry of a drain (spec/workers 21.10). */
export const drainEnd = (
  isSettled: boolean,
  { iterations, items_processed }: DrainProgress,
  { budget, remaining }: Pick<DrainReceipt, "budget" | "remaining">,
): { readonly kind: string; readonly payload: Json } =>
  isSettled
    ? { kind: "pipeline_finalized", payload: { reason: "drained", iterations, items_processed } }
    : {
        kind: "drain_unsettled_remaining",
        payload: { iterations, budget, items_processed, remaining: remaining as unknown as JsonObject },
      };

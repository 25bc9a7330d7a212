import type { JsonObject } from "../../../lib/json.ts";
import { rfc3339, type Timestamp } from "../../../lib/time.ts";
import type { BudgetStrategy } from "../../../schema/trigger-rules.ts";
import { type BudgetCounter, type SpendLimits, usdOf } from "./counter.ts";
import type { PredicateLimits } from "./limits.ts";

/** A record of the topic `triggers.lifecycle` (spec/triggers 3). */
export interface LifecycleRecord {
  readonly kind: string;
  readonly payload: JsonObject;
}

/** A budget that an evaluation broke (spec/triggers 9.2). */
export type BudgetReason =
  | "hourly_budget_exceeded"
  | "daily_budget_exceeded"
  | "orchestrator_hourly_budget_exceeded"
  | "orchestrator_daily_budget_exceeded"
  | "budget_exceeded";

/** Which evaluation it is, and under which limits. */
export interface PredicateRequest {
  readonly trigger_id: string;
  readonly event_id: string;
  readonly replay_of_event_id: string | null;
  /** The same for every try of the same evaluation, such as the id of the dispatch. */
  readonly reservation_id: string;
  readonly limits: PredicateLimits;
}

/** What is done with the event. */
export type PredicateAction = "pass" | "skip" | "dead_letter" | "defer";

/** The answer of a predicate, and everything to write down about it. */
export interface PredicateVerdict {
  readonly result: boolean;
  readonly reason: string | null;
  /** Of `budget.on_budget_exhausted`, where a budget is what decided. */
  readonly strategy: BudgetStrategy | null;
  readonly action: PredicateAction;
  /** When a deferred event is looked at again. */
  readonly retry_at: string | null;
  readonly records: readonly LifecycleRecord[];
  readonly warnings: readonly { readonly category: string; readonly failure_count: number }[];
}

/** What an evaluation took. */
export interface PredicateCost {
  readonly cost_usd: number;
  readonly tokens: number;
  readonly llm_calls: number;
  readonly latency_ms: number;
}

/** An evaluation that took nothing. */
export const FREE: PredicateCost = { cost_usd: 0, tokens: 0, llm_calls: 0, latency_ms: 0 };

/** What is known of an evaluation when its records are written. */
export interface Judged {
  readonly result: boolean;
  readonly reason: string | null;
  readonly strategy: BudgetStrategy | null;
  readonly cost: PredicateCost;
  readonly cached: boolean;
}

/** The record of every evaluation (spec/triggers 9.1, step 12). */
export const evaluatedRecord = (
  { trigger_id, event_id, replay_of_event_id }: PredicateRequest,
  { result, reason, strategy, cost, cached }: Judged,
): LifecycleRecord => ({
  kind: "predicate.evaluated",
  payload: {
    trigger_id,
    event_id,
    result,
    cost_usd: cost.cost_usd,
    tokens: cost.tokens,
    latency_ms: cost.latency_ms,
    cached,
    reason,
    on_budget_exhausted: strategy,
    replay_of_event_id,
  },
});

/** A broken budget: `predicate.budget_exceeded` always, and the kind of its own for hours and days (spec/triggers 9.2). */
export const budgetRecords = (
  request: PredicateRequest,
  broken: {
    readonly reason: BudgetReason;
    readonly counter: BudgetCounter;
    readonly expected: number;
    readonly cost: PredicateCost | null;
  },
): readonly LifecycleRecord[] => {
  const { trigger_id, event_id, replay_of_event_id, limits } = request;
  const { reason, counter, cost } = broken;
  const payload = {
    trigger_id,
    event_id,
    reason,
    strategy: limits.on_budget_exhausted,
    expected_cost_usd: usdOf(broken.expected),
    cost_usd: cost?.cost_usd ?? 0,
    tokens: cost?.tokens ?? null,
    daily_limit_usd: limits.daily_cost_usd,
    hourly_limit_usd: limits.hourly_cost_usd,
    cost_today_usd: usdOf(counter.day_micros),
    cost_hour_usd: usdOf(counter.hour_micros),
    replay_of_event_id,
  };
  const general = { kind: "predicate.budget_exceeded", payload };
  return reason === "budget_exceeded" ? [general] : [general, { kind: `predicate.${reason}`, payload }];
};

/** An evaluation that went beyond its own limits (spec/triggers 9.1, step 9). */
export const invocationRecord = (
  { trigger_id, event_id, replay_of_event_id, limits }: PredicateRequest,
  { cost_usd, tokens }: PredicateCost,
): LifecycleRecord => ({
  kind: "predicate.invocation_budget_exceeded",
  payload: {
    trigger_id,
    event_id,
    max_cost_usd: limits.max_cost_usd,
    tokens_max: limits.tokens_max,
    cost_usd,
    tokens,
    replay_of_event_id,
  },
});

const ACTIONS = { false: "skip", warn: "skip", fail: "dead_letter", retry_later: "defer" } as const;

const HOUR_MS = 3_600_000;

/** The next UTC hour where an hourly limit is configured, else the next UTC midnight (spec/triggers 8, step 6). */
export const retryAt = ({ hourly_cost_usd }: SpendLimits, now: Timestamp): string => {
  const window = hourly_cost_usd === null ? 24 * HOUR_MS : HOUR_MS;
  return rfc3339((Math.floor(now / window) + 1) * window);
};

/** What becomes of the event (spec/triggers 8, step 6). */
export const actionOf = (result: boolean, strategy: BudgetStrategy | null): PredicateAction => {
  if (result) return "pass";
  return strategy === null ? "skip" : ACTIONS[strategy];
};

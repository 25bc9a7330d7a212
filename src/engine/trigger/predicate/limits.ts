import { parseTimeout } from "../../../lib/timeout.ts";
import type { AutonomyTier, BudgetStrategy, TriggerRules } from "../../../schema/trigger-rules.ts";

/** Longest time a predicate may take, in milliseconds; what it gets unless told otherwise is a tenth of it. */
const MAX_TIMEOUT_MS = 300_000;

/** What a predicate may cost (spec/triggers 5.4). */
export interface PredicateLimits {
  /** Of one evaluation. */
  readonly max_cost_usd: number | null;
  readonly tokens_max: number | null;
  readonly timeout_ms: number;
  /** Of all evaluations of an hour and a day, in UTC. */
  readonly hourly_cost_usd: number | null;
  readonly daily_cost_usd: number | null;
  readonly on_budget_exhausted: BudgetStrategy;
}

/** How often a trigger may act by itself (spec/triggers 9.5). */
export interface AutonomyLimits {
  readonly per_hour: number | null;
  readonly per_day: number | null;
}

const timeoutOf = (given: string | number | undefined): number => {
  const parsed = typeof given === "string" ? parseTimeout(given) : null;
  const wanted = typeof given === "number" ? given : parsed?.ok === true ? parsed.value : MAX_TIMEOUT_MS / 10;
  return Math.min(wanted, MAX_TIMEOUT_MS);
};

/** The limits of a trigger's predicate: `when_budget` wins over `budget` (spec/triggers 5.4). */
export const predicateLimits = ({ when_budget, budget }: TriggerRules): PredicateLimits => ({
  max_cost_usd: when_budget?.max_cost_usd ?? budget?.max_cost_usd ?? null,
  tokens_max: when_budget?.tokens_max ?? budget?.max_tokens ?? budget?.tokens_max ?? null,
  timeout_ms: timeoutOf(when_budget?.timeout),
  hourly_cost_usd: budget?.hourly_cost_usd ?? null,
  daily_cost_usd: budget?.daily_cost_usd ?? null,
  on_budget_exhausted: budget?.on_budget_exhausted ?? "false",
});

/** The limits of what a trigger does by itself (spec/triggers 5.4). */
export const autonomyLimits = ({ budget }: TriggerRules): AutonomyLimits => ({
  per_hour: budget?.max_autonomous_decisions_per_hour ?? null,
  per_day: budget?.max_autonomous_decisions_per_day ?? null,
});

/** How much a trigger may do by itself (spec/triggers 5.1). */
export const autonomyTierOf = ({ autonomy_tier, tier }: TriggerRules): AutonomyTier =>
  autonomy_tier ?? tier ?? "act_auto";

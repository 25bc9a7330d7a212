import type { LlmUsage } from "../../schema/plan.ts";
import type { PreparedStage, Run } from "./state.ts";
import { addUsage } from "./usage.ts";

/** What a run may spend before it pauses and asks; a bound that is absent is none. */
export interface RunBudget {
  /** Input and output tokens together. */
  readonly max_tokens?: number;
  readonly max_cost_usd?: number;
}

/** What an open stage or branch has used: the whole of it once it is completed, what it has recorded before. */
const usedBy = ({ settled, map, loop }: PreparedStage): LlmUsage | null =>
  settled === null ? ((map ?? loop)?.usage ?? null) : settled.event.usage;

/** What a run has used so far, with what its open stages have. */
export const spentSoFar = (run: Run): LlmUsage =>
  run.open.reduce((total, unit) => addUsage(total, usedBy(unit)), addUsage(run.usage, run.earlier_usage));

const MIN_COST_USD = 0.000_001;

/** A budget without what was used; something is always left of it, so that it stays one. */
export const lessUsage = ({ max_tokens: tokens, max_cost_usd: cost }: RunBudget, used: LlmUsage): RunBudget => ({
  ...(tokens === undefined ? {} : { max_tokens: Math.max(1, tokens - used.input_tokens - used.output_tokens) }),
  ...(cost === undefined ? {} : { max_cost_usd: Math.max(MIN_COST_USD, cost - used.total_cost) }),
});

/** What a run has left to spend; null for no bound. */
export const budgetLeft = (run: Run): RunBudget | null =>
  run.budget === null ? null : lessUsage(run.budget, spentSoFar(run));

/** Why a run may start nothing more under this budget; null while it may. */
export const budgetExcess = (run: Run, budget: RunBudget | null): string | null => {
  if (budget === null) return null;
  const spent = spentSoFar(run);
  const tokens = spent.input_tokens + spent.output_tokens;
  if (budget.max_tokens !== undefined && tokens >= budget.max_tokens)
    return `the budget of ${budget.max_tokens} tokens is used up: ${tokens} were used`;
  if (budget.max_cost_usd !== undefined && spent.total_cost >= budget.max_cost_usd)
    return `the budget of $${budget.max_cost_usd} is used up: $${spent.total_cost.toFixed(6)} were spent`;
  return null;
};

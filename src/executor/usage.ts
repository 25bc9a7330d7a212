import { addUsage as sum } from "../engine/run/usage.ts";
import type { LlmUsage } from "../schema/plan.ts";

/** What two pieces of work used together; binary fractions stay out of the record, as in the cost of one call. */
export const addUsage = (a: LlmUsage, b: LlmUsage): LlmUsage => {
  const both = sum(a, b);
  return { ...both, total_cost: Number(both.total_cost.toFixed(9)) };
};

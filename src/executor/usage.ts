import type { LlmUsage } from "../schema/plan.ts";

/** Nothing used. */
export const NO_USAGE: LlmUsage = {
  input_tokens: 0,
  output_tokens: 0,
  total_duration_ms: 0,
  call_count: 0,
  total_cost: 0,
  models: [],
};

/** What two pieces of work used together (spec/workflow 12.9). */
export const addUsage = (a: LlmUsage, b: LlmUsage): LlmUsage => ({
  input_tokens: a.input_tokens + b.input_tokens,
  output_tokens: a.output_tokens + b.output_tokens,
  total_duration_ms: a.total_duration_ms + b.total_duration_ms,
  call_count: a.call_count + b.call_count,
  // Binary fractions stay out of the record, as in the cost of one call.
  total_cost: Number((a.total_cost + b.total_cost).toFixed(9)),
  models: [...new Set([...a.models, ...b.models])],
});

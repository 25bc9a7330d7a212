import type { LlmUsage } from "../../schema/plan.ts";

/** Adds usage; models keep the order in which they were first seen (spec/workflow 12.9). */
export const addUsage = (total: LlmUsage, usage: LlmUsage | null): LlmUsage =>
  usage === null
    ? total
    : {
        input_tokens: total.input_tokens + usage.input_tokens,
        output_tokens: total.output_tokens + usage.output_tokens,
        total_duration_ms: total.total_duration_ms + usage.total_duration_ms,
        call_count: total.call_count + usage.call_count,
        total_cost: total.total_cost + usage.total_cost,
        models: [...new Set([...total.models, ...usage.models])],
      };

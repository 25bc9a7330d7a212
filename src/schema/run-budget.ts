import * as z from "zod";

/** What a run may spend: tokens, US dollars, or both. */
export const runBudgetSchema = z
  .strictObject({
    max_tokens: z.int().min(1).exactOptional().describe("Input and output tokens together"),
    max_cost_usd: z.number().positive().exactOptional(),
  })
  .readonly();

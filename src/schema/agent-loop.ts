import * as z from "zod";
import { err, ok, type Result } from "../lib/result.ts";
import { turnPolicySchema } from "./policy.ts";

// Null is "not set" (spec/workflow 0.1): normalised nodes carry unset settings so.
const count = (missing: number) =>
  z
    .int()
    .nonnegative()
    .nullish()
    .transform((value) => value ?? missing);

const limit = z
  .number()
  .nonnegative()
  .nullish()
  .transform((value) => value ?? null);

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? "");

const names = z
  .array(z.string())
  .nullish()
  .transform((value): readonly string[] => value ?? []);

const schema = z.object({
  max_iterations: count(16),
  max_nudges: count(3),
  nudge: text,
  tool_examples: text,
  done_sentinel: text,
  exit_when_verified: z
    .boolean()
    .nullish()
    .transform((value) => value === true),
  stop_after_successful_tools: names,
  require_successful_tools: names,
  turn_policy: turnPolicySchema.nullish().transform((value) => value ?? turnPolicySchema.parse({})),
  max_total_tokens: limit,
  max_cost_usd: limit,
  tool_retries: count(0),
  tool_backoff_ms: count(1000),
  llm_retries: count(2),
  llm_backoff_ms: count(2000),
  loop_detect_warn: count(2),
  loop_detect_block: count(3),
  loop_detect_skip: count(4),
  tool_output_max_chars: count(20_000),
});

/** The settings of an agent loop (spec/workflow 1.4, 4.5). */
export type AgentLoopOptions = Readonly<z.output<typeof schema>>;

/** Reads `agent_loop_options` of a plan; the error names the setting that is wrong. */
export const decodeAgentLoopOptions = (value: unknown): Result<AgentLoopOptions, string> => {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return ok(parsed.data);
  const issue = parsed.error.issues[0];
  return err(`agent_loop_options.${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not valid"}`);
};

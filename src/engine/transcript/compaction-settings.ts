import { byCodePoint, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";

/** How older messages become one (spec/workflow 14.4). */
export type CompactionStrategy = "llm" | "truncate" | "custom" | "observation_mask";

/** When and how a conversation is compacted, after defaults and the model's limits (spec/workflow 14.4). */
export interface CompactionSettings {
  readonly keep_first: number;
  readonly keep_last: number;
  readonly token_threshold: number;
  readonly tool_output_max_chars: number;
  readonly strategy: CompactionStrategy;
  /** Above it the second strategy runs on the summary; null for no such limit. */
  readonly hard_limit_tokens: number | null;
  readonly hard_limit_strategy: CompactionStrategy;
  /** Replaces the instruction for a model that sums up; null for the built-in one. */
  readonly summarize_prompt: string | null;
  /** Registered functions, by name. */
  readonly custom_compactor: string | null;
  readonly mask_callback: string | null;
}

const DEFAULTS = { keep_first: 0, keep_last: 12, token_threshold: 48_000, tool_output_max_chars: 16_000 } as const;

const SMALLEST_CONTEXT = 4_096;
const THRESHOLD_SHARE = 0.65;
const HARD_LIMIT_SHARE = 0.75;

/** A strategy by its name, or the error text of spec/workflow 14.4. */
export const strategyOf = (name: string): Result<CompactionStrategy, string> => {
  if (name === "llm" || name === "truncate" || name === "custom" || name === "observation_mask") return ok(name);
  return err(`unknown compact_strategy '${name}' (expected 'llm', 'truncate', 'custom', or 'observation_mask')`);
};

const countIn = (source: JsonObject, keys: readonly string[]): number | null => {
  for (const key of keys) {
    const value = source[key];
    if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  }
  return null;
};

const textIn = (source: JsonObject, keys: readonly string[]): string | null => {
  for (const key of keys) {
    const value = source[key];
    if (typeof value === "string" && value.trim() !== "") return value;
  }
  return null;
};

/** What a model's context leaves: a threshold and a hard limit that no setting may exceed (spec/workflow 14.4). */
const limitsOf = (contextTokens: number): { readonly threshold: number; readonly hard: number } => {
  const context = Math.max(contextTokens, SMALLEST_CONTEXT);
  return { threshold: Math.floor(context * THRESHOLD_SHARE), hard: Math.floor(context * HARD_LIMIT_SHARE) };
};

const lower = (value: number | null, limit: number): number => Math.min(value ?? limit, limit);

/**
 * The settings of a node's `auto_compact` or of the options of `agent_session_compact` (spec/workflow 1.5, 14.4).
 *
 * Both the names that nodes have and those of the ancestor's manual are read: `token_threshold` and `compact_threshold`,
 * `keep_last` and `compact_keep_last`, `custom_compactor` and `compact_callback`. With the size of the model's context in
 * tokens the limits are lowered to it, never raised.
 */
export const compactionSettings = (
  source: JsonObject,
  contextTokens: number | null = null,
): Result<CompactionSettings, string> => {
  const strategy = strategyOf(textIn(source, ["compact_strategy"]) ?? "observation_mask");
  if (!strategy.ok) return strategy;
  const second = strategyOf(textIn(source, ["hard_limit_strategy"]) ?? "llm");
  if (!second.ok) return second;
  const custom = textIn(source, ["custom_compactor", "compact_callback"]);
  if (custom === null && strategy.value === "custom")
    return err("compact_strategy 'custom' needs `custom_compactor`: the name of a registered function");
  const threshold = countIn(source, ["token_threshold", "compact_threshold"]);
  const hard = countIn(source, ["hard_limit_tokens"]);
  const limits = contextTokens === null ? null : limitsOf(contextTokens);
  return ok({
    keep_first: countIn(source, ["keep_first", "compact_keep_first"]) ?? DEFAULTS.keep_first,
    keep_last: countIn(source, ["compact_keep_last", "keep_last"]) ?? DEFAULTS.keep_last,
    token_threshold: lower(threshold ?? DEFAULTS.token_threshold, limits?.threshold ?? Number.MAX_SAFE_INTEGER),
    tool_output_max_chars: countIn(source, ["tool_output_max_chars"]) ?? DEFAULTS.tool_output_max_chars,
    strategy: strategy.value,
    hard_limit_tokens: limits === null ? hard : lower(hard, limits.hard),
    hard_limit_strategy: second.value,
    summarize_prompt: textIn(source, ["summarize_prompt"]),
    custom_compactor: custom,
    mask_callback: textIn(source, ["mask_callback"]),
  });
};

/** Whether a node asks for compaction, by its own name or by the manual's (spec/workflow 1.5). */
export const compactionIsEnabled = (source: JsonObject): boolean =>
  source["enabled"] === true || source["auto_compact"] === true;

const OPTION_KEYS = [
  "keep_last",
  "token_threshold",
  "tool_output_max_chars",
  "compact_strategy",
  "hard_limit_tokens",
  "hard_limit_strategy",
  "custom_compactor",
  "mask_callback",
  "compress_callback",
] as const;

const COUNTS: readonly string[] = ["keep_last", "token_threshold", "tool_output_max_chars", "hard_limit_tokens"];

const optionProblem = (key: string, value: Json): string | null => {
  if (value === null) return null;
  if (COUNTS.includes(key))
    return typeof value === "number" && Number.isInteger(value) && value >= 0 ? null : `\`${key}\` must be >= 0`;
  return typeof value === "string" ? null : `\`${key}\` must be a string`;
};

/** The settings of `agent_session_compact`; a key it does not know is an error (spec/workflow 14.3). */
export const compactOptions = (options: JsonObject): Result<CompactionSettings, string> => {
  const known: readonly string[] = OPTION_KEYS;
  for (const key of Object.keys(options).toSorted(byCodePoint)) {
    if (!known.includes(key))
      return err(`agent_session_compact: unknown option key '${key}' (expected one of: ${OPTION_KEYS.join(", ")})`);
    const problem = optionProblem(key, options[key] ?? null);
    if (problem !== null) return err(`agent_session_compact: ${problem}`);
  }
  const settings = compactionSettings(options);
  return settings.ok ? settings : err(`agent_session_compact: ${settings.error}`);
};

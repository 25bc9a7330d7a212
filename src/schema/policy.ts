import * as z from "zod";
import type { DeepReadonly } from "../lib/deep-readonly.ts";
import { byCodePoint } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { decodeAt, decodeDocument, type DecodeError, nestingIssue } from "./decode.ts";
import { ERROR_CATEGORIES } from "./error-category.ts";
import {
  flag,
  json,
  listOf,
  optionalInt,
  optionalJson,
  optionalNumber,
  optionalText,
  optionalUint,
  text,
  texts,
  uint,
} from "./lenient.ts";

// The policies of a workflow (spec/workflow 1.4 to 1.13). Fields that this project adds to the specification are
// optional keys: they are present only where a document gives them.

const extraJson = z.exactOptional(json);
const extraText = z.string().nullable().exactOptional();
const extraNumber = z.number().nullable().exactOptional();
const extraFlag = z.boolean().nullable().exactOptional();
const extraUint = z.number().int().nonnegative().nullable().exactOptional();

/** A map with keys in code point order, empty when missing (spec/workflow 0.1). */
export const sortedMap = <Value extends z.ZodType>(value: Value) =>
  z
    .record(z.string(), value)
    .default({})
    .transform((map): Readonly<Record<string, z.output<Value>>> =>
      Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => byCodePoint(a, b))),
    );

/** What a turn of an agent loop has to be (spec/workflow 1.4). */
export const turnPolicySchema = z
  .object({
    require_action_or_yield: flag,
    allow_done_sentinel: z.boolean().default(true),
    max_prose_chars: optionalUint,
  })
  .readonly();

/** Model routing and agent loop settings of a node (spec/workflow 1.4). */
export const modelPolicySchema = z
  .object({
    provider: optionalText,
    model: optionalText,
    model_tier: optionalText,
    temperature: optionalNumber,
    max_tokens: optionalInt,
    max_iterations: optionalUint,
    max_nudges: optionalUint,
    nudge: optionalText,
    tool_examples: optionalText,
    stop_after_successful_tools: z.array(z.string()).readonly().nullable().default(null),
    require_successful_tools: z.array(z.string()).readonly().nullable().default(null),
    turn_policy: turnPolicySchema.nullable().default(null),
    tool_format: optionalText,
    native_tool_fallback: z.enum(["allow", "allow_once", "reject"]).default("allow"),
    session_id: extraText,
    skills: extraJson,
    skill_match: extraJson,
    permissions: extraJson,
    command_policy: extraJson,
    task_ledger: extraJson,
    base_url: extraText,
    context_tokens: extraUint,
    reasoning_effort: extraText,
    thinking: extraJson,
    top_p: extraNumber,
    top_k: extraNumber,
    output_schema: extraJson,
    schema_retries: extraUint,
    max_total_tokens: extraUint,
    max_cost_usd: extraNumber,
    llm_retries: extraUint,
    llm_backoff_ms: extraUint,
    tool_retries: extraUint,
    tool_backoff_ms: extraUint,
    loop_detect_warn: extraUint,
    loop_detect_block: extraUint,
    loop_detect_skip: extraUint,
    subagents: extraFlag,
  })
  .readonly();

/** Model routing and agent loop settings of a node (spec/workflow 1.4). */
export type ModelPolicy = z.output<typeof modelPolicySchema>;

/**
 * When and how a transcript is compacted (spec/workflow 1.5). The extra keys name registered functions, never hold them; the
 * last three are the names of the ancestor's manual.
 */
export const autoCompactPolicySchema = z
  .object({
    enabled: flag,
    token_threshold: optionalUint,
    tool_output_max_chars: optionalUint,
    compact_strategy: optionalText,
    hard_limit_tokens: optionalUint,
    hard_limit_strategy: optionalText,
    compact_keep_last: extraUint,
    keep_last: extraUint,
    summarize_prompt: extraText,
    compress_callback: extraJson,
    mask_callback: extraJson,
    custom_compactor: extraJson,
    auto_compact: z.boolean().exactOptional(),
    compact_threshold: extraUint,
    compact_callback: extraJson,
  })
  .readonly();

/** When and how a transcript is compacted (spec/workflow 1.5). */
export type AutoCompactPolicy = z.output<typeof autoCompactPolicySchema>;

/** Which artifacts a stage sees (spec/workflow 1.6). */
export const contextPolicySchema = z
  .object({
    max_artifacts: optionalUint,
    max_tokens: optionalUint,
    reserve_tokens: optionalUint,
    include_kinds: texts,
    exclude_kinds: texts,
    prioritize_kinds: texts,
    pinned_ids: texts,
    include_stages: texts,
    prefer_recent: flag,
    prefer_fresh: flag,
    render: optionalText,
  })
  .readonly();

/** Which artifacts a stage sees (spec/workflow 1.6). */
export type ContextPolicy = z.output<typeof contextPolicySchema>;

/** How often a failed call is tried again (spec/workflow 1.7). */
export const retryPolicySchema = z
  .object({
    max_attempts: uint,
    verify: flag,
    repair: flag,
    backoff_ms: optionalUint,
    backoff_multiplier: optionalNumber,
    jitter: z.number().min(0).max(1).nullable().exactOptional(),
    retry_on: z.array(z.enum(ERROR_CATEGORIES)).readonly().nullable().exactOptional(),
    feedback: z.exactOptional(json),
  })
  .readonly();

/** How often a failed call is tried again (spec/workflow 1.7). */
export type RetryPolicy = z.output<typeof retryPolicySchema>;

/** What a stage takes or gives (spec/workflow 1.8). */
export const stageContractSchema = z
  .object({
    input_kinds: texts,
    output_kinds: texts,
    min_inputs: optionalUint,
    max_inputs: optionalUint,
    require_transcript: flag,
    schema: optionalJson,
  })
  .readonly();

/** What a stage takes or gives (spec/workflow 1.8). */
export type StageContract = z.output<typeof stageContractSchema>;

/** Names for branches; kept for parity, never consulted (spec/workflow 1.9). */
export const branchSemanticsSchema = z
  .object({
    success: optionalText,
    failure: optionalText,
    verify_pass: optionalText,
    verify_fail: optionalText,
    condition_true: optionalText,
    condition_false: optionalText,
    loop_continue: optionalText,
    loop_exit: optionalText,
    escalation: optionalText,
  })
  .readonly();

/** What a map node iterates over (spec/workflow 1.10). */
export const mapPolicySchema = z
  .object({
    items: listOf(json),
    item_artifact_kind: optionalText,
    output_kind: optionalText,
    max_items: optionalUint,
    max_concurrent: optionalUint,
  })
  .readonly();

/** How many inputs a join waits for (spec/workflow 1.10). */
export const joinPolicySchema = z
  .object({ strategy: text, require_all_inputs: flag, min_completed: optionalUint })
  .readonly();

/** How many inputs a join waits for (spec/workflow 1.10). */
export type JoinPolicy = z.output<typeof joinPolicySchema>;

/** How a reduce node joins texts (spec/workflow 1.10). */
export const reducePolicySchema = z
  .object({ strategy: text, separator: optionalText, output_kind: optionalText })
  .readonly();

/** Whom an escalation addresses (spec/workflow 1.10). */
export const escalationPolicySchema = z
  .object({ level: optionalText, queue: optionalText, reason: optionalText })
  .readonly();

/** The kinds a tool may have (spec/workflow 1.11). */
export const TOOL_KINDS = ["read", "edit", "delete", "move", "search", "execute", "think", "fetch", "other"] as const;

/** Side-effect levels, from the mildest up (spec/workflow 1.11). */
export const SIDE_EFFECT_LEVELS = ["none", "read_only", "workspace_write", "process_exec", "network"] as const;

/** What a tool does and which of its arguments are paths (spec/workflow 1.11). */
export const toolAnnotationsSchema = z
  .object({
    kind: z.enum(TOOL_KINDS).default("other"),
    side_effect_level: z.enum(SIDE_EFFECT_LEVELS).default("none"),
    arg_schema: z
      .object({ path_params: texts, arg_aliases: sortedMap(z.string()), required: texts })
      .readonly()
      .prefault({}),
    capabilities: sortedMap(z.array(z.string()).readonly()),
    emits_artifacts: flag,
    result_readers: texts,
    inline_result: flag,
  })
  .readonly();

/** What a tool does and which of its arguments are paths (spec/workflow 1.11). */
export type ToolAnnotations = z.output<typeof toolAnnotationsSchema>;

/** The annotations of a tool as they are written: what is missing has its default (spec/workflow 1.11). */
export interface ToolAnnotationsInput extends DeepReadonly<z.input<typeof toolAnnotationsSchema>> {}

// A policy of hundreds of constraints is a mistake; the bound keeps checking them against every tool cheap.
const MAX_ARG_CONSTRAINTS = 500;

/**
 * What a stage may use (spec/workflow 1.11). An empty list or map means "no opinion". `denied_all` names the lists that
 * are empty because nothing is left: it is written by intersections and narrows wherever the policy is used again.
 */
export const capabilityPolicySchema = z
  .object({
    tools: texts,
    capabilities: sortedMap(z.array(z.string()).readonly()),
    workspace_roots: texts,
    side_effect_level: optionalText,
    recursion_limit: optionalUint,
    tool_arg_constraints: z
      .array(z.object({ tool: text, arg_patterns: texts, arg_key: optionalText }).readonly())
      .max(MAX_ARG_CONSTRAINTS)
      .readonly()
      .default([]),
    tool_annotations: sortedMap(toolAnnotationsSchema),
    denied_all: z
      .array(z.enum(["tools", "capabilities", "workspace_roots"]))
      .readonly()
      .exactOptional(),
  })
  .readonly();

/** What a stage may use (spec/workflow 1.11). */
export type CapabilityPolicy = z.output<typeof capabilityPolicySchema>;

/**
 * Which tool calls are approved, refused or asked about; all lists hold globs (spec/workflow 1.12).
 * `always_require_approval` and `denied_all` are written by intersections: questions that no approval of another scope
 * answers, and lists of which nothing is left.
 */
export const toolApprovalPolicySchema = z
  .object({
    auto_approve: texts,
    auto_deny: texts,
    require_approval: texts,
    write_path_allowlist: texts,
    always_require_approval: z.array(z.string()).readonly().exactOptional(),
    denied_all: z
      .array(z.enum(["auto_approve", "write_path_allowlist"]))
      .readonly()
      .exactOptional(),
  })
  .readonly();

/** Which tool calls are approved, refused or asked about; all lists hold globs (spec/workflow 1.12). */
export type ToolApprovalPolicy = z.output<typeof toolApprovalPolicySchema>;

/** One thing a verification looks for (spec/workflow 1.13). */
export const verificationRequirementSchema = z.object({ kind: text, value: text, note: optionalText }).readonly();

/** One thing a verification looks for (spec/workflow 1.13). */
export type VerificationRequirement = z.output<typeof verificationRequirementSchema>;

/** What a verification demands, told to the stages before it (spec/workflow 1.13). */
export const verificationContractSchema = z
  .object({
    source_node: optionalText,
    summary: optionalText,
    command: optionalText,
    expect_status: optionalInt,
    assert_text: optionalText,
    expect_text: optionalText,
    required_identifiers: texts,
    required_paths: texts,
    required_text: texts,
    notes: texts,
    checks: listOf(verificationRequirementSchema),
  })
  .readonly();

/** What a verification demands, told to the stages before it (spec/workflow 1.13). */
export type VerificationContract = z.output<typeof verificationContractSchema>;

const decodeShort = <Schema extends z.ZodType>(
  schema: Schema,
  prefix: string,
  value: unknown,
): Result<z.output<Schema>, DecodeError> => {
  const tooDeep = nestingIssue(value);
  const decoded = tooDeep === null ? decodeAt(schema, value) : err([tooDeep]);
  if (decoded.ok) return ok(decoded.value);
  const [first] = decoded.error;
  return err({
    message: `${prefix}: ${first?.path ?? "."}: ${first?.message ?? "invalid value"}`,
    issues: decoded.error,
  });
};

/** Decodes a ceiling; the text of an error is `policy parse error: {e}` (spec/workflow 15.1). */
export const decodeCapabilityPolicy = (value: unknown): Result<CapabilityPolicy, DecodeError> =>
  decodeShort(capabilityPolicySchema, "policy parse error", value);

/** Decodes an approval policy; the text of an error is `{label} parse error at ...` (spec/workflow 0.1). */
export const decodeApprovalPolicy = (value: unknown, label: string): Result<ToolApprovalPolicy, DecodeError> =>
  decodeDocument(toolApprovalPolicySchema, label, value);

/** Decodes the policy of `workflow_set_model_policy`; the text of an error is `{builtin}: {e}` (spec/workflow 15.1). */
export const decodeModelPolicy = (value: unknown, builtin: string): Result<ModelPolicy, DecodeError> =>
  decodeShort(modelPolicySchema, builtin, value);

/** Decodes the policy of `workflow_set_context_policy`; the text of an error is `{builtin}: {e}` (spec/workflow 15.1). */
export const decodeContextPolicy = (value: unknown, builtin: string): Result<ContextPolicy, DecodeError> =>
  decodeShort(contextPolicySchema, builtin, value);

/** Decodes the policy of `workflow_set_auto_compact`; the text of an error is `{builtin}: {e}` (spec/workflow 15.1). */
export const decodeAutoCompactPolicy = (value: unknown, builtin: string): Result<AutoCompactPolicy, DecodeError> =>
  decodeShort(autoCompactPolicySchema, builtin, value);

/** Decodes the policy of the edit `set_retry_policy`; the text of an error is `{builtin}: {e}`, as for the others. */
export const decodeRetryPolicy = (value: unknown, builtin: string): Result<RetryPolicy, DecodeError> =>
  decodeShort(retryPolicySchema, builtin, value);

/** Decodes the policy of the edit `set_capability_policy`; the text of an error is `{builtin}: {e}`, as for the others. */
export const decodeNodeCapabilities = (value: unknown, builtin: string): Result<CapabilityPolicy, DecodeError> =>
  decodeShort(capabilityPolicySchema, builtin, value);

/** Decodes the policy of the edit `set_approval_policy`; the text of an error is `{builtin}: {e}`, as for the others. */
export const decodeNodeApproval = (value: unknown, builtin: string): Result<ToolApprovalPolicy, DecodeError> =>
  decodeShort(toolApprovalPolicySchema, builtin, value);

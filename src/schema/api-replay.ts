import * as z from "zod";
import { anyJson, anyObject, id } from "./api.ts";
import { createdRunSchema } from "./api-run.ts";
import { runRecordSchema } from "./record.ts";

const version = z.int().min(1).optional().describe("Another version of the workflow; the run's own graph without it");

const drive = z
  .enum(["auto", "manual"])
  .optional()
  .describe("Who executes the stages; as in the run itself without it");

/** Body of `POST /v1/runs/{run_id}/replay`. */
export const replayRequestSchema = z
  .object({ mode: z.literal("deterministic").default("deterministic"), version })
  .readonly();

/** Body of `POST /v1/runs/{run_id}/replay`. */
export type ReplayBody = z.output<typeof replayRequestSchema>;

const artifactEdits = z
  .object({
    add: anyJson.optional().describe("Artifacts to add"),
    remove: z.array(id).max(10_000).readonly().default([]),
    replace: anyObject.default({}).describe("Artifacts by the id of the one each replaces"),
  })
  .readonly();

const editsSchema = z
  .object({
    task: z.string().optional(),
    artifacts: artifactEdits.optional(),
    stage_results: z
      .record(z.string(), z.object({ result: anyObject }).readonly())
      .readonly()
      .optional()
      .describe(
        "Results by stage id, as if the stage had returned them; only the checkpoint's last stage can be named",
      ),
    options: anyObject.optional().describe("Laid over the run's options (spec/workflow 4.4)"),
    block_effects: z
      .boolean()
      .optional()
      .describe("Does not execute again a stage that called a tool with side effects"),
  })
  .readonly();

/** Body of `POST /v1/runs/{run_id}/fork`. */
export const forkRequestSchema = z
  .object({
    checkpoint_id: id,
    edits: editsSchema.nullable().optional(),
    version,
    drive,
    dry_run: z.boolean().default(false).describe("Makes nothing: answers what becomes of the recorded effects"),
  })
  .readonly();

/** Body of `POST /v1/runs/{run_id}/fork`. */
export type ForkBody = z.output<typeof forkRequestSchema>;

const plannedEffectSchema = z
  .object({
    stage_id: z.string(),
    node_id: z.string(),
    kind: z.string(),
    effect: z.enum(["http", "function", "llm", "agent", "command", "external", "subagent", "map", "wait"]),
    status: z.string(),
    attempts: z.int(),
    idempotency_key: z.string().describe("The key under which the outside was called"),
    tools: z.array(z.object({ name: z.string(), side_effect_level: z.string() }).readonly()).readonly(),
    decision: z.enum(["reused", "repeated", "blocked"]),
    reason: z.string(),
  })
  .readonly();

const effectPlanSchema = z
  .object({
    effects: z.array(plannedEffectSchema).readonly(),
    counts: z.object({ reused: z.int(), repeated: z.int(), blocked: z.int() }).readonly(),
    blocked_nodes: z.array(z.string()).readonly(),
  })
  .readonly();

/** A fork, or with `dry_run` only what it would do with the recorded effects. */
export const forkReplySchema = z
  .union([
    createdRunSchema.unwrap().extend({ effect_plan: effectPlanSchema }),
    z.object({ dry_run: z.literal(true), ready_nodes: z.array(z.string()).readonly(), effect_plan: effectPlanSchema }),
  ])
  .readonly();

const stageDiff = z
  .object({
    node_id: z.string(),
    change: z.enum(["removed", "added", "changed"]),
    details: z.array(z.string()).readonly(),
  })
  .readonly();

const toolDiff = z
  .object({
    tool_name: z.string(),
    args_hash: z.string(),
    result_changed: z.boolean(),
    left_result: z.string().nullable(),
    right_result: z.string().nullable(),
  })
  .readonly();

const observabilityDiff = z
  .object({ section: z.string(), label: z.string(), details: z.array(z.string()).readonly() })
  .readonly();

const usageDelta = z
  .object({
    input_tokens: z.number(),
    output_tokens: z.number(),
    total_duration_ms: z.number(),
    call_count: z.number(),
    total_cost: z.number(),
  })
  .readonly();

const positionDiff = z
  .object({
    position: z.int().describe("Position in the runs' stages, from 0"),
    left_stage_id: z.string().nullable(),
    right_stage_id: z.string().nullable(),
    node_id: z.string(),
    what: z.array(z.string()).readonly().describe("The paths within the stage that differ"),
  })
  .readonly();

/** All differences between two runs (spec/workflow 12.6); deltas are right minus left. */
export const runDiffSchema = z
  .object({
    left_run_id: z.string(),
    right_run_id: z.string(),
    identical: z.boolean(),
    status_changed: z.boolean(),
    left_status: z.string(),
    right_status: z.string(),
    stage_diffs: z.array(stageDiff).readonly(),
    tool_diffs: z.array(toolDiff).readonly(),
    observability_diffs: z.array(observabilityDiff).readonly(),
    transition_count_delta: z.int(),
    artifact_count_delta: z.int(),
    checkpoint_count_delta: z.int(),
    first_divergence: positionDiff.nullable().describe("The first stage, by position, that is not the same"),
    positions: z.array(positionDiff).readonly().describe("Every stage that is not the same, the first 500"),
    left_path: z.array(z.string()).readonly().describe("The nodes in the order of their execution"),
    right_path: z.array(z.string()).readonly(),
    inputs_changed: z.boolean(),
    outputs_changed: z.boolean(),
    usage_delta: usageDelta,
    left_state_hash: z.string().describe("Equal for runs that came to the same, whatever their ids and times"),
    right_state_hash: z.string(),
  })
  .readonly();

const evalCase = z
  .object({
    run_id: id,
    fixture: anyJson.optional().describe("A replay fixture; the run's own without it"),
    compare_to: id.optional().describe("A run this one must not differ from"),
    label: z.string().max(500).optional(),
  })
  .readonly();

const MAX_CASES = 100;

/** Body of `POST /v1/evals`: cases, or the manifest of an eval pack (spec/workflow 12.7). */
export const evalRequestSchema = z
  .object({
    cases: z.array(evalCase).max(MAX_CASES).readonly().optional(),
    pack: anyObject.optional().describe("An eval pack whose cases name runs by `run` (spec/workflow 12.7)"),
  })
  .readonly();

const caseReport = z
  .object({
    run_id: z.string(),
    workflow_id: z.string(),
    label: z.string().nullable(),
    pass: z.boolean(),
    failures: z.array(z.string()).readonly(),
    stage_count: z.int(),
    source_path: z.string().nullable(),
    comparison: runDiffSchema.nullable(),
  })
  .readonly();

const packCaseReport = caseReport
  .unwrap()
  .extend({
    id: z.string(),
    severity: z.enum(["blocking", "warning", "informational"]),
    warnings: z.array(z.string()).readonly(),
    informational: z.array(z.string()).readonly(),
  })
  .readonly();

/** The verdict on a suite or on a pack (spec/workflow 12.6, 12.7). */
export const evalReportSchema = z
  .object({
    pass: z.boolean(),
    total: z.int(),
    passed: z.int(),
    failed: z.int(),
    pack_id: z.string().optional(),
    blocking_failed: z.int().optional(),
    warning_failed: z.int().optional(),
    informational_failed: z.int().optional(),
    cases: z.array(z.union([packCaseReport, caseReport])).readonly(),
  })
  .readonly();

/** How far down and how wide a run's tree is read. */
export const treeQuery = z.object({
  depth: z.coerce.number().int().min(0).max(16).default(8).describe("Levels of children"),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(50)
    .describe("Runs in all; further ones are leaves without their run"),
});

/** A run and everything it delegated (spec/workflow 12.8). */
export const runTreeSchema = z
  .object({
    run: runRecordSchema,
    children: z
      .array(anyJson)
      .readonly()
      .describe("`{worker, run, children}` each; `run` is null where it was not read"),
    truncated: z.boolean(),
  })
  .readonly();

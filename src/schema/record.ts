import * as z from "zod";
import { err, type Result } from "../lib/result.ts";
import { artifactSchema, handoffSchema } from "./artifact.ts";
import { decodeAt, decodeDocument, type DecodeError, nestingIssue } from "./decode.ts";
import {
  flag,
  json,
  jsonMap,
  listOf,
  number,
  optionalJson,
  optionalText,
  optionalUint,
  text,
  texts,
  uint,
} from "./lenient.ts";
import { runObservabilitySchema } from "./observability.ts";
import type { LlmUsage } from "./plan.ts";
import { capabilityPolicySchema, toolApprovalPolicySchema } from "./policy.ts";
import { replayFixtureSchema } from "./replay.ts";

// Every time in a record is RFC 3339; records written elsewhere may hold other texts there, so times are not parsed.

const usageSchema: z.ZodType<LlmUsage> = z.object({
  input_tokens: number,
  output_tokens: number,
  total_duration_ms: number,
  call_count: number,
  total_cost: number,
  models: texts,
});

const stageAttemptSchema = z
  .object({
    attempt: uint,
    status: text,
    outcome: text,
    branch: optionalText,
    error: optionalText,
    verification: optionalJson,
    started_at: text,
    finished_at: optionalText,
  })
  .readonly();

const stageSchema = z
  .object({
    id: text,
    node_id: text,
    kind: text,
    status: text,
    outcome: text,
    branch: optionalText,
    started_at: text,
    finished_at: optionalText,
    visible_text: optionalText,
    private_reasoning: optionalText,
    transcript: optionalJson,
    verification: optionalJson,
    usage: usageSchema.nullable().default(null),
    artifacts: listOf(artifactSchema),
    consumed_artifact_ids: texts,
    produced_artifact_ids: texts,
    attempts: listOf(stageAttemptSchema),
    metadata: jsonMap,
  })
  .readonly();

const transitionSchema = z
  .object({
    id: text,
    from_stage_id: optionalText,
    from_node_id: optionalText,
    to_node_id: text,
    branch: optionalText,
    timestamp: text,
    consumed_artifact_ids: texts,
    produced_artifact_ids: texts,
  })
  .readonly();

const checkpointSchema = z
  .object({
    id: text,
    ready_nodes: texts,
    completed_nodes: texts,
    last_stage_id: optionalText,
    persisted_at: text,
    reason: text,
  })
  .readonly();

/** Where a run or worker executes; recorded and passed on, never acted upon by the engine (spec/workflow 1.16). */
export const runExecutionSchema = z
  .object({
    cwd: optionalText,
    source_dir: optionalText,
    env: z.record(z.string(), z.string()).readonly().default({}),
    adapter: optionalText,
    repo_path: optionalText,
    worktree_path: optionalText,
    branch: optionalText,
    base_ref: optionalText,
    cleanup: optionalText,
  })
  .readonly();

/** The audit identity under which a run changes things (spec/workflow 1.16). */
export const mutationSessionSchema = z
  .object({
    session_id: text,
    parent_session_id: optionalText,
    run_id: optionalText,
    worker_id: optionalText,
    execution_kind: optionalText,
    mutation_scope: text,
    approval_policy: toolApprovalPolicySchema.nullable().default(null),
  })
  .readonly();

const childRunSchema = z
  .object({
    worker_id: text,
    worker_name: text,
    parent_stage_id: optionalText,
    session_id: optionalText,
    parent_session_id: optionalText,
    mutation_scope: optionalText,
    approval_policy: optionalJson,
    task: text,
    request: optionalJson,
    provenance: optionalJson,
    status: text,
    started_at: text,
    finished_at: optionalText,
    run_id: optionalText,
    run_path: optionalText,
    snapshot_path: optionalText,
    execution: optionalJson,
    /** The run of the worker's newest cycle; absent while none is known. */
    cycle_run_id: text.exactOptional(),
  })
  .readonly();

const traceSpanSchema = z
  .object({
    span_id: uint,
    parent_id: optionalUint,
    kind: text,
    name: text,
    start_ms: number,
    duration_ms: number,
    metadata: jsonMap,
  })
  .readonly();

const toolCallSchema = z
  .object({
    tool_name: text,
    tool_use_id: text,
    args_hash: text,
    result: text,
    is_rejected: flag,
    duration_ms: number,
    iteration: number,
    timestamp: text,
  })
  .readonly();

const hitlQuestionSchema = z
  .object({ request_id: text, prompt: text, agent: text, trace_id: optionalText, asked_at: text })
  .readonly();

const personaRuntimeSchema = z
  .object({
    name: text,
    role: text,
    template_ref: optionalText,
    state: text,
    entry_workflow: text,
    current_assignment: optionalJson,
    queued_work: listOf(json),
    handoff_inbox: listOf(json),
    budget: optionalJson,
    value_receipts: listOf(json),
    last_run: optionalText,
    last_error: optionalText,
  })
  .readonly();

/** A whole run as it is given or stored (spec/workflow 1.16). */
export const runRecordSchema = z
  .object({
    _type: text,
    id: text,
    workflow_id: text,
    workflow_name: optionalText,
    task: text,
    status: text,
    started_at: text,
    finished_at: optionalText,
    parent_run_id: optionalText,
    root_run_id: optionalText,
    stages: listOf(stageSchema),
    transitions: listOf(transitionSchema),
    checkpoints: listOf(checkpointSchema),
    pending_nodes: texts,
    completed_nodes: texts,
    child_runs: listOf(childRunSchema),
    artifacts: listOf(artifactSchema),
    handoffs: listOf(handoffSchema),
    policy: capabilityPolicySchema.prefault({}),
    execution: runExecutionSchema.nullable().default(null),
    transcript: optionalJson,
    usage: usageSchema.nullable().default(null),
    replay_fixture: replayFixtureSchema.nullable().default(null),
    observability: runObservabilitySchema.nullable().default(null),
    trace_spans: listOf(traceSpanSchema),
    tool_recordings: listOf(toolCallSchema),
    hitl_questions: listOf(hitlQuestionSchema),
    persona_runtime: listOf(personaRuntimeSchema),
    metadata: jsonMap,
    persisted_path: optionalText,
  })
  .readonly();

/** A whole run (spec/workflow 1.16). */
export type RunRecord = z.output<typeof runRecordSchema>;

/** One execution of a node. */
export type RunStageRecord = z.output<typeof stageSchema>;

/** One attempt of a stage, counted from 1. */
export type RunStageAttemptRecord = z.output<typeof stageAttemptSchema>;

/** One edge that was followed. */
export type RunTransitionRecord = z.output<typeof transitionSchema>;

/** What was ready and what was done at a moment. */
export type RunCheckpointRecord = z.output<typeof checkpointSchema>;

/** A worker this run delegated to. */
export type RunChildRecord = z.output<typeof childRunSchema>;

/** Where a run executes. */
export type RunExecutionRecord = z.output<typeof runExecutionSchema>;

/** A recorded tool call. */
export type ToolCallRecord = z.output<typeof toolCallSchema>;

/** A question a run asked a person. */
export type RunHitlQuestionRecord = z.output<typeof hitlQuestionSchema>;

/** The audit identity under which a run changes things. */
export type MutationSessionRecord = z.output<typeof mutationSessionSchema>;

/** A given run record; the error names the first bad field (spec/workflow 0.1). */
export const decodeRunRecord = (value: unknown): Result<RunRecord, DecodeError> =>
  decodeDocument(runRecordSchema, "run_record", value);

const decodeShort = <Schema extends z.ZodType>(
  schema: Schema,
  label: string,
  value: unknown,
): Result<z.output<Schema>, DecodeError> => {
  const tooDeep = nestingIssue(value);
  const decoded = tooDeep === null ? decodeAt(schema, value) : err([tooDeep]);
  if (decoded.ok) return decoded;
  const [first] = decoded.error;
  const message = `${label} parse error: ${first?.path ?? "."}: ${first?.message ?? "invalid value"}`;
  return err({ message, issues: decoded.error });
};

/** A given execution record; the error starts with `{label} parse error: ` (spec/workflow 4.2, 11.6). */
export const decodeRunExecution = (
  value: unknown,
  label: "workflow execution" | "worker execution",
): Result<RunExecutionRecord, DecodeError> => decodeShort(runExecutionSchema, label, value);

/** A given mutation session; the error starts with `{label} parse error: ` (spec/workflow 4.2, 11.3). */
export const decodeMutationSession = (
  value: unknown,
  label: "workflow_execute: audit" | "worker audit",
): Result<MutationSessionRecord, DecodeError> => decodeShort(mutationSessionSchema, label, value);

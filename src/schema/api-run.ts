import * as z from "zod";
import { anyJson, anyObject, id, pageOf, pageQuery, time } from "./api.ts";
import { graphField } from "./api-workflow.ts";
import { workflowGraphSchema } from "./graph.ts";
import { runBudgetSchema } from "./run-budget.ts";
import { runRecordSchema } from "./record.ts";

const MAX_LEASE_MS = 86_400_000;

const status = z.enum(["running", "paused", "completed", "failed", "cancelled"]);

/** Body of `POST /v1/runs`: a stored workflow or a graph, and the task. */
export const newRunSchema = z
  .object({
    workflow_id: id.optional().describe("A workflow that was defined before; this or `graph`"),
    graph: graphField.optional(),
    version: z.int().min(1).optional().describe("A version of the workflow; the current one without it"),
    task: z.string(),
    artifacts: anyJson.optional().describe("Artifacts the run starts from"),
    options: anyObject.nullable().optional().describe("Options of the run (spec/workflow 4.4)"),
    drive: z
      .enum(["auto", "manual"])
      .default("auto")
      .describe("auto: Godwit executes the stages; manual: the caller does"),
  })
  .readonly();

/** Body of `POST /v1/runs`. */
export type NewRun = z.output<typeof newRunSchema>;

const control = z.object({
  state_id: z.string(),
  run_id: z.string(),
  status,
  ready_nodes: z.array(z.string()).readonly(),
  completed_nodes: z.array(z.string()).readonly(),
  max_steps: z.int(),
});

/** Where a run stands (spec/workflow 4.1). */
export const runControlSchema = control.readonly();

/** A run that was just prepared. */
export const createdRunSchema = control
  .extend({ graph: workflowGraphSchema.optional().describe("The normal graph, when one was given in the request") })
  .readonly();

/** Filters of `GET /v1/runs`. */
export const runQuery = pageQuery.extend({
  status: status.optional(),
  workflow_id: id.optional(),
  trigger_id: id.optional(),
  since: z.iso.datetime({ offset: true }).optional().describe("Only runs created at this moment or later"),
  q: z.string().min(1).max(200).optional().describe("Only runs whose task, workflow name or id contains this text"),
});

/** Filters of `GET /v1/runs`. */
export type RunQuery = z.output<typeof runQuery>;

/** A run in lists. */
export const runRowSchema = z
  .object({
    run_id: z.string(),
    workflow_id: z.string(),
    workflow_name: z.string().nullable(),
    trigger_id: z.string().nullable(),
    status,
    task: z.string().describe("The beginning of the task"),
    stage_count: z.int(),
    total_cost: z.number().describe("US dollars"),
    error: z.string().nullable(),
    created_at: time,
    updated_at: time,
  })
  .readonly();

/** A run in lists. */
export type RunRow = z.output<typeof runRowSchema>;

/** A page of runs, newest first. */
export const runPageSchema = pageOf(runRowSchema);

/** Which moment of a run to show. */
export const recordQuery = z.object({
  checkpoint: z.string().min(1).max(200).optional().describe("Id of a checkpoint: the record as it was then"),
});

const openUnit = z.object({ stage_id: z.string(), node_id: z.string(), attempt: z.int() }).readonly();

/** A run's record, with what the record has no place for. */
export const runViewSchema = runRecordSchema
  .unwrap()
  .extend({
    drive: z.enum(["auto", "manual"]),
    steps: z.int(),
    omitted: z
      .object({ stages: z.int(), transitions: z.int(), checkpoints: z.int(), artifacts: z.int() })
      .readonly()
      .nullable()
      .describe("How many items the lists of a long run have beyond those shown here; the pages of each list show all"),
    waiting: z
      .object({
        reason: z.enum(["external", "retry", "sleep", "message", "person", "worker", "tool_call"]),
        node_id: z.string(),
        stage_id: z.string(),
        until: time.nullable(),
      })
      .readonly()
      .nullable(),
    paused_by: z
      .string()
      .nullable()
      .describe("Why the run is paused, where a reason was given: of a person, or of a budget"),
    prepared: openUnit.nullable().describe("The stage that was prepared first of those that are open"),
    open: z.array(openUnit).readonly().describe("Stages, and branches of maps, that are under way or wait"),
  })
  .readonly();

/** A page of a part of a run's record, and whether it is to have its long texts. */
export const partQuery = pageQuery.extend({
  bodies: z
    .enum(["true", "false"])
    .optional()
    .describe("true: up to 26 MiB of texts of more than 64 KiB in their place; else up to 1 MiB of them"),
});

/** A page of a part of a run's record. */
export const partPageSchema = pageOf(anyJson);

/** The transcript of a run; null while it has none. */
export const transcriptSchema = z.object({ transcript: anyJson }).readonly();

/** What a run used. */
export const usageSchema = z
  .object({
    input_tokens: z.number(),
    output_tokens: z.number(),
    total_duration_ms: z.number(),
    call_count: z.number(),
    total_cost: z.number().describe("US dollars"),
    models: z.array(z.string()).readonly(),
  })
  .readonly();

/** Where to go on in a run's events. */
export const eventQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
  cursor: z
    .string()
    .regex(/^\d{1,15}\.\d{1,6}$/, "is not the id of an event")
    .optional()
    .describe("Id of the last event that is known"),
  after: z
    .string()
    .regex(/^\d{1,15}\.\d{1,6}$/, "is not the id of an event")
    .optional()
    .describe("The same as `cursor`"),
});

/** One event of a run. */
export const liveEventSchema = z.object({ id: z.string(), type: z.string(), at: time, data: anyObject }).readonly();

/** One event of a run. */
export type LiveEventDocument = z.output<typeof liveEventSchema>;

/** Events of a run, oldest first; `ended` when the run is over: after these only what is audited or handed on later can follow. */
export const eventPageSchema = pageOf(liveEventSchema).unwrap().extend({ ended: z.boolean() }).readonly();

/** Body of `POST .../prepare`. */
export const prepareStageSchema = z
  .object({
    options: anyObject.nullable().optional().describe("Options that are laid over the node (spec/workflow 10.5)"),
    lease_ms: z
      .int()
      .min(1_000)
      .max(MAX_LEASE_MS)
      .optional()
      .describe("How long the attempt is held without a renewal"),
  })
  .readonly();

const token = z.string().min(1).max(200);

/** Body of `POST .../complete`. */
export const completeStageSchema = z
  .object({ attempt_token: token, result: anyObject.describe("The result of the stage (spec/workflow 4.6)") })
  .readonly();

/** Body of `POST .../renew`. */
export const renewStageSchema = z.object({ attempt_token: token }).readonly();

/** Until when the attempt is held now. */
export const renewedSchema = z.object({ lease_expires_at: time }).readonly();

/** A prepared stage; which of the optional fields are there depends on its mode (spec/workflow 4.5). */
export const planSchema = z
  .object({
    kind: z.string(),
    run_id: z.string(),
    workflow_id: z.string(),
    node_id: z.string(),
    stage_id: z.string(),
    attempt: z.int(),
    attempt_token: z.string(),
    lease_expires_at: time.optional(),
    idempotency_key: z.string(),
    mode: z.enum([
      "llm",
      "agent",
      "http",
      "function",
      "command",
      "external",
      "map",
      "sleep",
      "wait",
      "subagent",
      "person",
    ]),
    timeout_ms: z.number(),
    result: z.unknown().optional().describe("Needs no execution: hand it to `complete` as it is"),
    prompt: z.string().optional(),
    system: z.string().nullable().optional(),
    run_agent_loop: z.boolean().optional(),
    run_map_stage: z
      .literal(true)
      .optional()
      .describe("A map to be executed as a whole: complete it with {result, artifacts, outcome, branch}"),
    node: z.unknown().optional(),
    artifacts: z.unknown().optional(),
    map_options: z.unknown().optional(),
    llm_options: z.unknown().optional(),
    agent_loop_options: z.unknown().optional(),
    http: z.unknown().optional().describe("The call of an http stage"),
    function: z.unknown().optional().describe("The handler of a function stage and its input"),
    checks: z.unknown().optional().describe("Texts that the result is checked for"),
    command: z.string().optional().describe("The shell command of a verify node"),
    task: z.string().optional(),
    visit: z.number().optional().describe("1 for the first time the run comes to this node"),
    script: z.unknown().optional(),
    metadata: z.unknown().optional(),
  })
  .readonly();

const edge = z.object({ from: z.string(), to: z.string(), branch: z.string().nullable() }).readonly();

/** A stage that was completed, with the edges that follow it. */
export const completedStageSchema = z
  .object({
    stage_id: z.string(),
    node_id: z.string(),
    branch: z.string().nullable(),
    consumed_artifact_ids: z.array(z.string()).readonly(),
    produced_artifact_ids: z.array(z.string()).readonly(),
    next_edges: z.array(edge).readonly(),
  })
  .readonly();

/** Body of `POST .../transitions`. */
export const transitionsSchema = z
  .object({
    stage: anyJson.optional().describe("The answer of `complete`"),
    edges: anyJson.optional().describe("The edges to follow: `next_edges` of that answer"),
  })
  .readonly();

/** Body of `POST .../advance`. */
export const advanceSchema = z
  .object({
    complete: z
      .object({ attempt_token: token, result: anyObject, node_id: id.optional() })
      .readonly()
      .nullable()
      .optional(),
    lease_ms: z.int().min(1_000).max(MAX_LEASE_MS).optional(),
  })
  .readonly();

/** One step: what was completed and what is to be executed next. */
export const advancedSchema = z
  .object({
    next: planSchema.nullable(),
    status,
    stage: completedStageSchema.optional(),
    more: z.literal(true).optional().describe("Call again at once"),
    waiting: z
      .enum([
        "external",
        "retry",
        "other_driver",
        "sleep",
        "message",
        "person",
        "worker",
        "tool_call",
        "recording",
        "finish",
      ])
      .optional(),
    recording: z
      .object({ run_id: z.string(), from: z.int() })
      .readonly()
      .optional()
      .describe("For `recording`: the stages of a recorded run that Godwit's driver reads next"),
    retry_at: time.optional().describe("When there will be something to do by itself"),
    spare: z.int().optional().describe("How many further callers would find something to execute now"),
    cancelled: z.array(z.string()).readonly().optional().describe("Attempts that are no longer wanted since this step"),
  })
  .readonly();

/** The end of a run (spec/workflow 4.9). */
export const finalizedSchema = z
  .object({
    status,
    run: runRecordSchema,
    artifacts: z.array(anyJson).readonly(),
    transcript: anyJson,
    path: z.string().nullable(),
  })
  .readonly();

const reason = z.string().max(2_000).nullable().optional().describe("For people; kept with the run");

/** Body of `POST .../pause` and `POST .../cancel`. */
export const reasonSchema = z.object({ reason }).readonly();

/** Body of `POST .../resume`. */
export const resumeSchema = z
  .object({
    max_steps: z.int().min(1).max(1_000_000).optional().describe("Steps the run may take from now on"),
    budget: runBudgetSchema.optional().describe("What the run may spend from its beginning to its end"),
    checkpoint_id: id.optional().describe("Goes on from this checkpoint as a new run; the run itself stays as it is"),
  })
  .readonly();

import * as z from "zod";
import { flag, jsonMap, listOf, number, optionalText, text, texts, uint } from "./lenient.ts";

const deliverableSchema = z.object({ id: text, text, status: text, note: optionalText }).readonly();

const taskLedgerSchema = z
  .object({
    root_task: text,
    rationale: text,
    deliverables: listOf(deliverableSchema),
    observations: texts,
    blocking_count: uint,
  })
  .readonly();

const plannerRoundSchema = z
  .object({
    stage_id: text,
    node_id: text,
    stage_kind: text,
    status: text,
    outcome: text,
    iteration_count: number,
    llm_call_count: number,
    tool_execution_count: number,
    tool_rejection_count: number,
    intervention_count: number,
    compaction_count: number,
    native_text_tool_fallback_count: number,
    native_text_tool_fallback_rejection_count: number,
    empty_completion_retry_count: number,
    tools_used: texts,
    successful_tools: texts,
    ledger_done_rejections: number,
    task_ledger: taskLedgerSchema.nullable().default(null),
    research_facts: texts,
  })
  .readonly();

const actionGraphNodeSchema = z
  .object({
    id: text,
    label: text,
    kind: text,
    status: text,
    outcome: text,
    trace_id: optionalText,
    stage_id: optionalText,
    node_id: optionalText,
    worker_id: optionalText,
    run_id: optionalText,
    run_path: optionalText,
    metadata: jsonMap,
  })
  .readonly();

const actionGraphEdgeSchema = z.object({ from_id: text, to_id: text, kind: text, label: optionalText }).readonly();

const workerLineageSchema = z
  .object({
    worker_id: text,
    worker_name: text,
    parent_stage_id: optionalText,
    task: text,
    status: text,
    session_id: optionalText,
    parent_session_id: optionalText,
    run_id: optionalText,
    run_path: optionalText,
    snapshot_path: optionalText,
  })
  .readonly();

const verificationOutcomeSchema = z
  .object({
    stage_id: text,
    node_id: text,
    status: text,
    passed: z.boolean().nullable().default(null),
    summary: optionalText,
  })
  .readonly();

const transcriptPointerSchema = z
  .object({ id: text, label: text, kind: text, location: text, path: optionalText, available: flag })
  .readonly();

const compactionEventSchema = z
  .object({
    id: text,
    transcript_id: optionalText,
    stage_id: optionalText,
    node_id: optionalText,
    mode: text,
    strategy: text,
    archived_messages: number,
    estimated_tokens_before: number,
    estimated_tokens_after: number,
    snapshot_asset_id: optionalText,
    snapshot_location: text,
    snapshot_path: optionalText,
    available: flag,
  })
  .readonly();

const daemonEventSchema = z
  .object({
    daemon_id: text,
    name: text,
    kind: text,
    timestamp: text,
    persist_path: text,
    payload_summary: optionalText,
  })
  .readonly();

/** The observability record of a run as it is stored (spec/workflow 1.18). */
export const runObservabilitySchema = z
  .object({
    schema_version: uint,
    planner_rounds: listOf(plannerRoundSchema),
    research_fact_count: uint,
    action_graph_nodes: listOf(actionGraphNodeSchema),
    action_graph_edges: listOf(actionGraphEdgeSchema),
    worker_lineage: listOf(workerLineageSchema),
    verification_outcomes: listOf(verificationOutcomeSchema),
    transcript_pointers: listOf(transcriptPointerSchema),
    compaction_events: listOf(compactionEventSchema),
    daemon_events: listOf(daemonEventSchema),
  })
  .readonly();

/** What a run looked like, for people: derived from the record, never decided upon (spec/workflow 12.2). */
export type RunObservability = z.output<typeof runObservabilitySchema>;

/** The work of one agent stage, counted. */
export type PlannerRound = z.output<typeof plannerRoundSchema>;

/** The task list an agent kept while it worked. */
export type TaskLedgerSummary = z.output<typeof taskLedgerSchema>;

/** A node of the picture of a run: the run, its trigger, its stages, its workers. */
export type ActionGraphNode = z.output<typeof actionGraphNodeSchema>;

/** An arrow of the picture of a run. */
export type ActionGraphEdge = z.output<typeof actionGraphEdgeSchema>;

/** A delegated worker of a run and where its own record is. */
export type WorkerLineage = z.output<typeof workerLineageSchema>;

/** What the verification of a stage said. */
export type VerificationOutcome = z.output<typeof verificationOutcomeSchema>;

/** Where a transcript of a run can be found. */
export type TranscriptPointer = z.output<typeof transcriptPointerSchema>;

/** One shortening of a transcript. */
export type CompactionEvent = z.output<typeof compactionEventSchema>;

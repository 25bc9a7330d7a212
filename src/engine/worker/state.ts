import type { Json, JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { ContextPolicy, WorkflowGraph, WorkflowNode } from "../../schema/graph.ts";
import type { LlmUsage } from "../../schema/plan.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import type { MutationSessionRecord } from "../../schema/record.ts";
import type { WorkerWebhook } from "./webhook.ts";
import type { RunBudget } from "../run/budget.ts";
import type { ResumeConditions } from "../../schema/resume-conditions.ts";

export type { ResumeConditions };

/** Where a worker stands (spec/workers 8.1). */
export type WorkerStatus =
  | "running"
  | "awaiting"
  | "suspended"
  | "completed"
  | "failed"
  | "cancelled"
  | "stopped"
  | "interrupted";

/** How a worker came to be, and what it executes (spec/workers 1.1). */
export type WorkerMode = "workflow" | "stage" | "sub_agent" | "delegated_stage" | "top_level_agent";

/** What a sub-agent is to do (spec/workers 1.2). */
export interface SubAgentSpec {
  readonly name: string;
  readonly task: string;
  readonly system: string | null;
  /** Options of its agent loop. */
  readonly options: JsonObject;
  readonly returns_schema: Json;
  readonly session_id: string;
  readonly parent_session_id: string | null;
}

/** What a worker executes (spec/workers 1.2). */
export type WorkerConfig =
  | {
      readonly mode: "workflow";
      readonly graph: WorkflowGraph;
      readonly artifacts: readonly ArtifactRecord[];
      readonly options: JsonObject;
    }
  | {
      readonly mode: "stage";
      readonly node: WorkflowNode;
      readonly artifacts: readonly ArtifactRecord[];
      /** null for none. */
      readonly transcript: Json;
    }
  | { readonly mode: "sub_agent"; readonly spec: SubAgentSpec };

/** What a worker takes from one cycle into the next (spec/workers 4). */
export interface WorkerCarryPolicy {
  /** Only `none` is special. */
  readonly artifact_mode: string;
  /** `inherit`, `fork`, `reset` or `compact`; anything else only in snapshots from elsewhere. */
  readonly transcript_mode: string;
  readonly context_policy: ContextPolicy;
  readonly resume_workflow: boolean;
  readonly persist_state: boolean;
  readonly retriggerable: boolean;
  /** The ceiling of everything the worker does; null for none. */
  readonly policy: CapabilityPolicy | null;
}

/** A working tree of git for a worker (spec/workers 5). */
export interface WorkerWorktree {
  readonly repo: string;
  readonly path: string | null;
  readonly branch: string | null;
  readonly base_ref: string | null;
  readonly cleanup: string | null;
}

/** Where the commands of a worker run (spec/workers 5). */
export interface WorkerExecution {
  readonly cwd: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly worktree: WorkerWorktree | null;
}

/** What was asked for when the worker was made; it never changes (spec/workers 6). */
export interface WorkerRequest {
  readonly task: string;
  readonly system: string | null;
  readonly payload: Json;
  readonly research_questions: readonly Json[];
  readonly action_items: readonly Json[];
  readonly workflow_stages: readonly Json[];
  readonly verification_steps: readonly Json[];
}

/** Who asked for a suspension (spec/workers 17.1). */
export type SuspendInitiator = "self" | "parent" | "operator" | "triggered";

/** Who resumed (spec/workers 17.5, 20). */
export type ResumeInitiator = "parent" | "operator" | "triggered" | "drain_agent" | "timeout";

/** A link to a span of a trace (spec/workers 19). */
export interface SpanLink {
  readonly trace_id: string;
  readonly span_id: string;
  readonly attributes: JsonObject;
}

/** Why and since when a worker is suspended (spec/workers 17.1). */
export interface WorkerSuspension {
  readonly reason: string;
  readonly initiator: SuspendInitiator;
  /** RFC 3339. */
  readonly suspended_at: string;
  readonly snapshot_ref: string;
  readonly prior_span_link: SpanLink | null;
  readonly pipeline_span_link: SpanLink | null;
  readonly suspended_at_turn: number | null;
  readonly conditions: ResumeConditions | null;
  readonly auto_resume_trigger: { readonly id: string; readonly version: number } | null;
  /** When the work that was under way had come to rest; null until then (spec/workers 32.4). RFC 3339. */
  readonly quiesced_at: string | null;
}

/**
 * What is set up outside a worker so that something wakes it: it is known from the moment it is ordered until it is known to be
 * gone (spec/workers 18.2).
 */
export interface WorkerListener {
  /** The id of the trigger, where one is asked for. */
  readonly id: string;
  /** The suspension it belongs to. */
  readonly suspended_at: string;
  readonly conditions: ResumeConditions;
  readonly state: "ordered" | "listening" | "failed" | "leaving";
  /** Why it could not be set up; only of one that failed. */
  readonly problem?: string;
}

/** What reached a suspended worker before it had come to rest. */
export interface HeardEvent {
  readonly input: Json;
  readonly trigger_event: Json;
}

/** The stage that waits for a delegated worker. */
export interface ParentStage {
  readonly run_id: string;
  readonly stage_id: string;
  readonly node_id: string;
  readonly attempt_token: string;
  /** What the worker may spend: what the run had left; absent for no bound. */
  readonly budget?: RunBudget;
  /** The call of its agent that the worker answers; absent where it carries out the stage itself. */
  readonly call_id?: string;
}

/** The run that carries out the current cycle. */
export interface CycleRun {
  readonly run_id: string;
  /** Whether the run is known to exist: its cycle has begun. */
  readonly begun: boolean;
  /** A run that was paused with the worker, and goes on with it. */
  readonly paused: boolean;
  /** What the run came to while its worker was suspended; absent where it did not end then. */
  readonly ended?: "completed" | "failed" | "cancelled";
}

/**
 * A delegated worker (spec/workers 1.1). Times are RFC 3339.
 *
 * `cycle` counts the times it was set to work: by its spawn, an input, a trigger, a resumption that begins anew. What comes from an earlier
 * cycle changes nothing any more.
 */
export interface Worker {
  readonly tenant: string;
  readonly id: string;
  readonly name: string;
  /** The current task. */
  readonly task: string;
  readonly status: WorkerStatus;
  readonly created_at: string;
  readonly started_at: string;
  readonly finished_at: string | null;
  readonly awaiting_started_at: string | null;
  readonly mode: WorkerMode;
  /** Every task ever given, in order. */
  readonly history: readonly string[];
  readonly config: WorkerConfig;
  readonly request: WorkerRequest;
  readonly latest_payload: Json;
  readonly latest_error: string | null;
  /** null for none. */
  readonly transcript: Json;
  readonly artifacts: readonly ArtifactRecord[];
  readonly parent_worker_id: string | null;
  readonly parent_stage_id: string | null;
  readonly child_run_id: string | null;
  readonly child_run_path: string | null;
  readonly carry_policy: WorkerCarryPolicy;
  readonly execution: WorkerExecution;
  readonly snapshot_path: string;
  readonly audit: MutationSessionRecord;
  readonly suspension: WorkerSuspension | null;
  readonly cycle: number;
  readonly run: CycleRun | null;
  /** The stage that gets the result; null for a worker that nobody waits for in a graph. */
  readonly parent: ParentStage | null;
  /** That stage has been told. */
  readonly parent_told?: true;
  /** Where its public events are sent; absent for nowhere. */
  readonly webhook?: WorkerWebhook;
  /** What the runs of its cycles have used; absent where no model was called. */
  readonly usage?: LlmUsage;
  /** Digest of the request that made it; absent for a worker taken over from a snapshot. */
  readonly request_digest?: string;
  /** When a condition of the suspension wakes it, in milliseconds; null for never. */
  readonly resume_at_ms: number | null;
  /** Workers that this one started, by id, in order. */
  readonly children: readonly string[];
  /** Absent where nothing listens for it. */
  readonly listeners?: readonly WorkerListener[];
  /** What wakes it as soon as it has come to rest. */
  readonly heard?: HeardEvent;
}

/** The state of a worker id; null before it is spawned or restored. */
export type WorkerState = Worker | null;

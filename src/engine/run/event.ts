import type { Json, JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowGraph } from "../../schema/graph.ts";
import type { LlmUsage, StageMode } from "../../schema/plan.ts";
import type { ToolApprovalPolicy } from "../../schema/policy.ts";
import type { RunRecord, RunStageAttemptRecord, ToolCallRecord as RunToolCallRecord } from "../../schema/record.ts";
import type { PendingToolCall, ToolApproval, ToolCallRecord } from "../../schema/agent-step.ts";
import type { AskedSuspension } from "../../schema/resume-conditions.ts";
import type { SessionSeed } from "../transcript/session-seed.ts";
import type { SessionCompacted, SessionEvent } from "../transcript/session-event.ts";
import type { ContractAssets } from "../verification/contracts.ts";
import type { FinishingEvent } from "../finish/finishing.ts";
import type { OnFinish } from "../finish/state.ts";
import type { LifecycleEvent } from "../finish/command.ts";
import type { RunReplay } from "../replay/next-stage.ts";
import type { HitlEvent } from "../hitl/state.ts";
import type { PlacedUpdate } from "../worker/updates.ts";
import type { RunBudget } from "./budget.ts";
import type { CycleOf, DriveMode, FollowedEdge, ForkedAt, Holder, ReportTo, StageWork } from "./state.ts";

/** Fields every event of a run carries: its shape's version and its moment (RFC 3339). */
interface Stamped {
  readonly v: 1;
  readonly at: string;
}

/**
 * An artifact in the journal. A stage's output (`from_result`) is kept as what its stage does not say already: title,
 * source, stage, text, data, lineage, time and freshness follow from the stage (spec/workflow 8.5).
 */
export type JournaledArtifact =
  | ArtifactRecord
  | (Pick<ArtifactRecord, "id" | "kind" | "priority" | "estimated_tokens"> & {
      readonly from_result: true;
      /** What its metadata has beyond the input ids and the node's kind. */
      readonly metadata?: ArtifactRecord["metadata"];
    });

export interface RunCreated extends Stamped {
  readonly type: "run_created";
  readonly tenant: string;
  readonly run_id: string;
  readonly state_id: string;
  readonly drive: DriveMode;
  readonly graph: WorkflowGraph;
  readonly task: string;
  readonly artifacts: readonly ArtifactRecord[];
  readonly options: JsonObject;
  /** Approval rules of the run itself; absent for none. */
  readonly approval_policy?: ToolApprovalPolicy;
  /** The texts of the assets that verification contracts name, as they were when the run was created. */
  readonly assets?: ContractAssets;
  /** Who learns how the run ends. */
  readonly report_to?: ReportTo;
  /** Conversations that the run begins with; absent for none. */
  readonly sessions?: readonly SessionSeed[];
  readonly max_steps: number;
  /** Absent for one stage at a time. */
  readonly max_parallel?: number;
  /** What the run may spend before it pauses; absent for no bound. */
  readonly budget?: RunBudget;
  /** When the run fails for taking too long; absent for never. */
  readonly deadline_ms?: number;
  /** What is done at its end; absent for nothing. */
  readonly on_finish?: OnFinish;
  readonly transcript: Json;
  readonly trigger_event: Json;
  /** What the record shows beyond the fields above. */
  readonly record: Pick<
    RunRecord,
    "parent_run_id" | "root_run_id" | "execution" | "metadata" | "persisted_path" | "policy"
  >;
  /** The record this run continues (spec/workflow 4.10); null for a new run. */
  readonly resumed_from: RunRecord | null;
  /** Set for a fork: it goes on exactly where the record stands, also where nothing is ready any more. */
  readonly fork?: ForkedAt;
  /** The recording to follow; absent for a run that executes its stages. */
  readonly replay?: RunReplay;
}

export interface CheckpointTaken extends Stamped {
  readonly type: "checkpoint_taken";
  readonly checkpoint_id: string;
  readonly reason: "start" | "stage_complete" | "finalize";
  readonly last_stage_id: string | null;
}

export interface StagePrepared extends Stamped {
  readonly type: "stage_prepared";
  readonly stage_id: string;
  readonly node_id: string;
  readonly kind: string;
  readonly mode: StageMode;
  /** Only for stages that talk to a model. */
  readonly session_id?: string;
  /** The session is the stage's own and ends with it. */
  readonly own_session?: true;
  /** Run options laid over the node; absent for none. */
  readonly options?: JsonObject;
  readonly selected_artifact_ids: readonly string[];
  readonly work: StageWork;
  readonly attempt: number;
  readonly attempt_token: string;
  readonly holder: Holder;
  readonly lease_ms: number;
  readonly granted_by: string | null;
  /** When a stage that waits ends by itself; absent for never. */
  readonly deadline_ms?: number;
  /** The stage was open where this fork begins: its step is counted, and it is not taken from the queue. */
  readonly reopened?: true;
  /** The ready list as the caller gave it; absent when the node was simply taken from the run's own. */
  readonly ready?: readonly string[];
}

/** An agent loop recorded a step: a turn of its model, an answer of a tool, or a compaction. */
export interface AgentStepRecorded extends Stamped {
  readonly type: "agent_step_recorded";
  readonly stage_id: string;
  readonly iteration: number;
  readonly messages?: readonly JsonObject[];
  readonly tool_call?: ToolCallRecord;
  readonly usage?: LlmUsage;
  readonly compaction?: Omit<SessionCompacted, "type" | "session_id">;
}

/** An agent loop has to wait for somebody: its attempt has ended in order. */
export interface StageParked extends Stamped {
  readonly type: "stage_parked";
  readonly stage_id: string;
  readonly record: RunStageAttemptRecord;
  readonly pending: readonly PendingToolCall[];
  readonly handed_in: JsonObject;
}

/** A call that an agent loop waits for was answered. */
export interface CallAnswered extends Stamped {
  readonly type: "call_answered";
  readonly stage_id: string;
  readonly call_id: string;
  /** The client's result, as the conversation keeps it. */
  readonly message?: JsonObject;
  readonly tool_call?: ToolCallRecord;
  readonly approval?: ToolApproval;
  /** What the worker that answered has used. */
  readonly usage?: LlmUsage;
}

/** A branch of a map was prepared: a stage of its own for everything but the record (spec/workflow 6.6). */
export interface BranchPrepared extends Stamped {
  readonly type: "branch_prepared";
  /** The branch's own id; `map_stage_id` is that of the map. */
  readonly stage_id: string;
  readonly map_stage_id: string;
  readonly index: number;
  /** Id of the artifact that carries a value into the branch; absent where the item is an artifact. */
  readonly input_id?: string;
  readonly mode: StageMode;
  readonly session_id?: string;
  readonly own_session?: true;
  readonly work: StageWork;
  readonly attempt_token: string;
  readonly holder: Holder;
  readonly lease_ms: number;
  readonly granted_by: string | null;
}

/** A branch of a map ended; this is never undone, so that a crash repeats no finished branch. */
export interface BranchSettled extends Stamped {
  readonly type: "branch_settled";
  readonly stage_id: string;
  readonly map_stage_id: string;
  readonly index: number;
  readonly status: "completed" | "failed";
  readonly branch: string | null;
  readonly result: JsonObject;
  readonly artifacts: readonly JournaledArtifact[];
  readonly usage: LlmUsage | null;
  readonly error: string | null;
  readonly handed_in?: JsonObject;
}

export interface AttemptStarted extends Stamped {
  readonly type: "attempt_started";
  readonly stage_id: string;
  readonly attempt: number;
  readonly attempt_token: string;
  readonly holder: Holder;
  readonly lease_ms: number;
  /** The options of the stage, where its new holder narrowed its policies. */
  readonly options?: JsonObject;
}

/** A driver left its attempt to another one; the new token keeps a second copy of its message from doing the same. */
export interface AttemptHandedOver extends Stamped {
  readonly type: "attempt_handed_over";
  readonly stage_id: string;
  readonly attempt: number;
  readonly attempt_token: string;
}

export interface AttemptEnded extends Stamped {
  readonly type: "attempt_ended";
  readonly stage_id: string;
  readonly reason: "lease_expired" | "failed" | "suspended";
  readonly record: RunStageAttemptRecord;
  readonly retry_at_ms: number;
}

export interface StageCompleted extends Stamped {
  readonly type: "stage_completed";
  readonly stage_id: string;
  readonly node_id: string;
  readonly status: "completed" | "failed";
  readonly outcome: string;
  readonly branch: string | null;
  readonly result: JsonObject;
  readonly artifacts: readonly JournaledArtifact[];
  readonly verification: Json;
  readonly usage: LlmUsage | null;
  readonly error: string | null;
  readonly transcript?: Json;
  /** The session that is the stage's transcript, and what of it may be shown. */
  readonly transcript_from?: { readonly session_id: string; readonly visibility: string | null };
  /** A stage that was prepared earlier is still open: the record waits for `stage_retired`. */
  readonly deferred?: true;
  /** The result's lists of branches and the artifacts follow from the branches that have settled. */
  readonly from_branches?: true;
  /** The attempts of a replayed stage, as they were recorded. */
  readonly attempts?: readonly RunStageAttemptRecord[];
  /** The tool calls of a replayed stage, which makes none itself. */
  readonly tool_recordings?: readonly RunToolCallRecord[];
  /** What was handed in, where the result is something else: of a failed call, or of a stage that was precomputed. */
  readonly handed_in?: JsonObject;
}

/** A stage that was completed before its turn is recorded now. */
export interface StageRetired extends Stamped {
  readonly type: "stage_retired";
  readonly stage_id: string;
}

export interface TransitionsRecorded extends Stamped {
  readonly type: "transitions_recorded";
  readonly stage_id: string;
  readonly from_node_id: string;
  /** Where the edges that were followed lead, with their own branch, in the order of the graph. */
  readonly edges: readonly Omit<FollowedEdge, "from">[];
  readonly transition_ids: readonly string[];
  /** The ids of a stage that a caller handed in; absent for the stage that was completed last. */
  readonly given?: {
    readonly consumed_artifact_ids: readonly string[];
    readonly produced_artifact_ids: readonly string[];
  };
  readonly ready?: readonly string[];
}

/** A stage that waited for a message was given one; its completion follows. */
export interface MessageHeard extends Stamped {
  readonly type: "message_heard";
  readonly stage_id: string;
  readonly seq: number;
}

/** Something happened to what people are asked; each is a line of the audit (spec/workers 24.1). */
export interface RequestRecorded extends Stamped {
  readonly type: "request_recorded";
  readonly stage_id: string;
  readonly request_id: string;
  readonly record: HitlEvent;
}

/** A public event of a worker that a stage of the run was given to (spec/workers 13.2). */
export interface WorkerHeard extends Stamped {
  readonly type: "worker_update";
  readonly stage_id: string;
  readonly update: PlacedUpdate;
}

/** A join that was not ready went to the end of the queue. */
export interface NodeRequeued extends Stamped {
  readonly type: "node_requeued";
  readonly node_id: string;
}

export interface RunFinalized extends Stamped {
  readonly type: "run_finalized";
  readonly status: "completed" | "paused";
  readonly ready?: readonly string[];
}

export interface RunPaused extends Stamped {
  readonly type: "run_paused";
  readonly reason: string | null;
  /** For its worker: attempts under way end behind their next recorded step. */
  readonly suspend?: true;
  /** The cycle of its worker that is suspended. */
  readonly cycle?: CycleOf;
  /** What its agent asked for that parked the worker itself. */
  readonly asked?: AskedSuspension;
}

export interface RunResumed extends Stamped {
  readonly type: "run_resumed";
  /** The cycle of its worker from now on. */
  readonly cycle?: CycleOf;
  /** What there is to do from now on; absent where that stays. */
  readonly task?: string;
  /** Set when the run had used up its steps: counting starts again. */
  readonly max_steps: number | null;
  /** The budget from here on; absent when it stays as it was. */
  readonly budget?: RunBudget;
}

export interface RunCancelled extends Stamped {
  readonly type: "run_cancelled";
  readonly reason: string | null;
}

/** An operation of the run raised: it is stored as failed with the error. */
export interface RunFailed extends Stamped {
  readonly type: "run_failed";
  readonly error: string;
}

/** Everything that can happen to a run. */
export type RunEvent =
  | RunCreated
  | CheckpointTaken
  | StagePrepared
  | AttemptStarted
  | AttemptHandedOver
  | AttemptEnded
  | AgentStepRecorded
  | StageParked
  | CallAnswered
  | BranchPrepared
  | BranchSettled
  | StageCompleted
  | StageRetired
  | TransitionsRecorded
  | MessageHeard
  | RequestRecorded
  | WorkerHeard
  | NodeRequeued
  | RunFinalized
  | RunPaused
  | RunResumed
  | RunCancelled
  | RunFailed
  | (Stamped & LifecycleEvent)
  | (Stamped & FinishingEvent)
  | (Stamped & SessionEvent);

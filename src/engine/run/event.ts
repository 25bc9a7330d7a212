import type { Json, JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowGraph } from "../../schema/graph.ts";
import type { LlmUsage, StageMode } from "../../schema/plan.ts";
import type { RunRecord, RunStageAttemptRecord } from "../../schema/record.ts";
import type { RunReplay } from "../replay/next-stage.ts";
import type { DriveMode, FollowedEdge, Holder, StageWork } from "./state.ts";

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
  readonly max_steps: number;
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
  readonly fork?: { readonly steps: number };
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
  /** Run options laid over the node; absent for none. */
  readonly options?: JsonObject;
  readonly selected_artifact_ids: readonly string[];
  readonly work: StageWork;
  readonly attempt: number;
  readonly attempt_token: string;
  readonly holder: Holder;
  readonly lease_ms: number;
  readonly granted_by: string | null;
  /** The ready list as the caller gave it; absent when the node was simply taken from the run's own. */
  readonly ready?: readonly string[];
}

export interface AttemptStarted extends Stamped {
  readonly type: "attempt_started";
  readonly attempt: number;
  readonly attempt_token: string;
  readonly holder: Holder;
  readonly lease_ms: number;
}

/** A driver left its attempt to another one; the new token keeps a second copy of its message from doing the same. */
export interface AttemptHandedOver extends Stamped {
  readonly type: "attempt_handed_over";
  readonly attempt: number;
  readonly attempt_token: string;
}

export interface AttemptEnded extends Stamped {
  readonly type: "attempt_ended";
  readonly reason: "lease_expired" | "failed";
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
  /** The attempts of a replayed stage, as they were recorded. */
  readonly attempts?: readonly RunStageAttemptRecord[];
  /** What was handed in, where the result is something else: of a failed call, or of a stage that was precomputed. */
  readonly handed_in?: JsonObject;
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
}

export interface RunResumed extends Stamped {
  readonly type: "run_resumed";
  /** Set when the run had used up its steps: counting starts again. */
  readonly max_steps: number | null;
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
  | StageCompleted
  | TransitionsRecorded
  | NodeRequeued
  | RunFinalized
  | RunPaused
  | RunResumed
  | RunCancelled
  | RunFailed;

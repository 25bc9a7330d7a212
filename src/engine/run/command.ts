import type { Json, JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { DecodedGraph, WorkflowGraph } from "../../schema/graph.ts";
import type { StagePlan } from "../../schema/plan.ts";
import type { MutationSessionRecord, RunExecutionRecord, RunRecord } from "../../schema/record.ts";
import type { RecordedPage, Recording } from "../replay/next-stage.ts";
import type { Completion, DriveMode, FollowedEdge, Run, RunStatus } from "./state.ts";

/** The options of a new run after decoding (spec/workflow 4.4); raw keeps the node overrides and what is only recorded. */
export interface RunOptions {
  readonly raw: JsonObject;
  readonly max_steps?: number;
  readonly persist_path?: string;
  readonly parent_run_id?: string;
  readonly root_run_id?: string;
  readonly parent_worker_id?: string;
  readonly parent_stage_id?: string;
  readonly delegated?: boolean;
  readonly replay_mode?: string;
  readonly mutation_scope?: string;
  readonly approval_policy?: Json;
  readonly audit?: Partial<MutationSessionRecord>;
  readonly execution?: RunExecutionRecord;
  readonly trigger_event?: JsonObject;
  readonly replay_of_event_id?: string;
  readonly transcript?: Json;
  readonly resume_run?: RunRecord;
  readonly replay_run?: RunRecord;
  /** The run whose recorded stages a replay is given page by page, in place of `replay_run`. */
  readonly replay_source?: string;
  /** With `resume_run`: goes on exactly where the record stands, its steps counted from here. */
  readonly fork?: { readonly steps: number };
}

export interface CreateRun {
  readonly type: "create_run";
  readonly tenant: string;
  /** Chosen by the caller so that the run's object can be found; a resumed record keeps its own. */
  readonly run_id: string;
  readonly task: string;
  readonly graph: DecodedGraph;
  readonly artifacts: readonly ArtifactRecord[];
  readonly options: RunOptions;
  readonly drive: DriveMode;
  /** Prepares the first stage in the same commit, for a driver that goes on at once. */
  readonly start?: boolean;
}

export interface PrepareStage {
  readonly type: "prepare_stage";
  readonly node_id: string;
  readonly options?: JsonObject;
  /** The driver's queue (spec/workflow 4.1); without it the run's own list rules and the node must be in it. */
  readonly ready?: readonly string[];
  readonly lease_ms?: number;
  /** Whether the holder of the current attempt may still be alive; the shell knows. */
  readonly lease_is_live: boolean;
}

export interface CompleteStage {
  readonly type: "complete_stage";
  readonly node_id: string;
  /** The token of the attempt; null only where the caller is the run's single driver in the same process. */
  readonly attempt_token: string | null;
  readonly result: JsonObject;
}

export interface RecordTransitions {
  readonly type: "record_transitions";
  readonly stage: Omit<Completion, "handed_in">;
  readonly edges: readonly FollowedEdge[];
  readonly ready?: readonly string[];
}

export interface FinalizeRun {
  readonly type: "finalize_run";
  readonly ready?: readonly string[];
}

/** Completes the current stage if told so, records its transitions, and prepares the next one: one commit. */
export interface Advance {
  readonly type: "advance";
  readonly complete?: { readonly attempt_token: string; readonly result: JsonObject; readonly node_id?: string };
  /** The token of the current attempt, handed from one driver to the next: its plan is given out under a new token. */
  readonly adopt?: string;
  /** Answers with the completed stage too; a driver has no use for it. */
  readonly report?: boolean;
  /** Stages of the recording that the run's replay asked for (spec/workflow 12.5). */
  readonly recorded?: RecordedPage;
  readonly holder?: "driver" | "caller";
  readonly lease_ms?: number;
  readonly lease_is_live: boolean;
}

export type ControlRun =
  | { readonly type: "pause_run"; readonly reason?: string }
  | { readonly type: "resume_run"; readonly max_steps?: number }
  | { readonly type: "cancel_run"; readonly reason?: string };

/** The watchdog looks whether somebody still drives the run. */
export interface Wake {
  readonly type: "wake";
  readonly lease_is_live: boolean;
}

/** Everything a run can be told. */
export type RunCommand =
  | CreateRun
  | PrepareStage
  | CompleteStage
  | RecordTransitions
  | FinalizeRun
  | Advance
  | ControlRun
  | Wake;

/** The control part of an answer (spec/workflow 4.1). */
export interface RunControl {
  readonly state_id: string;
  readonly run_id: string;
  readonly status: RunStatus;
  readonly ready_nodes: readonly string[];
  readonly completed_nodes: readonly string[];
  readonly max_steps: number;
  readonly graph?: WorkflowGraph;
}

/** A stage that was completed, with the edges that follow it. */
export interface CompletedReply extends Omit<Completion, "handed_in"> {
  readonly next_edges: readonly FollowedEdge[];
}

/** Answer of `advance`. `next` is null when there is nothing to execute now. */
export interface AdvanceReply {
  readonly next: StagePlan | null;
  readonly status: RunStatus;
  readonly stage?: CompletedReply;
  /** More static nodes than one command walks: call again at once. */
  readonly more?: true;
  /** Why there is nothing to execute although the run goes on. */
  readonly waiting?: "external" | "retry" | "other_driver" | "recording";
  /** For `recording`: the stages a replay needs to go on; hand them in with the next step. */
  readonly recording?: Recording;
  /** For `retry`: when the next attempt may start. */
  readonly retry_at?: string;
}

export type RunReply =
  | { readonly type: "control"; readonly control: RunControl }
  | { readonly type: "created"; readonly control: RunControl; readonly advance: AdvanceReply | null }
  | { readonly type: "plan"; readonly plan: StagePlan }
  | { readonly type: "completed"; readonly stage: CompletedReply; readonly control: RunControl }
  | { readonly type: "advance"; readonly advance: AdvanceReply }
  /** The operation raised: the run was stored as failed, and this is the error. */
  | { readonly type: "raised"; readonly code: string; readonly detail: string };

/** Orders of a run to the outside. */
export type RunEffect =
  /** Somebody must drive the run. */
  | { readonly type: "drive"; readonly run_id: string }
  /** The list of runs shows another state. */
  | { readonly type: "index_run"; readonly row: RunIndexRow };

/** A run in lists. */
export interface RunIndexRow {
  readonly run_id: string;
  readonly workflow_id: string;
  readonly workflow_name: string | null;
  readonly trigger_id: string | null;
  readonly status: RunStatus;
  readonly task: string;
  readonly stage_count: number;
  readonly total_cost: number;
  readonly error: string | null;
  readonly created_at: string;
  readonly updated_at: string;
}

/** The control part of an answer for a run. */
export const controlOf = (run: Run): RunControl => ({
  state_id: run.state_id,
  run_id: run.run_id,
  status: run.status,
  ready_nodes: run.ready,
  completed_nodes: run.completed.keys(),
  max_steps: run.max_steps,
});

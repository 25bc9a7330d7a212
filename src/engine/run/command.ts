import type { Json, JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { DecodedGraph, WorkflowGraph } from "../../schema/graph.ts";
import type { LlmUsage, StagePlan } from "../../schema/plan.ts";
import type { CapabilityPolicy, ToolApprovalPolicy } from "../../schema/policy.ts";
import type { MutationSessionRecord, RunExecutionRecord, RunRecord } from "../../schema/record.ts";
import type { AgentStep, ToolAnswer } from "../../schema/agent-step.ts";
import type { AskedSuspension } from "../../schema/resume-conditions.ts";
import type { SessionCommand, SessionReply } from "../transcript/command.ts";
import type { SessionSeed } from "../transcript/session-seed.ts";
import type { HitlResponse } from "../hitl/response.ts";
import type { RunBudget } from "./budget.ts";
import type { RequestIndexRow, RequestView } from "./request-view.ts";
import type { Message } from "../mailbox/state.ts";
import type { PlacedUpdate } from "../worker/updates.ts";
import type { ContractAssets } from "../verification/contracts.ts";
import type { LifecycleOutcome, LifecycleRequest } from "../finish/command.ts";
import type { FinishCommand } from "../finish/finishing.ts";
import type { Finishing, OnFinish } from "../finish/state.ts";
import type { JobRequest } from "../work-queue/job.ts";
import type { RecordedPage, Recording } from "../replay/next-stage.ts";
import type { Completion, CycleOf, DriveMode, FollowedEdge, ForkedAt, ReportTo, Run, RunStatus } from "./state.ts";

/** The options of a new run after decoding (spec/workflow 4.4); raw keeps the node overrides and what is only recorded. */
export interface RunOptions {
  readonly raw: JsonObject;
  readonly max_steps?: number;
  /** How many stages may be under way at a time; 1 unless given. */
  readonly max_parallel?: number;
  /** What the run may spend before it pauses. */
  readonly budget?: RunBudget;
  /** When the run fails for taking too long: a moment (RFC 3339), or milliseconds from its creation. */
  readonly deadline?: string | number;
  /** What is done when its queue is empty, before it ends (spec/workers 21.1). */
  readonly on_finish?: OnFinish;
  readonly persist_path?: string;
  readonly parent_run_id?: string;
  readonly root_run_id?: string;
  readonly parent_worker_id?: string;
  readonly parent_stage_id?: string;
  readonly delegated?: boolean;
  readonly replay_mode?: string;
  readonly mutation_scope?: string;
  readonly capability_policy?: CapabilityPolicy;
  readonly approval_policy?: ToolApprovalPolicy;
  readonly audit?: Partial<MutationSessionRecord>;
  readonly execution?: RunExecutionRecord;
  readonly trigger_event?: JsonObject;
  readonly replay_of_event_id?: string;
  readonly transcript?: Json;
  readonly resume_run?: RunRecord;
  readonly replay_run?: RunRecord;
  /** The run whose recorded stages a replay is given page by page, in place of `replay_run`. */
  readonly replay_source?: string;
  /** The replay is of the same graph as its source: it follows the recorded queue too. */
  readonly replay_exact?: true;
  /** With `resume_run`: goes on exactly where the record stands, its steps counted from here. */
  readonly fork?: ForkedAt;
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
  /** The texts of the assets that verification contracts name (spec/workflow 7.2). */
  readonly assets?: ContractAssets;
  /** Who learns how the run ends. */
  readonly report_to?: ReportTo;
  /** Conversations that the run begins with. */
  readonly sessions?: readonly SessionSeed[];
  readonly drive: DriveMode;
  /** Goes on in the object of the run whose record is `options.resume_run`, for a later cycle of its worker. */
  readonly continues?: true;
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
  /** Attempts whose holder may still be alive; the shell knows. */
  readonly live_attempts: readonly string[];
}

export interface CompleteStage {
  readonly type: "complete_stage";
  readonly node_id: string;
  /** The token of the attempt; null only where the caller is the run's single driver in the same process. */
  readonly attempt_token: string | null;
  readonly result: JsonObject;
  /** What is new of the worker that reports. */
  readonly news?: WorkerNews;
}

/** Public events of a worker that a stage was given to, in order; those that are known already change nothing. */
export interface WorkerNews {
  readonly stage_id: string;
  readonly updates: readonly PlacedUpdate[];
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
  readonly live_attempts: readonly string[];
}

export type ControlRun =
  /** `suspend`: attempts under way end behind their next recorded step, and the worker learns when all have. */
  | { readonly type: "pause_run"; readonly reason?: string; readonly suspend?: true; readonly cycle?: CycleOf }
  /** `only_if_paused_by`: a run that was paused for another reason stays as it is. */
  | {
      readonly type: "resume_run";
      readonly max_steps?: number;
      readonly budget?: RunBudget;
      readonly only_if_paused_by?: string;
      /** The cycle of its worker that the run carries out from now on, and what its agents hear first. */
      readonly cycle?: CycleOf;
      /** Takes the place of the run's task for stages to come. */
      readonly task?: string;
      readonly speech?: readonly JsonObject[];
      /** Takes the place of what was said so far; null for nothing, absent where it stays (spec/workers 17.5). */
      readonly digest?: string | null;
    }
  | { readonly type: "cancel_run"; readonly reason?: string };

/** A message of the run's mailbox for a stage that waits for one. */
export interface Hear {
  readonly type: "hear";
  readonly stage_id: string;
  readonly message: Message;
}

/** A step of an agent loop; `number` counts the steps of its stage, so that a repetition is known. */
export interface NumberedStep {
  readonly attempt_token: string;
  readonly number: number;
  readonly step: AgentStep;
}

/** An agent loop tells what it has done. */
export interface RecordStep extends NumberedStep {
  readonly type: "record_step";
}

/** Answers a call that an agent loop waits for. */
export interface AnswerCall {
  readonly type: "answer_call";
  readonly call_id: string;
  /** Where two stages wait for calls of the same id. */
  readonly stage_id?: string;
  /** The worker that answers; absent for anybody else. */
  readonly worker_id?: string;
  readonly answer: ToolAnswer;
  /** What answering has cost; it counts as used by the stage. */
  readonly usage?: LlmUsage;
}

/** A person answers what a stage asks; `misfit` says what the question's schema has against the answer (spec/workers 24.5). */
export interface AnswerRequest {
  readonly type: "answer_request";
  readonly response: Omit<HitlResponse, "responded_at">;
  readonly misfit?: string | null;
}

/** The watchdog looks whether somebody still drives the run. */
export interface Wake {
  readonly type: "wake";
  readonly live_attempts: readonly string[];
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
  | Hear
  /** A worker that a stage was given to tells what is new (spec/workers 13.2). */
  | ({ readonly type: "hear_worker" } & WorkerNews)
  | RecordStep
  | AnswerCall
  | AnswerRequest
  | SessionCommand
  | LifecycleRequest
  | FinishCommand
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

/** Why there is nothing to execute although a run goes on. */
export type WaitingFor =
  | "external"
  | "retry"
  | "other_driver"
  | "sleep"
  | "message"
  | "person"
  | "worker"
  | "tool_call"
  | "recording"
  | "finish";

/** Answer of `advance`. `next` is null when there is nothing to execute now. */
export interface AdvanceReply {
  readonly next: StagePlan | null;
  readonly status: RunStatus;
  readonly stage?: CompletedReply;
  /** More static nodes than one command walks: call again at once. */
  readonly more?: true;
  /** Why there is nothing to execute although the run goes on. */
  readonly waiting?: WaitingFor;
  /** For `recording`: the stages a replay needs to go on; hand them in with the next step. */
  readonly recording?: Recording;
  /** When there will be something to do without anybody's doing: the next attempt, or the end of a wait. */
  readonly retry_at?: string;
  /** How many further drivers would find something to start now; absent for none. */
  readonly spare?: number;
  /** Attempts that are no longer wanted since this step. */
  readonly cancelled?: readonly string[];
}

export type RunReply =
  | { readonly type: "control"; readonly control: RunControl }
  | { readonly type: "created"; readonly control: RunControl; readonly advance: AdvanceReply | null }
  | { readonly type: "plan"; readonly plan: StagePlan }
  | { readonly type: "completed"; readonly stage: CompletedReply; readonly control: RunControl }
  | { readonly type: "advance"; readonly advance: AdvanceReply }
  /** Whether the holder of the attempt goes on; the step is recorded either way. */
  | { readonly type: "step"; readonly goes_on: boolean }
  /** Whether the stage takes the message; one that no longer waits does not. */
  | { readonly type: "heard"; readonly accepted: boolean }
  /** `counted`: the answer came in time, and from somebody whose word counts. */
  | { readonly type: "answered"; readonly request: RequestView; readonly counted: boolean }
  | SessionReply
  /** How far the run has come with what is done at its end. */
  | { readonly type: "finishing"; readonly finishing: Finishing | null }
  /** What was audited, handed on or acknowledged. */
  | { readonly type: "lifecycle"; readonly outcome: LifecycleOutcome }
  /** The operation raised: the run was stored as failed, and this is the error. */
  | { readonly type: "raised"; readonly code: string; readonly detail: string };

/** What a sign of life for some attempts was answered. */
export interface Renewal {
  /** Attempts that the run no longer wants. */
  readonly lost: readonly string[];
  /** Until when the leases of the others last now, in milliseconds. */
  readonly lease_expires_at_ms: number;
}

/** Orders of a run to the outside. */
export type RunEffect =
  /** Somebody must drive the run. */
  | { readonly type: "drive"; readonly run_id: string }
  /** A stage waits for a message of the workflow's mailbox; an unsubscription says that it no longer does. */
  | { readonly type: "subscribe"; readonly workflow_id: string; readonly stage_id: string; readonly message: string }
  | { readonly type: "unsubscribe"; readonly workflow_id: string; readonly stage_id: string }
  /** A runner outside is to execute the command of a stage; the queue hands its result back under the attempt's token. */
  | { readonly type: "enqueue_job"; readonly queue: string; readonly job: JobRequest }
  /** The worker of a stage, or of a call that it waits for, is to be there; what it is asked for follows from that. */
  | { readonly type: "spawn_worker"; readonly stage_id: string; readonly call_id?: string }
  /** Nobody waits for the worker any more. */
  | { readonly type: "close_worker"; readonly worker_id: string }
  /** Who waits for the run learns how it ended. */
  | { readonly type: "report_end"; readonly to: ReportTo; readonly end: RunEnd }
  /** The worker learns that its suspended run has come to rest. */
  | { readonly type: "report_rest"; readonly to: CycleOf; readonly asked?: AskedSuspension }
  /** What is done at the end of the run is to be done. */
  | { readonly type: "finish"; readonly run_id: string; readonly attempt_token: string }
  /** The list of runs shows another state. */
  | { readonly type: "index_run"; readonly row: RunIndexRow }
  /** The list of requests to people shows another state. */
  | { readonly type: "index_request"; readonly row: RequestIndexRow };

/** How a run ended. */
export interface RunEnd {
  /** `paused` for one that used up its steps, which only a worker is told. */
  readonly status: "completed" | "failed" | "cancelled" | "paused";
  readonly error: string | null;
}

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

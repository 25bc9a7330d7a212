import type { RunSettlement } from "../trigger/dispatch.ts";
import type { AppendList, AppendMap } from "../../lib/append.ts";
import type { PersistentMap } from "../../lib/persistent-map.ts";
import type { Asked } from "../hitl/asked.ts";
import type { HitlRequest } from "../hitl/state.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { VerificationContract, WorkflowEdge, WorkflowGraph } from "../../schema/graph.ts";
import type { ConditionCall, FunctionCall, HttpCall, LlmUsage, StageMode } from "../../schema/plan.ts";
import type { CapabilityPolicy, ToolApprovalPolicy } from "../../schema/policy.ts";
import type { RunStageAttemptRecord, ToolCallRecord as RunToolCallRecord } from "../../schema/record.ts";
import type { PendingToolCall, ToolApproval, ToolCallRecord } from "../../schema/agent-step.ts";
import type { AskedSuspension } from "../../schema/resume-conditions.ts";
import type { Sessions } from "../transcript/session.ts";
import type { StageCompleted } from "./event.ts";
import type { RunBudget } from "./budget.ts";
import type { TranscriptAfter } from "./run-transcript.ts";
import type { ContractAssets } from "../verification/contracts.ts";
import type { OpenFindings } from "../verification/findings.ts";
import type { Lifecycle } from "../finish/state.ts";
import type { RunReplay } from "../replay/next-stage.ts";

/** Where a run stands. `completed`, `failed` and `cancelled` are final (I6). */
export type RunStatus = "running" | "paused" | "completed" | "failed" | "cancelled";

/** Who walks the graph: Godwit's own driver, or the caller of the API step by step. */
export type DriveMode = "auto" | "manual";

/** Who holds the current attempt: a driver, a caller of the API, or nobody yet (an external stage waiting to be taken). */
export type Holder = "driver" | "caller" | "nobody";

/** What executing a stage led to (spec/workflow 1.17, ExecutedStage). */
export interface ExecutedStage {
  readonly status: "completed" | "failed";
  readonly outcome: string;
  readonly branch: string | null;
  readonly result: JsonObject;
  readonly artifacts: readonly ArtifactRecord[];
  readonly verification: Json;
  readonly usage: LlmUsage | null;
  readonly error: string | null;
  /** The transcript after the stage; absent when the stage leaves it as it was. */
  readonly transcript?: Json;
  /** The session that is the transcript after the stage. */
  readonly transcript_from?: { readonly session_id: string; readonly visibility: string | null };
  /** The attempts as they were recorded, for a replayed stage (spec/workflow 12.5). */
  readonly attempts?: readonly RunStageAttemptRecord[];
  /** The tool calls of a replayed stage. */
  readonly tool_recordings?: readonly RunToolCallRecord[];
}

/** Parts of the prompt as offsets into it, so that it is stored once. */
export interface PromptText {
  readonly prompt: string;
  readonly system: string | null;
  readonly context: readonly [number, number];
  readonly verification: readonly [number, number];
}

/** The work a prepared stage asks for. `precomputed` and `given` need no execution. */
export type StageWork =
  | { readonly type: "model"; readonly text: PromptText }
  | { readonly type: "http"; readonly call: HttpCall }
  | { readonly type: "function"; readonly call: FunctionCall }
  /** A registered reducer puts the selected artifacts together. */
  | { readonly type: "reduce"; readonly function: string }
  | { readonly type: "command"; readonly command: string }
  | { readonly type: "map"; readonly map: MapPlan }
  /** Waits for a moment, or for a message of the run's mailbox; nobody executes it. */
  | { readonly type: "sleep" }
  | { readonly type: "wait"; readonly message: string }
  /** A worker carries it out; it reports when it has ended. */
  | { readonly type: "delegate"; readonly worker_id: string }
  | PersonWork
  /** A condition whose texts only a driver can read. */
  | { readonly type: "condition"; readonly call: ConditionCall }
  | { readonly type: "precomputed"; readonly executed: ExecutedStage }
  | { readonly type: "given"; readonly result: JsonObject };

/**
 * Waits for people; what they release is then carried out by a driver, like an external stage that somebody has taken
 * (spec/workers 24).
 */
export interface PersonWork {
  readonly type: "person";
  readonly request_id: string;
  /** What dual control releases; null for everything else. */
  readonly handler: FunctionCall | null;
  /** They have approved it: it is the handler's turn. */
  readonly approved?: true;
  /** What is to be asked; the request has it once it was made. */
  readonly asked?: Asked;
}

/** A request to people, and the stage that waits for it. */
export interface RunRequest {
  readonly stage_id: string;
  readonly request: HitlRequest;
}

/** What a map node works through, and when it is done (spec/workflow 6.6). */
export interface MapPlan {
  readonly total: number;
  /** The artifacts it maps over, in order; null where its items are values of its policy. */
  readonly item_ids: readonly string[] | null;
  /** Kind of the artifact that carries a value into its branch. */
  readonly item_kind: string;
  readonly output_kind: string;
  readonly strategy: string;
  /** How many settled branches end the map. */
  readonly target: number;
  /** How many branches may be under way at a time. */
  readonly concurrency: number;
}

/** A branch of a map that has ended, with success or without. */
export interface SettledBranch {
  readonly index: number;
  readonly status: "completed" | "failed";
  readonly result: JsonObject;
  readonly error: string | null;
  readonly artifacts: readonly ArtifactRecord[];
  readonly attempts: number;
}

/** How far a map has come. */
export interface MapProgress {
  /** Artifacts, or values of the policy. */
  readonly items: readonly ArtifactRecord[] | readonly Json[];
  readonly started: number;
  readonly settled: AppendList<SettledBranch>;
  readonly usage: LlmUsage;
}

/** Which branch of which map a unit of work is. */
export interface BranchOf {
  readonly map_stage_id: string;
  readonly index: number;
  readonly input: ArtifactRecord;
}

/**
 * A stage that is prepared and not yet recorded (spec/workflow 1.17, StageExecutionScope), or a branch of a map that is
 * under way: whatever somebody can hold an attempt of.
 */
export interface PreparedStage {
  readonly stage_id: string;
  readonly node_id: string;
  readonly kind: string;
  readonly mode: StageMode;
  readonly session_id: string | null;
  /** Run options that were laid over the node, see spec/workflow 10.5. */
  readonly options: JsonObject;
  readonly selected_artifact_ids: readonly string[];
  readonly work: StageWork;
  readonly started_at: string;
  readonly attempt: number;
  readonly attempt_started_at: string;
  readonly attempt_token: string;
  readonly holder: Holder;
  readonly lease_ms: number;
  /** The attempt whose completion prepared this stage: who repeats that completion is given the same plan again (I5). */
  readonly granted_by: string | null;
  /** Attempts that ended without completing the stage. */
  readonly ended_attempts: readonly RunStageAttemptRecord[];
  /** Attempts whose driver was lost, a part of the above. */
  readonly lost_attempts: number;
  /** When the next attempt may start, in milliseconds; null when one is under way. */
  readonly retry_at_ms: number | null;
  /** When a stage that waits ends by itself, in milliseconds; null for never. */
  readonly deadline_ms: number | null;
  /** Set for a branch of a map. */
  readonly branch_of: BranchOf | null;
  /** Set for a map whose branches are executed one by one. */
  readonly map: MapProgress | null;
  /** What an agent loop has recorded; null for any other work. */
  readonly loop: LoopProgress | null;
  /** How it was completed, while a stage that was prepared before it is still open. */
  readonly settled: SettledStage | null;
}

/** What an agent loop has recorded, over all attempts. */
export interface LoopProgress {
  readonly steps: number;
  readonly iterations: number;
  readonly tool_calls: AppendList<ToolCallRecord>;
  readonly usage: LlmUsage;
  /** Where the stage's own messages begin in its session. */
  readonly messages_from: number;
  /** Calls that a client or a person has to answer before the loop goes on. */
  readonly pending: readonly PendingToolCall[];
  readonly approvals: Readonly<Record<string, ToolApproval>>;
}

/**
 * A stage that was open where a fork begins. The fork opens it again before anything else, with the work it was prepared
 * with: it saw the run as it was then.
 */
export interface Reopened {
  readonly node_id: string;
  /** Absent where the fork changes what the stage may have seen: it is planned anew. */
  readonly prepared?: Pick<PreparedStage, "selected_artifact_ids" | "work">;
}

/** Where a fork goes on: what its source had used up, and had open. */
export interface ForkedAt {
  readonly steps: number;
  /** What counts against the budget beside what the fork itself uses. */
  readonly usage?: LlmUsage;
  /** The steps of these are among `steps` already. */
  readonly open?: readonly Reopened[];
}

/** A completed stage that waits for its turn in the record. */
export interface SettledStage {
  readonly event: StageCompleted;
  readonly completion: Completion;
}

/** What `complete` answered for an attempt, kept so that a repeated completion gets the same answer (I5). */
export interface Completion {
  readonly stage_id: string;
  readonly node_id: string;
  readonly branch: string | null;
  readonly consumed_artifact_ids: readonly string[];
  readonly produced_artifact_ids: readonly string[];
  /** What was handed in, to tell a repetition from another completion. */
  readonly handed_in: JsonObject;
}

/** The cycle of a worker that a run carries out. */
export interface CycleOf {
  readonly worker_id: string;
  readonly cycle: number;
}

/** Who learns how a run ends: the trigger that waits for it, or the worker whose cycle it is. */
export type ReportTo = RunSettlement | CycleOf;

/** The hot state of a run: what decisions need. The full record is a projection of the journal. */
export interface Run {
  readonly tenant: string;
  readonly run_id: string;
  readonly state_id: string;
  readonly workflow_id: string;
  readonly status: RunStatus;
  /** The reason it was paused for, while it is paused on request. */
  readonly paused_by?: string | null;
  /** It was paused for its worker: attempts under way end behind their next recorded step (spec/workers 17.2). */
  readonly suspended?: boolean;
  /** What its own agent asked for, where that is why it is suspended (spec/workers 17.7). */
  readonly asked?: AskedSuspension | null;
  readonly drive: DriveMode;
  readonly graph: WorkflowGraph;
  readonly contracts: readonly VerificationContract[];
  /** The assets that contracts name. */
  readonly assets: ContractAssets;
  /** Who learns how the run ends; null for nobody. */
  readonly report_to: ReportTo | null;
  /** What failed verifications found, for the stages that repair it. */
  readonly findings: OpenFindings;
  readonly task: string;
  readonly options: JsonObject;
  /** What the run may do at most: the builtin ceiling under its option (spec/workflow 10.1). */
  readonly policy: CapabilityPolicy;
  /** Approval rules of the run itself; null for none (spec/workflow 10.4). */
  readonly approval_policy: ToolApprovalPolicy | null;
  readonly trigger_event: Json;
  readonly max_steps: number;
  /** Steps taken since the run was prepared or resumed (spec/workflow 4.11). */
  readonly steps: number;
  readonly stage_count: number;
  readonly ready: readonly string[];
  readonly completed: AppendMap<true>;
  readonly artifacts: AppendList<ArtifactRecord>;
  /** Index of the first artifact of the newest producer: what stages without a context policy of their own get. */
  readonly newest_artifacts_from: number;
  readonly transcript: TranscriptAfter;
  /** The conversations of the run by id. */
  readonly sessions: Sessions;
  /** What a fork has to open again before anything else. */
  readonly reopen: readonly Reopened[];
  /** Stages and branches that are not recorded yet, in the order in which they were prepared. */
  readonly open: readonly PreparedStage[];
  /** How many stages may be open at a time; 1 is the order of the specification. */
  readonly max_parallel: number;
  /** What the run may spend before it pauses; null for no bound. */
  readonly budget: RunBudget | null;
  /** When the run fails for taking too long, in milliseconds. */
  readonly deadline_ms: number | null;
  /** The completed stage whose transitions are not recorded yet. */
  readonly untransitioned: Completion | null;
  readonly completions: AppendMap<Completion>;
  /** What attempts that ended in waiting handed in, by their token (I5). */
  readonly parked: AppendMap<JsonObject>;
  /** Sequence number of the message that a stage has heard, by the stage's id. */
  readonly heard: AppendMap<number>;
  /** What people were asked, by the id of the request. */
  readonly requests: PersistentMap<RunRequest>;
  /** `seq` of the newest public event that was heard of a worker, by its id. */
  readonly worker_seqs: PersistentMap<number>;
  readonly usage: LlmUsage;
  /** What the run that a fork was made from had used; it counts against the budget. */
  readonly earlier_usage: LlmUsage | null;
  /** The recording that a deterministic replay follows; null for a run that executes its stages. */
  readonly replay: RunReplay | null;
  /** How often each node had been executed before this run continued another one's record. */
  readonly earlier_visits: Readonly<Record<string, number>>;
  readonly error: string | null;
  /** What it has handed on, and how it is to be finished. */
  readonly lifecycle: Lifecycle;
  readonly created_at: string;
  readonly updated_at: string;
}

/** The state of the run machine; null before the run is created. */
export type RunState = Run | null;

/** An edge that was followed, in the order of the graph. */
export type FollowedEdge = Pick<WorkflowEdge, "from" | "to" | "branch">;

/** No model call yet. */
export const NO_USAGE: LlmUsage = {
  input_tokens: 0,
  output_tokens: 0,
  total_duration_ms: 0,
  call_count: 0,
  total_cost: 0,
  models: [],
};

/** True when the run has ended for good (I6). */
export const isTerminal = (status: RunStatus): boolean =>
  status === "completed" || status === "failed" || status === "cancelled";

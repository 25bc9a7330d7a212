import type { AppendList, AppendMap } from "../../lib/append.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { VerificationContract, WorkflowEdge, WorkflowGraph } from "../../schema/graph.ts";
import type { FunctionCall, HttpCall, LlmUsage, StageMode } from "../../schema/plan.ts";
import type { RunStageAttemptRecord } from "../../schema/record.ts";
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
  /** The attempts as they were recorded, for a replayed stage (spec/workflow 12.5). */
  readonly attempts?: readonly RunStageAttemptRecord[];
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
  | { readonly type: "command"; readonly command: string }
  | { readonly type: "precomputed"; readonly executed: ExecutedStage }
  | { readonly type: "given"; readonly result: JsonObject };

/** The stage that is prepared and not yet completed (spec/workflow 1.17, StageExecutionScope). */
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

/** The hot state of a run: what decisions need. The full record is a projection of the journal. */
export interface Run {
  readonly tenant: string;
  readonly run_id: string;
  readonly state_id: string;
  readonly workflow_id: string;
  readonly status: RunStatus;
  readonly drive: DriveMode;
  readonly graph: WorkflowGraph;
  readonly contracts: readonly VerificationContract[];
  readonly task: string;
  readonly options: JsonObject;
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
  readonly transcript: Json;
  readonly prepared: PreparedStage | null;
  /** The completed stage whose transitions are not recorded yet. */
  readonly untransitioned: Completion | null;
  readonly completions: AppendMap<Completion>;
  readonly usage: LlmUsage;
  /** The recording that a deterministic replay follows; null for a run that executes its stages. */
  readonly replay: RunReplay | null;
  /** How often each node had been executed before this run continued another one's record. */
  readonly earlier_visits: Readonly<Record<string, number>>;
  readonly error: string | null;
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

import type { Json, JsonObject } from "../lib/json.ts";
import type { PlanSession, StageProgress } from "./agent-step.ts";

/** How a prepared stage is executed. */
export type StageMode =
  | "llm"
  | "agent"
  | "http"
  | "function"
  | "command"
  | "external"
  | "map"
  | "sleep"
  | "wait"
  | "subagent"
  | "person";

/**
 * An HTTP call with its templates filled in, but for `{{secret.NAME}}`, which only the executor resolves. Where a value
 * that was filled in had such a text, it is written `{{literal.secret.NAME}}` and sent without the `literal.`.
 */
export interface HttpCall {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A text is sent as it is; any other value as JSON. */
  readonly body?: Json;
  readonly timeout_ms?: number;
  /** The status that counts as success; without it every status below 400. */
  readonly expect_status?: number;
}

/** A call of a handler that is registered in code under this name. */
export interface FunctionCall {
  readonly name: string;
  readonly input: Json;
}

/** A condition that looks into texts which only a driver can read (spec/workflow 6.1). */
export interface ConditionCall {
  readonly contains_text: string;
  readonly texts: readonly string[];
}

/**
 * A prepared stage, ready to be executed outside the run's object (spec/workflow 4.5).
 *
 * A plan with `result` needs no execution: the result is handed back to `complete` as it is.
 */
export interface StagePlan {
  readonly kind: string;
  readonly run_id: string;
  readonly workflow_id: string;
  readonly node_id: string;
  readonly stage_id: string;
  /** 1 for the first execution of this stage, counted up when a driver was lost. */
  readonly attempt: number;
  /** Proof of holding this attempt; `complete` and `renew` demand it. */
  readonly attempt_token: string;
  /** For callers of the API; a driver renews its lease as long as it lives. */
  readonly lease_expires_at?: string;
  /** The same for every attempt of this stage: give it to whatever the stage calls. */
  readonly idempotency_key: string;
  readonly mode: StageMode;
  /** Upper bound of the execution in milliseconds. */
  readonly timeout_ms: number;
  readonly result?: Json;
  readonly prompt?: string;
  readonly system?: string | null;
  readonly run_agent_loop?: boolean;
  /** A map that the holder executes as a whole, with all artifacts of the run (spec/workflow 4.5, HarnMapCall). */
  readonly run_map_stage?: true;
  readonly node?: Json;
  readonly artifacts?: Json;
  readonly map_options?: JsonObject;
  readonly llm_options?: JsonObject;
  readonly agent_loop_options?: JsonObject;
  readonly http?: HttpCall;
  readonly function?: FunctionCall;
  /** The task of the run, told to function handlers. */
  readonly task?: string;
  /** 1 for the first time the run comes to this node, counted up by loops; for scripts of the provider `scripted`. */
  readonly visit?: number;
  /** What the provider `scripted` answers; without it the script of the node's metadata. */
  readonly script?: Json;
  readonly condition?: ConditionCall;
  /** What the texts of the result are checked for: of the node's `verify`, `assert_text` and `expect_text`. */
  readonly checks?: JsonObject;
  /** The shell command of a verify node, for a runner outside. */
  readonly command?: string;
  /** The node's own metadata, for executors that read settings from it. */
  readonly metadata?: JsonObject;
  /** The conversation the stage takes part in. */
  readonly session?: PlanSession;
  /** When and how the conversation is shortened before a model call; absent for never. */
  readonly auto_compact?: JsonObject;
  /** What earlier attempts have recorded; the loop of an agent goes on after it. */
  readonly progress?: StageProgress;
  /** The worker whose cycle the run carries out: its agents may park it (spec/workers 17.7). */
  readonly worker_id?: string;
  /** The JSON schema that the stage's `data` has to match. */
  readonly output_schema?: JsonObject;
}

/** Tokens and money one stage used (spec/workflow 1.16, LlmUsageRecord). */
export interface LlmUsage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly total_duration_ms: number;
  readonly call_count: number;
  /** US dollars; 0 when the price of the model is not known. */
  readonly total_cost: number;
  readonly models: readonly string[];
}

/**
 * What an executor hands back for a plan: the result object of the stage with `usage` beside its own fields.
 *
 * A failed call is `{__workflow_stage_error: true, status: "failed", text: "", visible_text: "", error, error_category}`
 * with the categories of spec/workflow 0.3.
 */
export type StageResult = JsonObject;

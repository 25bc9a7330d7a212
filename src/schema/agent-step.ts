import type { Json, JsonObject } from "../lib/json.ts";
import type { LlmUsage } from "./plan.ts";
import type { AskedSuspension } from "./resume-conditions.ts";

/** A tool call as it is recorded (spec/workflow 10.7). */
export interface ToolCallRecord {
  readonly call_id: string;
  readonly tool_name: string;
  readonly arguments: JsonObject;
  readonly status: "ok" | "error" | "rejected";
  readonly result: Json;
  readonly duration_ms: number;
  readonly idempotency_key: string;
  readonly iteration: number;
  readonly started_at: string;
  readonly error_category?: string;
}

/** How a call was answered that a client, or a person, had to answer. */
export type ToolAnswer = { readonly result: Json; readonly is_error?: boolean } | ToolApproval;

/** A compaction of a stage's session before a model call (spec/workflow 14.4). */
export interface StepCompaction {
  readonly event: {
    readonly keep_first: number;
    readonly archived: number;
    readonly summary: string;
    readonly event_id: string;
    readonly metadata: JsonObject;
    readonly snapshot_asset_id: string | null;
  };
  /** The revision of the session whose messages it counted. */
  readonly revision: number;
}

/** One recorded step of an agent loop; each is one commit of the run. */
export interface AgentStep {
  /** Counted from 1; the model turn this step belongs to. */
  readonly iteration: number;
  /** Messages appended to the stage's session, in order: {role: "user"|"assistant"|"tool_result"|"system", content, ...} (spec/workflow 14.1). */
  readonly messages?: readonly JsonObject[];
  /** Shortens the session before `messages` are appended. */
  readonly compaction?: StepCompaction;
  readonly tool_call?: ToolCallRecord;
  /** What this step used, not a total. */
  readonly usage?: LlmUsage;
  /** The agent parks its worker behind this step; only in the run of a worker's cycle (spec/workers 17.7). */
  readonly suspend?: AskedSuspension;
}

/** What a person said to a tool call that needs approval (spec/workflow 10.4). */
export interface ToolApproval {
  readonly approved: boolean;
  readonly reason?: string;
  /** Replaces the arguments of the call; judged again before the call is made. */
  readonly arguments?: JsonObject;
}

/** A conversation as an execution finds it (spec/workflow 14.3). */
export interface PlanSession {
  readonly id: string;
  /** Everything said before, including what this stage recorded in earlier attempts. */
  readonly messages: readonly Json[];
  /** What compactions said about messages that are gone; it is part of the messages already. */
  readonly summary?: string;
  /** How often messages were taken away or replaced so far; 0 without it. */
  readonly revision?: number;
}

/** What a stage has recorded in earlier attempts. */
export interface StageProgress {
  /** Steps so far; the next one has this number. */
  readonly steps: number;
  /** Model turns so far. */
  readonly iterations: number;
  readonly tool_calls: readonly ToolCallRecord[];
  readonly usage: LlmUsage;
  /** Index into the session's messages where this stage's own messages begin; their count when there are none. */
  readonly messages_from: number;
  readonly approvals?: Readonly<Record<string, ToolApproval>>;
}

/** A tool call the run has to get an answer for before the stage goes on. */
export interface PendingToolCall {
  readonly call_id: string;
  readonly tool_name: string;
  readonly arguments: JsonObject;
  readonly reason: "client_tool" | "approval" | "worker";
  readonly iteration: number;
  /** The worker that answers it; given by the run (spec/workers 15). */
  readonly worker_id?: string;
  /** What the gate wants to be asked. */
  readonly request?: JsonObject;
}

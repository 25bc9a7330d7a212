import type { Json, JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { LlmUsage } from "../../schema/plan.ts";
import type { HeardEvent, ResumeInitiator, Worker, WorkerExecution, WorkerSuspension } from "./state.ts";

/** What a cycle that went well has left (spec/workers 1.4). */
export interface CycleOutcome {
  readonly payload: JsonObject;
  /** As it is kept: already compacted where the carry policy says so. */
  readonly transcript: Json;
  readonly artifacts: readonly ArtifactRecord[];
  /** null where the cycle did not say where it ran. */
  readonly execution: WorkerExecution | null;
}

/** How a cycle left its worker (spec/workers 9.9). */
export interface CycleSettled {
  readonly type: "cycle_settled";
  readonly at: string;
  readonly status: "completed" | "awaiting" | "failed" | "cancelled";
  readonly error: string | null;
  /** null where the cycle failed, or where its outcome was captured before. */
  readonly outcome: CycleOutcome | null;
  /** What its run has used; absent where it called no model. */
  readonly usage?: LlmUsage;
}

/** What a suspended worker's run came to: kept for the resumption, while the worker stays suspended (spec/workers 30, 3). */
export interface CycleCaptured {
  readonly type: "cycle_captured";
  readonly at: string;
  readonly ended: "completed" | "failed" | "cancelled";
  readonly error: string | null;
  readonly outcome: CycleOutcome | null;
  readonly usage?: LlmUsage;
}

/** A worker was set to work again with a task (spec/workers 16). */
export interface TaskGiven {
  readonly type: "task_given";
  readonly at: string;
  readonly by: "input" | "trigger";
  readonly task: string;
  /** The ids that carrying the conversation over has taken, in order. */
  readonly ids: readonly string[];
}

/** A suspension is over, and how the worker goes on (spec/workers 17.5). */
export interface WorkerResumed {
  readonly type: "worker_resumed";
  readonly at: string;
  /** null for none. */
  readonly input: Json;
  readonly continue_transcript: boolean;
  readonly initiator: ResumeInitiator;
  readonly trigger_event: Json;
  /** With the run that was paused, with what its run had come to already, or with a new cycle. */
  readonly on: "run" | "result" | "cycle";
}

/** Public events were sent, or could not be (spec/workers 13.3). */
export interface WebhookReported {
  readonly type: "webhook_reported";
  readonly at: string;
  /** `seq` of the newest that was delivered. */
  readonly delivered: number;
  /** `seq` up to which nothing is sent any more: beyond `delivered` where the rest is given up. */
  readonly settled: number;
  readonly failure: {
    readonly error: string;
    readonly attempts: number;
    readonly since_ms: number;
    /** null where it was the last one. */
    readonly retry_at_ms: number | null;
  } | null;
}

/** What happened to a worker. Only a spawn and a restoration hold all of it. */
export type WorkerEvent =
  | { readonly type: "worker_spawned"; readonly at: string; readonly worker: Worker }
  | { readonly type: "worker_restored"; readonly at: string; readonly worker: Worker }
  /** The run of the current cycle exists. */
  | { readonly type: "cycle_began"; readonly at: string; readonly run_id: string }
  | CycleSettled
  | CycleCaptured
  /** The run has come to rest at a boundary (spec/workers 32.4). */
  | { readonly type: "cycle_paused"; readonly at: string; readonly turn: number | null; readonly transcript: Json }
  | TaskGiven
  | {
      readonly type: "worker_suspended";
      readonly at: string;
      readonly suspension: WorkerSuspension;
      readonly resume_at_ms: number | null;
    }
  | WorkerResumed
  /** The time of a suspension is over, and that is a failure (spec/workers 18.3). */
  | { readonly type: "suspension_expired"; readonly at: string }
  | { readonly type: "worker_closed"; readonly at: string }
  | { readonly type: "worker_stopped"; readonly at: string; readonly payload: JsonObject }
  | WebhookReported
  /** The parent's stage is being told what became of the worker; once. */
  | { readonly type: "parent_told"; readonly at: string }
  | { readonly type: "child_adopted"; readonly at: string; readonly worker_id: string }
  /** What is set up outside to wake it is there, cannot be, or is gone. */
  | {
      readonly type: "listener_changed";
      readonly at: string;
      readonly id: string;
      readonly to: "listening" | "failed" | "leaving" | "gone";
      readonly problem?: string;
    }
  /** Something came before the worker had come to rest; the first one counts. */
  | { readonly type: "event_heard"; readonly at: string; readonly heard: HeardEvent };

import type { Json, JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { LlmUsage } from "../../schema/plan.ts";
import type { MutationSessionRecord } from "../../schema/record.ts";
import type { WebhookOrder } from "./webhook.ts";
import type { AskedSuspension } from "../../schema/resume-conditions.ts";
import type {
  ParentStage,
  ResumeConditions,
  ResumeInitiator,
  SuspendInitiator,
  Worker,
  WorkerCarryPolicy,
  WorkerConfig,
  WorkerExecution,
  WorkerMode,
} from "./state.ts";

/** What a spawn config was read as (spec/workers 1.3, 2). */
export interface WorkerInit {
  readonly name: string;
  readonly task: string;
  readonly config: WorkerConfig;
  readonly carry_policy: WorkerCarryPolicy;
  readonly execution: WorkerExecution;
  readonly audit: Partial<MutationSessionRecord>;
  /** Conditions under which the worker is born parked (spec/workers 2); absent where it starts at once. */
  readonly resume_when?: ResumeConditions;
  /** Where its public events are sent; absent for nowhere. */
  readonly webhook?: WebhookOrder;
}

/** Makes a worker and sets it to work. The same id with the same request is the same worker (I5). */
export interface SpawnWorker extends WorkerInit {
  readonly type: "spawn";
  readonly tenant: string;
  readonly worker_id: string;
  readonly mode: WorkerMode;
  readonly parent_worker_id: string | null;
  readonly parent_stage_id: string | null;
  readonly parent: ParentStage | null;
  /** Digest of the request as it was given, before ids were made for it; absent where the command itself is that. */
  readonly request_digest?: string;
}

/** What one cycle came to (spec/workers 1.4); from the run that carried it out. */
export type CycleResult = {
  /** What its run has used; absent where it called no model. */ readonly usage?: LlmUsage;
} & (
  | {
      readonly ok: true;
      readonly payload: JsonObject;
      readonly transcript: Json;
      readonly artifacts: readonly ArtifactRecord[];
      readonly execution: WorkerExecution | null;
    }
  | { readonly ok: false; readonly cancelled: boolean; readonly error: string }
);

/** Everything a worker can be told. */
export type WorkerCommand =
  | SpawnWorker
  | { readonly type: "send_input"; readonly task: string }
  | { readonly type: "trigger"; readonly payload: Json }
  | { readonly type: "close" }
  /** `payload` is what the shell computed of the worker and its descendants for a graceful stop (spec/workers 17.8). */
  | {
      readonly type: "stop";
      readonly graceful: boolean;
      readonly reason: string;
      readonly children: readonly JsonObject[];
    }
  | {
      readonly type: "suspend";
      readonly reason: string;
      readonly initiator: SuspendInitiator;
      readonly conditions: ResumeConditions | null;
      /** The broadcast that never fails and registers nothing (spec/workers 17.3). */
      readonly panic?: true;
    }
  | {
      readonly type: "resume";
      readonly input: Json;
      readonly continue_transcript: boolean;
      readonly initiator: ResumeInitiator;
      /** The event that woke it; null for none. */
      readonly trigger_event: Json;
      /** The suspension that the caller has seen; where it is over by now, the resumption is refused as a conflict. */
      readonly suspended_at?: string;
    }
  /** Takes over a worker as a snapshot shows it; nothing runs (spec/workers 12.4, 17.4). */
  | { readonly type: "restore"; readonly worker: Worker; readonly input: Json; readonly continue_transcript: boolean }
  /** The run of a cycle exists. */
  | { readonly type: "cycle_began"; readonly cycle: number; readonly run_id: string }
  /** The run of a cycle has ended. */
  | { readonly type: "cycle_ended"; readonly cycle: number; readonly result: CycleResult }
  /** The run of a cycle is paused at a boundary, as the suspension asked for. */
  | {
      readonly type: "cycle_paused";
      readonly cycle: number;
      readonly turn: number | null;
      readonly transcript: Json;
      /** Its own agent asked for it, in this run (spec/workers 17.7). */
      readonly asked?: AskedSuspension & { readonly run_id: string };
    }
  /** An event on a channel; only the suspension that listened for it hears it. */
  | {
      readonly type: "hear";
      readonly channel: string;
      readonly suspended_at: string;
      readonly input: Json;
      readonly trigger_event: Json;
    }
  /** What was ordered listens now, or cannot: then `problem` says why. */
  | { readonly type: "listening"; readonly trigger_id: string; readonly problem: string | null }
  /** What listened is gone. */
  | { readonly type: "unlistened"; readonly trigger_id: string }
  /**
   * Public events were sent: those after `from` up to `delivered`, as far as they are wanted. `error` is why the next one could not be; `hopeless` says that
   * no other attempt will do better.
   */
  | {
      readonly type: "report_webhook";
      readonly from: number;
      readonly delivered: number;
      readonly error: string | null;
      readonly hopeless?: true;
    }
  /** A worker started another one. */
  | { readonly type: "adopt_child"; readonly worker_id: string }
  /** The alarm: a condition's time may be over. */
  | { readonly type: "wake" };

/** Orders of a worker to the outside. Each is carried out again until it succeeded; all of them may be repeated. */
export type WorkerEffect =
  /** The run of this cycle is to be created, or continued; what it needs follows from the worker. */
  | { readonly type: "start_cycle"; readonly cycle: number }
  /** The run of a cycle is not wanted any more. */
  | { readonly type: "cancel_run"; readonly run_id: string; readonly reason: string }
  /** The run of this cycle is to stop at its next boundary. */
  | { readonly type: "pause_run"; readonly cycle: number; readonly run_id: string }
  /** The paused run goes on; `speech` is what its agent hears first. */
  | {
      readonly type: "resume_run";
      readonly cycle: number;
      readonly run_id: string;
      readonly speech: readonly JsonObject[];
      /** Takes the place of the conversation so far; absent where that goes on. */
      readonly digest?: string | null;
    }
  /** The run whose stage the worker belongs to hears what has become known of it (spec/workers 13.2). */
  | { readonly type: "tell_parent" }
  /** The parent's stage gets its result. */
  | { readonly type: "report"; readonly to: ParentStage }
  /** A trigger that wakes the worker is to be there, or not any more. */
  | { readonly type: "listen"; readonly trigger_id: string; readonly conditions: ResumeConditions }
  | { readonly type: "unlisten"; readonly trigger_id: string; readonly conditions: ResumeConditions }
  /** Descendants end with it. */
  | { readonly type: "close_child"; readonly worker_id: string }
  /** The list of workers shows another state. */
  | { readonly type: "index_worker" };

/** Answer to a command of a worker. */
export interface WorkerReply {
  readonly type: "worker";
  /** The public summary (spec/workers 1.5). */
  readonly summary: JsonObject;
  /** What a worker that was stopped gracefully left (spec/workers 17.8); only as the answer to that. */
  readonly stopped?: JsonObject;
  /** What an event on a channel did to it; only as the answer to that. */
  readonly heard?: "resumed" | "noted" | "not_listening";
  /** What the broadcast did to it (spec/workers 17.3); only as the answer to that. */
  readonly panic?: "suspended" | "already_suspended" | "not_running";
}

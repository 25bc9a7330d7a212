import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { WorkerEvent } from "./event.ts";
import type { Worker, WorkerMode, WorkerState, WorkerStatus } from "./state.ts";
import { eventMetadata } from "./summary.ts";

/** Public events of a worker with their wire status and whether nothing follows by itself (spec/workers 13.1). */
export const WORKER_EVENTS = {
  WorkerSpawned: { status: "running", terminal: false },
  WorkerProgressed: { status: "progressed", terminal: false },
  WorkerWaitingForInput: { status: "awaiting_input", terminal: false },
  WorkerSuspended: { status: "suspended", terminal: false },
  WorkerResumed: { status: "resumed", terminal: false },
  WorkerCompleted: { status: "completed", terminal: true },
  WorkerFailed: { status: "failed", terminal: true },
  WorkerCancelled: { status: "cancelled", terminal: true },
  WorkerStopped: { status: "stopped", terminal: true },
} as const;

/** Name of a public event of a worker. */
export type WorkerEventName = keyof typeof WORKER_EVENTS;

/** One public event of a worker, the same in every place that shows it (spec/workers 13.2, 13.3). */
export interface WorkerUpdate {
  readonly worker_id: string;
  readonly worker_name: string;
  readonly worker_task: string;
  readonly worker_mode: WorkerMode;
  readonly event: WorkerEventName;
  readonly status: string;
  readonly terminal: boolean;
  readonly metadata: JsonObject;
}

/** A public event with its place among those of its worker, as whoever follows it gets it (spec/workers 13.2). */
export interface PlacedUpdate extends WorkerUpdate {
  /** `seq` as text, to resume after. */
  readonly id: string;
  readonly type: "worker_update";
  /** Counted from 1. */
  readonly seq: number;
  /** RFC 3339. */
  readonly at: string;
  /** The session that the worker was started from; null for none. */
  readonly session_id: string | null;
  /** The run of the cycle; null while none is known. */
  readonly cycle_run_id: string | null;
  readonly audit: Json;
}

/** Puts a public event of a worker in its place. */
export const placedUpdate = (
  update: WorkerUpdate,
  { seq, at, worker }: { readonly seq: number; readonly at: string; readonly worker: WorkerState },
): PlacedUpdate => {
  const { audit = null } = update.metadata;
  const session = isObject(audit) ? audit["parent_session_id"] : null;
  const session_id = typeof session === "string" && session !== "" ? session : null;
  const cycle_run_id = worker?.run?.run_id || null;
  return { id: String(seq), type: "worker_update", seq, at, session_id, cycle_run_id, ...update, audit };
};

/** The status of a worker behind a public event (spec/workers 8.1); on the wire some have another name. */
export const statusBehind = (name: WorkerEventName): WorkerStatus => {
  if (name === "WorkerWaitingForInput") return "awaiting";
  if (name === "WorkerProgressed" || name === "WorkerResumed") return "running";
  return WORKER_EVENTS[name].status;
};

/** A public event in the form of the Agent Client Protocol (spec/workers 13.3). */
export const sessionUpdate = (update: PlacedUpdate): JsonObject => ({
  sessionUpdate: "worker_update",
  workerId: update.worker_id,
  workerName: update.worker_name,
  workerTask: update.worker_task,
  workerMode: update.worker_mode,
  event: update.event,
  status: update.status,
  terminal: update.terminal,
  metadata: update.metadata,
  audit: update.audit,
});

const SETTLED = {
  completed: "WorkerCompleted",
  awaiting: "WorkerWaitingForInput",
  failed: "WorkerFailed",
  cancelled: "WorkerCancelled",
} as const;

/** The public events of what happened, in order; a cycle that ended began, even where that was not heard, or where it found no run (spec/workers 8.2, 9). */
export const updateNames = (event: WorkerEvent, before: WorkerState): readonly WorkerEventName[] => {
  switch (event.type) {
    case "worker_spawned":
      return event.worker.status === "suspended" ? ["WorkerSuspended"] : [];
    case "cycle_began":
      return before?.status === "running" ? ["WorkerSpawned"] : [];
    case "cycle_settled": {
      const isUnheard = before?.run === null;
      return isUnheard ? ["WorkerSpawned", SETTLED[event.status]] : [SETTLED[event.status]];
    }
    case "task_given":
      return event.by === "trigger" ? ["WorkerProgressed"] : [];
    case "worker_suspended":
      return ["WorkerSuspended"];
    case "worker_resumed":
      return event.on === "run" ? ["WorkerResumed", "WorkerSpawned"] : ["WorkerResumed"];
    case "suspension_expired":
      return ["WorkerFailed"];
    case "worker_closed":
      return ["WorkerCancelled"];
    case "worker_stopped":
      return ["WorkerStopped"];
    case "worker_restored":
    case "cycle_captured":
    case "cycle_paused":
    case "parent_told":
    case "child_adopted":
    case "listener_changed":
    case "event_heard":
    case "webhook_reported":
      return [];
  }
};

const extraOf = (event: WorkerEvent): JsonObject =>
  event.type === "worker_stopped" ? { agent_stop: event.payload, handoff: event.payload["handoff"] ?? null } : {};

const updateOf = (name: WorkerEventName, worker: Worker, extra: JsonObject): WorkerUpdate => ({
  worker_id: worker.id,
  worker_name: worker.name,
  worker_task: worker.task,
  worker_mode: worker.mode,
  event: name,
  ...WORKER_EVENTS[name],
  metadata: eventMetadata(worker, extra),
});

/**
 * What an event of the journal is to the public (spec/workers 13): live streams, records and webhooks all show this. `before` and
 * `after` are the worker around the event.
 */
export const workerUpdates = (event: WorkerEvent, before: WorkerState, after: WorkerState): readonly WorkerUpdate[] =>
  after === null ? [] : updateNames(event, before).map((name) => updateOf(name, after, extraOf(event)));

import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { CycleCaptured, CycleOutcome, CycleSettled, WorkerEvent } from "./event.ts";
import { followSuspension, listenerChanged } from "./listeners.ts";
import type { LlmUsage } from "../../schema/plan.ts";
import { addUsage } from "../run/usage.ts";
import { webhookReported, withEmitted } from "./webhook.ts";
import { cycleRunId } from "./cycle-run.ts";
import { taskGiven, workerResumed } from "./next-cycle.ts";
import type { Worker, WorkerState, WorkerSuspension } from "./state.ts";

const AUTO_RESUME_EXPIRED = "auto-resume timeout expired";
const CANCELLED = "worker cancelled";

const textAt = (object: Json | undefined, key: string): string | null => {
  const value = isObject(object) ? object[key] : undefined;
  return typeof value === "string" && value !== "" ? value : null;
};

/** Takes over what a cycle has left; the run it went through becomes the child run (spec/workers 9.9). */
const withOutcome = (worker: Worker, { payload, transcript, artifacts, execution }: CycleOutcome): Worker => {
  const childRun = textAt(payload["run"], "id");
  return {
    ...worker,
    latest_payload: payload,
    transcript,
    artifacts,
    execution: execution ?? worker.execution,
    child_run_id: childRun,
    child_run_path: textAt(payload, "path"),
    audit: childRun === null ? worker.audit : { ...worker.audit, run_id: childRun },
  };
};

const withUsage = (worker: Worker, usage: LlmUsage | undefined): Worker => {
  if (usage === undefined) return worker;
  return { ...worker, usage: worker.usage === undefined ? usage : addUsage(worker.usage, usage) };
};

/** A cycle that has left something had its run, even where its beginning was not heard. */
const withRun = (worker: Worker): Worker =>
  worker.run === null ? { ...worker, run: { run_id: cycleRunId(worker), begun: true, paused: false } } : worker;

const settled = (before: Worker, event: CycleSettled): Worker => {
  const worker = withUsage(before, event.usage);
  const left = event.outcome === null ? worker : withOutcome(withRun(worker), event.outcome);
  const awaits = event.status === "awaiting";
  return {
    ...left,
    status: event.status,
    latest_error: event.error,
    finished_at: awaits ? null : event.at,
    awaiting_started_at: awaits ? event.at : null,
  };
};

const quiesced = (suspension: WorkerSuspension | null, at: string): WorkerSuspension | null =>
  suspension === null ? null : { ...suspension, quiesced_at: suspension.quiesced_at ?? at };

const captured = (before: Worker, event: CycleCaptured): Worker => {
  const worker = withUsage(before, event.usage);
  const left = event.outcome === null ? worker : withOutcome(worker, event.outcome);
  const run = { run_id: "", begun: false, ...worker.run, paused: false, ended: event.ended };
  return { ...left, run, latest_error: event.error, suspension: quiesced(worker.suspension, event.at) };
};

const paused = (worker: Worker, event: Extract<WorkerEvent, { readonly type: "cycle_paused" }>): Worker => {
  const suspension = quiesced(worker.suspension, event.at);
  if (suspension === null || worker.run === null) return worker;
  return {
    ...worker,
    run: { ...worker.run, paused: true },
    transcript: event.transcript ?? worker.transcript,
    suspension: { ...suspension, suspended_at_turn: suspension.suspended_at_turn ?? event.turn },
  };
};

/** A worker that has ended otherwise than by its cycle: nothing of a wait or a suspension is left of it. */
const ended = (
  worker: Worker,
  at: string,
  end: Pick<Worker, "status" | "latest_error"> & { readonly latest_payload?: JsonObject },
): Worker => ({
  ...worker,
  ...end,
  finished_at: at,
  awaiting_started_at: null,
  suspension: null,
  resume_at_ms: null,
});

const change = (
  worker: Worker,
  event: Exclude<WorkerEvent, { readonly type: "worker_spawned" | "worker_restored" }>,
): Worker => {
  switch (event.type) {
    case "cycle_began":
      return { ...worker, run: { run_id: event.run_id, begun: true, paused: false } };
    case "cycle_settled":
      return settled(worker, event);
    case "cycle_captured":
      return captured(worker, event);
    case "cycle_paused":
      return paused(worker, event);
    case "task_given":
      return taskGiven(worker, event);
    case "worker_suspended": {
      const { suspension, resume_at_ms } = event;
      return { ...worker, status: "suspended", awaiting_started_at: null, suspension, resume_at_ms };
    }
    case "worker_resumed":
      return workerResumed(worker, event);
    case "suspension_expired":
      return ended(worker, event.at, { status: "failed", latest_error: AUTO_RESUME_EXPIRED });
    case "worker_closed":
      return ended(worker, event.at, { status: "cancelled", latest_error: CANCELLED });
    case "worker_stopped":
      return ended(worker, event.at, { status: "stopped", latest_error: null, latest_payload: event.payload });
    case "webhook_reported":
      return webhookReported(worker, event);
    case "parent_told":
      return { ...worker, parent_told: true };
    case "child_adopted": {
      const { children } = worker;
      return children.includes(event.worker_id) ? worker : { ...worker, children: [...children, event.worker_id] };
    }
    case "listener_changed":
      return listenerChanged(worker, event);
    case "event_heard":
      return { ...worker, heard: event.heard };
  }
};

/** Folds one event into a worker; total: what comes before the worker is there changes nothing. */
export const evolve = (state: WorkerState, event: WorkerEvent): WorkerState => {
  const isMade = event.type === "worker_spawned" || event.type === "worker_restored";
  const after = isMade ? event.worker : state === null ? null : change(state, event);
  const followed = after === null ? null : followSuspension(isMade ? null : state, after);
  return withEmitted(followed, event, state);
};

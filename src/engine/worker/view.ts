import type { Json, JsonObject } from "../../lib/json.ts";
import type { Worker, WorkerState } from "./state.ts";

/** What of a worker its head row keeps: where it stands, to be seen without reading the journal. */
export const workerHead = (state: WorkerState): Json =>
  state === null
    ? null
    : {
        worker_id: state.id,
        name: state.name,
        mode: state.mode,
        status: state.status,
        cycle: state.cycle,
        run_id: state.run?.run_id ?? null,
        error: state.latest_error,
      };

const sessionOf = ({ audit, config }: Worker): string | null =>
  audit.session_id || (config.mode === "sub_agent" ? config.spec.session_id : "") || null;

const ageOf = (since: string | null, now: number): number => {
  const at = Date.parse(since ?? "");
  return Number.isNaN(at) ? 0 : Math.max(0, now - at);
};

const suspendedItem = (worker: Worker, now: number): JsonObject => {
  const { suspension } = worker;
  return {
    handle: worker.id,
    session_id: sessionOf(worker),
    reason: suspension?.reason.trim() ? suspension.reason : "suspended",
    conditions: (suspension?.conditions ?? null) as JsonObject | null,
    age_ms: ageOf(suspension?.suspended_at ?? null, now),
    initiator: suspension?.initiator ?? "operator",
    mode: worker.mode,
    status: "suspended",
    suspended_at: suspension?.suspended_at ?? "",
    snapshot_ref: suspension?.snapshot_ref || worker.snapshot_path,
    auto_resume_trigger: suspension?.auto_resume_trigger ?? null,
  };
};

const awaitingItem = (worker: Worker, now: number): JsonObject => ({
  handle: worker.id,
  session_id: sessionOf(worker),
  reason: "awaiting_input",
  conditions: {
    status: worker.status,
    retriggerable: worker.carry_policy.retriggerable,
    awaiting_started_at: worker.awaiting_started_at,
  },
  age_ms: ageOf(worker.awaiting_started_at, now),
  initiator: worker.parent_worker_id ?? "pipeline",
  mode: worker.mode,
  status: "awaiting",
});

/** A worker as one of the `suspended_subagents` of what is unsettled; null where it is not (spec/workers 21.4). */
export const unsettledSubagent = (state: WorkerState, now: number): JsonObject | null => {
  if (state?.status === "suspended") return suspendedItem(state, now);
  return state?.status === "awaiting" && state.mode === "sub_agent" ? awaitingItem(state, now) : null;
};

/** A worker as the list of workers shows it; the task is cut to what a list needs. */
export const workerRow = (worker: Worker): JsonObject => ({
  worker_id: worker.id,
  name: worker.name.slice(0, 200),
  mode: worker.mode,
  status: worker.status,
  task: worker.task.slice(0, 200),
  cycle: worker.cycle,
  run_id: worker.run?.run_id ?? worker.child_run_id,
  parent_run_id: worker.parent?.run_id ?? null,
  parent_worker_id: worker.parent_worker_id,
  error: worker.latest_error?.slice(0, 1_000) ?? null,
  created_at: worker.created_at,
  updated_at: worker.finished_at ?? worker.suspension?.suspended_at ?? worker.awaiting_started_at ?? worker.started_at,
});

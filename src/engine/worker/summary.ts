import type { JsonObject } from "../../lib/json.ts";
import type { Worker } from "./state.ts";

/** Where a worker comes from and what it led to (spec/workers 6). */
export const provenanceOf = (worker: Worker): JsonObject => ({
  worker_id: worker.id,
  worker_name: worker.name,
  mode: worker.mode,
  parent_worker_id: worker.parent_worker_id,
  parent_stage_id: worker.parent_stage_id,
  session_id: worker.audit.session_id || null,
  parent_session_id: worker.audit.parent_session_id,
  snapshot_path: worker.snapshot_path,
  run_id: worker.child_run_id,
  run_path: worker.child_run_path,
});

/** What handles, snapshots and events say of a worker alike. */
const sharedFields = (worker: Worker) => ({
  mode: worker.mode,
  request: worker.request as unknown as JsonObject,
  created_at: worker.created_at,
  started_at: worker.started_at,
  finished_at: worker.finished_at,
  awaiting_started_at: worker.awaiting_started_at,
  parent_worker_id: worker.parent_worker_id,
  parent_stage_id: worker.parent_stage_id,
  child_run_id: worker.child_run_id,
  child_run_path: worker.child_run_path,
  execution: worker.execution as unknown as JsonObject,
  snapshot_path: worker.snapshot_path,
  audit: worker.audit as unknown as JsonObject,
  suspension: worker.suspension as unknown as JsonObject | null,
});

const outcomeFields = (worker: Worker) => ({
  provenance: provenanceOf(worker),
  artifact_count: worker.artifacts.length,
  has_transcript: worker.transcript !== null,
});

/** Providers that nobody delivers to over HTTP. */
const WITHOUT_HOOK: ReadonlySet<unknown> = new Set(["cron", "manual"]);

/** A suspension with what listens for its end: where its events come in, and whether they are heard by now (spec/workers 17.1). */
const shownSuspension = ({ suspension, tenant, listeners = [] }: Worker): JsonObject | null => {
  const { auto_resume_trigger: trigger = null, conditions = null } = suspension ?? {};
  const shown = suspension as unknown as JsonObject | null;
  if (trigger === null) return shown;
  const { state = "ordered", problem } = listeners.find(({ id }) => id === trigger.id) ?? {};
  const provider = conditions?.trigger?.["provider"];
  const path = provider === undefined || WITHOUT_HOOK.has(provider) ? null : `/hooks/${tenant}/${trigger.id}`;
  const listens = { path, state, ...(problem === undefined ? {} : { problem }) };
  return { ...shown, auto_resume_trigger: { ...trigger, ...listens } };
};

/** The handle that every operation on a worker answers with; all keys are always there (spec/workers 1.5), and the run of the cycle where it is known. */
export const summaryOf = (worker: Worker): JsonObject => ({
  _type: "agent_handle",
  id: worker.id,
  name: worker.name,
  task: worker.task,
  status: worker.status,
  history: worker.history,
  result: worker.latest_payload,
  error: worker.latest_error,
  ...sharedFields(worker),
  ...outcomeFields(worker),
  suspension: shownSuspension(worker),
  ...(worker.run?.run_id ? { cycle_run_id: worker.run.run_id } : {}),
});

/** What an event of a worker says of it; `extra` is what only this event has (spec/workers 13.2). */
export const eventMetadata = (worker: Worker, extra: JsonObject = {}): JsonObject => ({
  task: worker.task,
  ...sharedFields(worker),
  ...outcomeFields(worker),
  error: worker.latest_error,
  ...extra,
});

/** A worker as its snapshot shows it (spec/workers 12.2), without what only the snapshot of this engine knows. */
export const snapshotFields = (worker: Worker): JsonObject => ({
  _type: "worker_snapshot",
  id: worker.id,
  name: worker.name,
  task: worker.task,
  status: worker.status,
  history: worker.history,
  config: worker.config as unknown as JsonObject,
  latest_payload: worker.latest_payload,
  latest_error: worker.latest_error,
  transcript: worker.transcript,
  artifacts: worker.artifacts as unknown as readonly JsonObject[],
  carry_policy: worker.carry_policy as unknown as JsonObject,
  ...sharedFields(worker),
});

import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { type PlacedUpdate, statusBehind } from "../worker/updates.ts";
import type { RunChildRecord, RunRecord } from "../../schema/record.ts";

const textOrNull = (value: Json | undefined): string | null =>
  typeof value === "string" && value !== "" ? value : null;

const jsonOrNull = (source: JsonObject, key: string): Json => source[key] ?? null;

/** Names the run of the newest cycle, where it is known: `run_id` is only that of a workflow that has ended. */
const cycleRun = (id: string | null | undefined): { readonly cycle_run_id?: string } =>
  typeof id === "string" ? { cycle_run_id: id } : {};

/** The child record of a worker handle; null when the handle names no worker (spec/workflow 1.16). */
export const childRunOf = (worker: Json | undefined, parentStageId: string | null): RunChildRecord | null => {
  if (!isObject(worker)) return null;
  const id = textOrNull(worker["id"]);
  if (id === null) return null;
  const audit = isObject(worker["audit"]) ? worker["audit"] : {};
  return {
    worker_id: id,
    worker_name: textOrNull(worker["name"]) ?? "worker",
    parent_stage_id: parentStageId,
    session_id: textOrNull(audit["session_id"]),
    parent_session_id: textOrNull(audit["parent_session_id"]),
    mutation_scope: textOrNull(audit["mutation_scope"]),
    approval_policy: jsonOrNull(audit, "approval_policy"),
    task: textOrNull(worker["task"]) ?? "",
    request: jsonOrNull(worker, "request"),
    provenance: jsonOrNull(worker, "provenance"),
    status: textOrNull(worker["status"]) ?? "completed",
    started_at: textOrNull(worker["started_at"]) ?? "",
    finished_at: textOrNull(worker["finished_at"]),
    run_id: textOrNull(worker["child_run_id"]),
    run_path: textOrNull(worker["child_run_path"]),
    snapshot_path: textOrNull(worker["snapshot_path"]),
    execution: jsonOrNull(worker, "execution"),
    ...cycleRun(textOrNull(worker["cycle_run_id"])),
  };
};

/** The child record of a worker that is still at work, from what it last told (spec/workers 13.2). */
export const childRunBehind = (update: PlacedUpdate, parentStageId: string): RunChildRecord | null =>
  childRunOf(
    {
      ...update.metadata,
      id: update.worker_id,
      name: update.worker_name,
      status: statusBehind(update.event),
      cycle_run_id: update.cycle_run_id,
    },
    parentStageId,
  );

/** The run of a child: that of its workflow, else the one that carried out its newest cycle; empty where none is known. */
export const childRunId = ({ run_id: id, cycle_run_id: cycle = "" }: RunChildRecord): string => id || cycle;

const filled = (known: RunChildRecord, found: RunChildRecord): RunChildRecord => ({
  worker_id: known.worker_id,
  worker_name: known.worker_name || found.worker_name,
  parent_stage_id: known.parent_stage_id ?? found.parent_stage_id,
  session_id: known.session_id ?? found.session_id,
  parent_session_id: known.parent_session_id ?? found.parent_session_id,
  mutation_scope: known.mutation_scope ?? found.mutation_scope,
  approval_policy: known.approval_policy ?? found.approval_policy,
  task: known.task || found.task,
  request: known.request ?? found.request,
  provenance: known.provenance ?? found.provenance,
  status: known.status || found.status,
  started_at: known.started_at || found.started_at,
  finished_at: known.finished_at ?? found.finished_at,
  run_id: known.run_id ?? found.run_id,
  run_path: known.run_path ?? found.run_path,
  snapshot_path: known.snapshot_path ?? found.snapshot_path,
  execution: known.execution ?? found.execution,
  ...cycleRun(known.cycle_run_id ?? found.cycle_run_id),
});

/** The child runs of a run, completed from what its stages say about their workers (spec/workflow 12.1). */
export const recoverChildRuns = (run: Pick<RunRecord, "child_runs" | "stages">): readonly RunChildRecord[] => {
  const children = new Map(run.child_runs.map((child) => [child.worker_id, child]));
  for (const stage of run.stages) {
    const found = childRunOf(stage.metadata["worker"], stage.id);
    if (found === null) continue;
    const known = children.get(found.worker_id);
    children.set(found.worker_id, known === undefined ? found : filled(known, found));
  }
  // Children that were given without a worker id all stay as they are.
  const unnamed = run.child_runs.filter((child) => child.worker_id === "");
  children.delete("");
  return [...unnamed, ...children.values()];
};

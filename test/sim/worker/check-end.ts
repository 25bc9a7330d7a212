import { isObject } from "../../../src/lib/json.ts";
import { isTerminal } from "../../../src/engine/run/state.ts";
import { isTerminal as hasEnded } from "../../../src/engine/worker/status.ts";
import { Violation } from "../violation.ts";
import type { WatchedRun } from "./watched-run.ts";
import type { WatchedWorker } from "./watched-worker.ts";
import type { WorkerWorld } from "./world.ts";

/** The stage of a worker shows what this worker came to when its parent was told (A3). */
const checkStage = (run: WatchedRun, stageId: string, workerId: string): void => {
  const completed = run.completed.get(stageId);
  const { toldAs, state } = run.world.worker(workerId);
  if (completed === undefined) {
    if (run.state?.status === "completed") run.watch.fail("A3 stage", `${stageId} was never completed`);
    return;
  }
  const { result, status } = completed;
  const shown = isObject(result) && isObject(result["worker"]) ? result["worker"] : null;
  if (shown === null) {
    // It failed by itself: its time was over, or there could be no worker.
    if (status === "completed") run.watch.fail("A3 stage", `${stageId} has a result, and not of its worker`);
    return;
  }
  if (shown["id"] !== workerId || state === null) run.watch.fail("A3 stage", `${stageId} has another one's result`);
  if (toldAs === null) return run.watch.fail("A3 stage", `${stageId} is completed, and its worker told nobody`);
  const good = toldAs.status === "completed" || toldAs.status === "stopped";
  if (good !== (status === "completed"))
    run.watch.fail("A3 stage", `${stageId} is ${status}, its worker was ${toldAs.status}`);
};

/** Nobody works for a run that is over (A4). */
const checkChildren = (run: WatchedRun): void => {
  const { state, world } = run;
  if (state === null || !isTerminal(state.status)) return;
  for (const [stageId, workerId] of run.delegated) {
    const worker = world.worker(workerId);
    if (worker.state !== null && !worker.isOver)
      run.watch.fail("A4 cancel", `${worker.name} of ${stageId} is still ${worker.state.status}`);
  }
};

const checkWorker = (worker: WatchedWorker): void => {
  const { state, world, watch } = worker;
  if (state === null) return;
  if (state.status === "interrupted") watch.fail("liveness", "it was interrupted");
  const shown = world.list.get(worker.id)?.status;
  if (shown !== state.status) watch.fail("index", `lists show ${String(shown)}, not ${state.status}`);
  if (state.parent !== null && hasEnded(state.status) && worker.toldAs === null)
    watch.fail("A11 told once", "it has ended, and its stage was not told");
  if (state.status !== "cancelled" && state.status !== "stopped") return;
  for (const id of state.children) {
    const child = world.worker(id);
    if (child.state !== null && !child.isOver) watch.fail("A4 cancel", `its child ${child.name} is not over`);
  }
};

/** The run of a worker that has ended has ended too; one that awaits has left its run behind (A4). */
const checkRun = (run: WatchedRun): void => {
  const { state, world } = run;
  const to = state?.report_to ?? null;
  if (state === null || to === null || !("worker_id" in to)) return;
  const worker = world.worker(to.worker_id).state;
  if (worker === null) return run.watch.fail("A2 one run", "its worker is not there");
  if (!run.isOver) run.watch.fail("A4 cancel", `it is ${state.status}, its worker ${worker.status}`);
};

/** What has to hold once nothing goes on any more. */
export const checkEnd = (world: WorkerWorld): void => {
  for (const run of world.runs.values()) {
    if (run.state === null) continue;
    for (const [stageId, workerId] of run.delegated) checkStage(run, stageId, workerId);
    checkChildren(run);
    checkRun(run);
    run.watch.finish();
  }
  for (const worker of world.workers.values()) {
    checkWorker(worker);
    worker.watch.finish();
  }
  for (const [workerId, by] of world.owed) {
    const { state, watch } = world.worker(workerId);
    if (state !== null) watch.fail("A4 cancel", `it was left behind by ${by}, and has ${state.status} by itself`);
  }
};

/** What still goes on; empty where nothing does. */
export const standing = (world: WorkerWorld): string =>
  [
    ...[...world.runs.values()].filter(({ isOver }) => !isOver).map(({ name, state }) => `${name} ${state?.status}`),
    ...[...world.workers.values()].filter(({ isOver }) => !isOver).map(({ name, state }) => `${name} ${state?.status}`),
  ].join("; ");

/** Whether everything has come to its end. */
export const isQuiet = (world: WorkerWorld): boolean =>
  world.underWay === 0 && [...world.runs.values(), ...world.workers.values()].every(({ isOver }) => isOver);

/** Fails a world that does not come to its end. */
export const stuck = (world: WorkerWorld): Violation => new Violation("liveness", `there still is: ${standing(world)}`);

import type { Answer } from "../../src/engine/machine.ts";
import type { RunReply } from "../../src/engine/run/command.ts";
import type { WorkerCommand, WorkerEffect } from "../../src/engine/worker/command.ts";
import { reportOf } from "../../src/engine/worker/report.ts";
import type { Worker } from "../../src/engine/worker/state.ts";
import { isTerminal } from "../../src/engine/worker/status.ts";
import { workerRow } from "../../src/engine/worker/view.ts";
import { uuidIds } from "../../src/ports/ids.ts";
import type { WorkerShell } from "../projections/worker-updates.ts";
import type { RunRequest } from "../workflow-run.ts";

/** What a worker needs of a run. */
interface ToldRun {
  readonly request: (request: RunRequest) => Promise<Answer<RunReply>>;
}

/** What a worker needs of another worker. */
interface ToldWorker {
  readonly request: (command: WorkerCommand) => Promise<Answer<unknown>>;
}

/** The run did not take an order now; the outbox gives it again. */
class OrderRefused extends Error {
  override readonly name = "OrderRefused";
}

/** A run that is over, or does not exist, needs no order any more. */
const mustHear = (answer: Answer<unknown>): void => {
  if (!answer.ok && answer.rejection.code === "unavailable") throw new OrderRefused(answer.rejection.detail);
};

/** Performs an effect of a worker. Throws when the world misbehaved: the outbox then tries again. */
export const performWorkerEffect = async (
  env: Env,
  { shell, tell }: { readonly shell: WorkerShell; readonly tell: (command: WorkerCommand) => unknown },
  effect: WorkerEffect,
): Promise<void> => {
  const worker = shell.state;
  if (worker === null) return;
  const { tenant, id } = worker;
  const run = (runId: string): ToldRun => env.WORKFLOW_RUN.getByName(`${tenant}/${runId}`) as unknown as ToldRun;
  switch (effect.type) {
    case "start_cycle":
      // A hint: whoever gets it asks the worker what is to be started. The alarm gives it again until a run is known.
      return void (await env.DRIVE_QUEUE.send({ v: 1, tenant, worker_id: id }));
    case "cancel_run":
      return mustHear(await run(effect.run_id).request({ type: "cancel_run", reason: effect.reason }));
    case "pause_run":
      return pauseRun(run(effect.run_id), effect, { id, tell });
    case "resume_run":
      return resumeRun(run(effect.run_id), effect, { worker, tell });
    case "report":
      return report(run(effect.to.run_id), effect, worker);
    case "close_child": {
      const child = env.AGENT_WORKER.getByName(`${tenant}/${effect.worker_id}`) as unknown as ToldWorker;
      return mustHear(await child.request({ type: "close" }));
    }
    case "listen":
    case "unlisten":
      return;
    case "index_worker":
      return void (await env.INDEX_QUEUE.send({ v: 1, seq: shell.seq, tenant, worker: workerRow(worker) }));
  }
};

type Effect<Type> = Extract<WorkerEffect, { readonly type: Type }>;

const pauseRun = async (
  run: ToldRun,
  { cycle }: Effect<"pause_run">,
  { id, tell }: { readonly id: string; readonly tell: (command: WorkerCommand) => unknown },
): Promise<void> => {
  const of = { worker_id: id, cycle };
  const answer = await run.request({ type: "pause_run", reason: "suspended", suspend: true, cycle: of });
  // A run that is over tells of its end by itself; one that is not there can only be begun anew.
  if (!answer.ok && answer.rejection.code === "run_not_found")
    tell({ type: "cycle_paused", cycle, turn: null, transcript: null });
  mustHear(answer);
};

const resumeRun = async (
  run: ToldRun,
  { cycle, speech, digest }: Effect<"resume_run">,
  { worker, tell }: { readonly worker: Worker; readonly tell: (command: WorkerCommand) => unknown },
): Promise<void> => {
  const { id, task, history } = worker;
  const answer = await run.request({
    type: "resume_run",
    cycle: { worker_id: id, cycle },
    ...(history.length > 1 ? { task } : {}),
    speech,
    ...(digest === undefined ? {} : { digest }),
  });
  mustHear(answer);
  // Somebody ended the run meanwhile: what it reported belongs to the cycle before.
  if (!answer.ok)
    tell({ type: "cycle_ended", cycle, result: { ok: false, cancelled: true, error: answer.rejection.detail } });
};

/** Completes the stage that waits. The attempt's token makes it happen once; a run that is over refuses, which settles it too. */
const report = async (run: ToldRun, { to }: Effect<"report">, worker: Worker): Promise<void> => {
  // It was set to work again before it could tell: what comes of that is told.
  if (!isTerminal(worker.status)) throw new OrderRefused(`worker ${worker.id} is at work again`);
  const { node_id, attempt_token } = to;
  const result = reportOf(worker, to, { now: Date.now(), nextId: uuidIds });
  mustHear(await run.request({ type: "complete_stage", node_id, attempt_token, result }));
};

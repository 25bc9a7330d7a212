import type { Answer } from "../../src/engine/machine.ts";
import type { WorkerNews } from "../../src/engine/run/command.ts";
import type { WorkerCommand, WorkerEffect } from "../../src/engine/worker/command.ts";
import { callAnswerOf, reportOf } from "../../src/engine/worker/report.ts";
import type { Worker } from "../../src/engine/worker/state.ts";
import { workerRow } from "../../src/engine/worker/view.ts";
import { toldWorker } from "../projections/told-worker.ts";
import type { WorkerShell } from "../projections/worker-updates.ts";
import type { ParentNews } from "./parent-news.ts";
import type { ToldRun, WorkerPorts } from "./worker-ports.ts";

/** The run did not take an order now; the outbox gives it again. */
class OrderRefused extends Error {
  override readonly name = "OrderRefused";
}

/** A run that is over, or does not exist, needs no order any more. */
const mustHear = (answer: Answer<unknown>): void => {
  if (!answer.ok && answer.rejection.code === "unavailable") throw new OrderRefused(answer.rejection.detail);
};

/** What performing an effect needs of its worker. */
interface Performing {
  readonly shell: WorkerShell;
  readonly news: ParentNews;
  readonly tell: (command: WorkerCommand) => unknown;
}

/** Whether an effect follows from the state: the list shows that, and the alarm orders a cycle until its run is known. */
export const isDerivedOfWorker = ({ type }: WorkerEffect): boolean =>
  type === "index_worker" || type === "tell_parent" || type === "start_cycle";

/** Performs an effect of a worker. Throws when the world misbehaved: the outbox then tries again. */
export const performWorkerEffect = async (
  ports: WorkerPorts,
  { shell, news, tell }: Performing,
  effect: WorkerEffect,
): Promise<void> => {
  const worker = shell.state;
  if (worker === null) return;
  const { id } = worker;
  switch (effect.type) {
    case "start_cycle":
      // The alarm gives it again until a run is known.
      return ports.orderCycle(id);
    case "cancel_run":
      return mustHear(await ports.run(effect.run_id).request({ type: "cancel_run", reason: effect.reason }));
    case "pause_run":
      return pauseRun(ports.run(effect.run_id), effect, { id, tell });
    case "resume_run":
      return resumeRun(ports.run(effect.run_id), effect, { worker, tell });
    case "report":
      return report(ports, effect, { worker: toldWorker(shell) ?? worker, shell, news });
    case "tell_parent":
      return tellParent(ports.run(worker.parent?.run_id ?? ""), news, news.pending(shell));
    case "close_child":
      return mustHear(await ports.worker(effect.worker_id).request({ type: "close" }));
    case "listen":
    case "unlisten":
      // The alarm gives it again until it is known to have been carried out.
      return ports.orderListening(id);
    case "index_worker":
      return ports.index(workerRow(worker), shell.seq);
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

/** Tells the run of the stage what is new of its worker. */
const tellParent = async (run: ToldRun, news: ParentNews, pending: WorkerNews | null): Promise<void> => {
  if (pending === null || pending.updates.length === 0) return;
  mustHear(await run.request({ type: "hear_worker", ...pending }));
  news.told(pending);
};

/**
 * Completes the stage that waits, with what is new of the worker. The attempt's token makes it happen once; a run that is over
 * refuses, which settles it too, and only hears the news.
 */
const report = async (
  ports: WorkerPorts,
  { to }: Effect<"report">,
  { worker, shell, news }: { readonly worker: Worker } & Pick<Performing, "shell" | "news">,
): Promise<void> => {
  const { run_id, stage_id, node_id, attempt_token, call_id } = to;
  const run = ports.run(run_id);
  const pending = news.pending(shell);
  if (call_id !== undefined) {
    await tellParent(run, news, pending);
    const answer = callAnswerOf(worker);
    const usage = worker.usage === undefined ? {} : { usage: worker.usage };
    const call = { type: "answer_call", stage_id, call_id, worker_id: worker.id, answer, ...usage } as const;
    return mustHear(await run.request(call));
  }
  const result = reportOf(worker, to, ports.context());
  const told = pending === null ? {} : { news: pending };
  const answer = await run.request({ type: "complete_stage", node_id, attempt_token, result, ...told });
  mustHear(answer);
  if (!answer.ok) await tellParent(run, news, pending);
  else if (pending !== null) news.told(pending);
};

// A delegated worker (spec/workers 8, 17).
//
//   (none) --spawn--> RUNNING --the cycle ends--> COMPLETED | FAILED | CANCELLED
//     |               |  ^  ^ \--the cycle of a retriggerable worker ends--> AWAITING --trigger--> RUNNING
//     |       suspend |  |  \--send_input-- anything but RUNNING and SUSPENDED
//     |               v  | resume, an event, the end of a timeout
//     +--born parked, SUSPENDED --the end of a timeout that is a failure--> FAILED
//        restore-->   \--resumed without an input after its run has ended--> as that run ended
//
//   anything --close--> CANCELLED; anything --graceful stop--> STOPPED
//   (none) --restore--> any status but RUNNING, which becomes INTERRUPTED
//
// W1 Only an input leaves a terminal status towards running; close and stop lead from one terminal status to another.
// W2 What comes from an earlier cycle changes nothing; the run of a cycle that nobody waits for is ended when it shows up.
// W3 A running worker has its run, or an alarm that orders it again (`start_cycle`); one that was paused is ordered by the outbox
//    (`resume_run`).
// W4 A trigger listens exactly while the suspension it belongs to lasts: `listen` goes out with the suspension, `unlisten` with
//    whatever ends it, and both again until it is known that they were carried out.
// W5 A suspended worker is resumed only after its run has come to rest: it was paused, it has ended, or it never was.
// W6 The stage that waits for a worker is told once, when the worker has ended for the first time.
// W7 A deadline acts only if it is the stored one, is over, and the worker is still suspended.
// W8 An event holds what happened, not the worker: what a restart carries is computed again, with the ids the event has.

import { type Context, type Machine, reject } from "../machine.ts";
import type { SpawnWorker, WorkerCommand, WorkerEffect, WorkerReply } from "./command.ts";
import { decideAdopt, decideBegan, decideEnded, decidePaused } from "./cycle.ts";
import { Draft, invalid, refused, type WorkerDecision } from "./draft.ts";
import type { WorkerEvent } from "./event.ts";
import { evolve } from "./evolve.ts";
import { newWorker, spawnDigest } from "./new-worker.ts";
import { recording, withTask } from "./next-cycle.ts";
import { decideRestore } from "./restore.ts";
import { decideResume, decideWake } from "./resume.ts";
import { decideHear, decideListening, decideUnlistened } from "./listen.ts";
import type { Worker, WorkerState } from "./state.ts";
import { decideClose, decideStop } from "./stop.ts";
import { decideWebhook } from "./webhook.ts";
import { decideSuspend, listen } from "./suspend.ts";

/** Refuses what is said to a worker that does not exist (spec/workers 1.6). */
export const unknownWorker = (id: string): ReturnType<typeof reject> =>
  reject("worker_not_found", `unknown worker: ${id}`);

const decideSpawn = (state: WorkerState, command: SpawnWorker, context: Context): WorkerDecision => {
  const draft = new Draft(state, context);
  if (state !== null)
    return state.request_digest === spawnDigest(command)
      ? draft.decided()
      : reject("worker_already_exists", `worker ${state.id} exists already and was asked for something else`);
  const worker = newWorker(command, draft.at, context);
  draft.emit({ type: "worker_spawned", worker });
  if (worker.suspension === null) draft.start();
  else listen(draft, worker.suspension);
  return draft.decided();
};

/** Sets a worker to work again, unless what it carries over cannot be carried (spec/workers 16). */
const giveTask = (draft: Draft, by: "input" | "trigger", task: string): WorkerDecision => {
  const { context, ids } = recording(draft.context);
  const next = withTask(draft.worker, { task, by }, context);
  if (!next.ok) return refused(next.error);
  draft.emit({ type: "task_given", by, task, ids });
  draft.start();
  return draft.decided();
};

const sendInput = (draft: Draft, task: string): WorkerDecision => {
  const { id, status } = draft.worker;
  if (task === "") return invalid("send_input: task text must not be empty");
  if (status === "running") return refused(`send_input: worker ${id} is still running`);
  if (status === "suspended") return refused(`send_input: worker ${id} is suspended; resume it with the text as input`);
  return giveTask(draft, "input", task);
};

type Trigger = Extract<WorkerCommand, { readonly type: "trigger" }>;

const trigger = (draft: Draft, { payload }: Trigger): WorkerDecision => {
  const { id, status, carry_policy }: Worker = draft.worker;
  const task = typeof payload === "string" ? payload : JSON.stringify(payload);
  if (task.trim() === "") return invalid("worker_trigger: payload must not be empty");
  if (!carry_policy.retriggerable) return refused(`worker_trigger: worker ${id} is not retriggerable`);
  if (status === "running") return refused(`worker_trigger: worker ${id} is still running`);
  if (status !== "awaiting") return refused(`worker_trigger: worker ${id} is not awaiting (status=${status})`);
  return giveTask(draft, "trigger", task);
};

type Told = Exclude<WorkerCommand, { readonly type: "spawn" | "restore" }>;

const decideTold = (draft: Draft, command: Told): WorkerDecision => {
  switch (command.type) {
    case "send_input":
      return sendInput(draft, command.task);
    case "trigger":
      return trigger(draft, command);
    case "close":
      return decideClose(draft);
    case "stop":
      return decideStop(draft, command);
    case "suspend":
      return decideSuspend(draft, command);
    case "resume":
      return decideResume(draft, command);
    case "cycle_began":
      return decideBegan(draft, command);
    case "cycle_ended":
      return decideEnded(draft, command);
    case "cycle_paused":
      return decidePaused(draft, command);
    case "report_webhook":
      return decideWebhook(draft, command);
    case "adopt_child":
      return decideAdopt(draft, command);
    case "hear":
      return decideHear(draft, command);
    case "listening":
      return decideListening(draft, command);
    case "unlistened":
      return decideUnlistened(draft, command);
    case "wake":
      return decideWake(draft);
  }
};

/** The machine of a delegated worker (spec/workers 8, 17). */
export const workerMachine: Machine<WorkerState, WorkerCommand, WorkerEvent, WorkerEffect, WorkerReply> = {
  initial: null,
  evolve,
  decide: (state, command, context) => {
    if (command.type === "spawn") return decideSpawn(state, command, context);
    if (command.type === "restore") return decideRestore(state, command, context);
    // Whoever knows the id by which the worker was looked for says so instead: a machine without a state has none.
    if (state === null) return reject("worker_not_found", "unknown worker");
    return decideTold(new Draft(state, context), command);
  },
};

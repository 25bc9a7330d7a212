import { type Context, type Machine, reject } from "../machine.ts";
import { advance } from "./advance.ts";
import { answerCall, goesOn, recordStep } from "./agent.ts";
import { answerRequest } from "./answer-request.ts";
import { closeStage, end, openStage, transition } from "./by-hand.ts";
import { changeLifecycle, isLifecycleRequest } from "./change-lifecycle.ts";
import { changeSession } from "./change-session.ts";
import { type CreateRun, controlOf, type RunCommand, type RunEffect, type RunReply, type Wake } from "./command.ts";
import { controlRun } from "./control.ts";
import { controlReply, decided, refused, type RunDecision } from "./decision.ts";
import { Draft } from "./draft.ts";
import type { RunEvent } from "./event.ts";
import { evolve } from "./evolve.ts";
import { finishIsLate, finishRun, repeatFinish } from "./finish-end.ts";
import { failRun } from "./finish.ts";
import { hear } from "./hear.ts";
import { prepareRun } from "./prepare-run.ts";
import { hearWorker } from "./hear-worker.ts";
import type { Run, RunState } from "./state.ts";
import { restLost } from "./suspend.ts";
import { deadlineError, needsDriver } from "./wake.ts";
import { nextWork } from "./walk.ts";

/*
 * A workflow run.
 *
 *   (none) --create_run--> RUNNING --advance / prepare_stage--> RUNNING, stages open --complete, hear, an answer, a deadline--> RUNNING
 *   RUNNING --pause_run, steps or budget used up--> PAUSED --resume_run--> RUNNING
 *   RUNNING --queue empty, and what is to be done then is done--> COMPLETED     --an operation raised, the run's deadline--> FAILED
 *   RUNNING | PAUSED --cancel_run--> CANCELLED
 *
 * 1. COMPLETED, FAILED and CANCELLED are final (I6).
 * 2. At most `max_parallel` stages are open, and of each map as many branches as it allows; only the holder of the current
 *    attempt token of one can complete it (I6). Stages enter the record in the order in which they were prepared.
 * 3. A repeated completion gets the first answer; the same token with another result is refused (I5).
 * 4. A node is in the queue at most once; steps never exceed max_steps.
 * 5. A running run that Godwit drives has an open stage or a queue, and `wake` orders a driver when nobody works (I7).
 * 6. A branch of a map that has settled is never executed again; those that the map no longer waits for are fenced.
 */

const FIRST_STEP = { type: "advance", live_attempts: [] } as const;

/** True for a run that has ended and is to go on for a later cycle of the worker that it belongs to. */
const mayContinue = (state: Run, { continues, report_to: next }: CreateRun): boolean => {
  const { report_to: to, status } = state;
  if (continues !== true || status === "running" || to === null || next === undefined) return false;
  return "worker_id" in to && "worker_id" in next && next.worker_id === to.worker_id && next.cycle > to.cycle;
};

/** True for the run that a worker asks for again, in the cycle that it carries out or in an earlier one. */
const isRepeated = ({ report_to: to }: Run, { continues, report_to: asked }: CreateRun): boolean => {
  if (continues !== true || to === null || asked === undefined) return false;
  return "worker_id" in to && "worker_id" in asked && asked.worker_id === to.worker_id && asked.cycle <= to.cycle;
};

const createRun = (state: RunState, command: CreateRun, context: Context): RunDecision => {
  if (state !== null && isRepeated(state, command))
    return decided(new Draft(state, context), { type: "created", control: controlOf(state), advance: null });
  if (state !== null && !mayContinue(state, command))
    return reject("run_already_exists", `run ${state.run_id} exists already`);
  const prepared = prepareRun(command, context);
  if (!prepared.ok) return prepared;
  const draft = new Draft(null, context);
  draft.emit(prepared.event);
  draft.checkpoint("start", null);
  draft.index();
  // The answer is that of preparing the run, whatever its first step leads to (spec/workflow 4.1).
  const control = controlOf(draft.run);
  const step = command.start === true && command.drive === "auto" ? nextWork(draft, FIRST_STEP) : null;
  return decided(draft, { type: "created", control, advance: step });
};

/** The watchdog: ends a run that took too long, or orders a driver where nobody works. */
const wake = (draft: Draft, command: Wake): RunDecision => {
  const late = deadlineError(draft.run, draft.context.now);
  if (late !== null) failRun(draft, { detail: late });
  else if (draft.run.suspended === true) restLost(draft, command.live_attempts);
  else if (finishIsLate(draft.run, draft.context.now)) repeatFinish(draft);
  else if (needsDriver(draft.run, command.live_attempts, draft.context.now)) draft.drive();
  return controlReply(draft);
};

const decideExisting = (run: Run, command: Exclude<RunCommand, CreateRun>, context: Context): RunDecision => {
  const draft = new Draft(run, context);
  if (isLifecycleRequest(command)) return changeLifecycle(draft, command);
  switch (command.type) {
    case "prepare_stage":
      return openStage(draft, command);
    case "complete_stage":
      if (command.news !== undefined) hearWorker(draft, command.news);
      return closeStage(draft, command);
    case "record_transitions":
      return transition(draft, command);
    case "finalize_run":
      return end(draft, command);
    case "advance": {
      const answer = advance(draft, command);
      return "code" in answer ? refused(answer) : decided(draft, { type: "advance", advance: answer });
    }
    case "record_step": {
      const rejection = recordStep(draft, command);
      if (rejection !== null) return refused(rejection);
      return decided(draft, { type: "step", goes_on: goesOn(draft, command.attempt_token) });
    }
    case "answer_call": {
      const rejection = answerCall(draft, command);
      return rejection === null ? controlReply(draft) : refused(rejection);
    }
    case "answer_request":
      return answerRequest(draft, command);
    case "session":
      return changeSession(draft, command);
    case "begin_finish":
    case "end_finish":
      return finishRun(draft, command);
    case "hear":
      return hear(draft, command);
    case "hear_worker":
      hearWorker(draft, command);
      return controlReply(draft);
    case "wake":
      return wake(draft, command);
    default: {
      const rejection = controlRun(draft, command);
      return rejection === null ? controlReply(draft) : refused(rejection);
    }
  }
};

/** The machine of a workflow run (spec/workflow 4 and 5). */
export const runMachine: Machine<RunState, RunCommand, RunEvent, RunEffect, RunReply> = {
  initial: null,
  evolve,
  decide: (state, command, context) => {
    if (command.type === "create_run") return createRun(state, command, context);
    return state === null ? reject("run_not_found", "there is no such run") : decideExisting(state, command, context);
  },
};

import { type Rejection, reject } from "../machine.ts";
import { budgetExcess } from "./budget.ts";
import type { ControlRun } from "./command.ts";
import type { Draft } from "./draft.ts";
import { stopListening } from "./finish.ts";
import { cancelRequests } from "./request-log.ts";
import { isTerminal, type Run } from "./state.ts";
import { speak } from "./suspend.ts";

const isSuspension = (command: ControlRun): boolean => command.type === "pause_run" && command.suspend === true;

const pause = (draft: Draft, command: Extract<ControlRun, { type: "pause_run" }>): void =>
  draft.emit({
    type: "run_paused",
    reason: command.reason ?? null,
    ...(command.suspend === true ? { suspend: true } : {}),
    ...(command.cycle === undefined ? {} : { cycle: command.cycle }),
  });

/** Whether a worker asks for what has happened: in this cycle it was suspended, or went on, already, or in a later one. */
const isRepeated = ({ report_to: to, suspended }: Run, command: ControlRun): boolean => {
  if (command.type === "cancel_run" || command.cycle === undefined || to === null || !("worker_id" in to)) return false;
  if (to.cycle > command.cycle.cycle) return true;
  return to.cycle === command.cycle.cycle && (command.type === "resume_run" || suspended === true);
};

/**
 * Pauses, resumes or cancels a run; each really acts (architecture 7).
 *
 * A stage under way when the run is paused may still complete; nothing new starts. Repeating a command that has taken
 * effect changes nothing. Cancelling is final.
 */
export const controlRun = (draft: Draft, command: ControlRun): Rejection | null => {
  const { run } = draft;
  const wanted = { pause_run: "paused", resume_run: "running", cancel_run: "cancelled" } as const;
  if (isRepeated(run, command)) return null;
  if (run.status === wanted[command.type] && !isSuspension(command)) return null;
  if (isTerminal(run.status))
    return reject("invalid_transition", `run ${run.run_id} is ${run.status}: it cannot be changed any more`).rejection;
  if (command.type === "resume_run" && (command.only_if_paused_by ?? run.paused_by) !== run.paused_by) return null;
  if (command.type === "pause_run") pause(draft, command);
  else if (command.type === "cancel_run") {
    cancelRequests(draft);
    draft.emit({ type: "run_cancelled", reason: command.reason ?? null });
    stopListening(draft);
  } else {
    const excess = budgetExcess(run, command.budget ?? run.budget);
    if (excess !== null)
      return reject("invalid_transition", `${excess}; resume the run with a higher budget`).rejection;
    const usedUp = run.steps >= run.max_steps;
    speak(draft, command);
    draft.emit({
      type: "run_resumed",
      ...(command.cycle === undefined ? {} : { cycle: command.cycle }),
      ...(command.task === undefined ? {} : { task: command.task }),
      max_steps: command.max_steps ?? (usedUp ? run.max_steps : null),
      ...(command.budget === undefined ? {} : { budget: command.budget }),
    });
    draft.drive();
  }
  draft.index();
  return null;
};

import { type Rejection, reject } from "../machine.ts";
import { budgetExcess } from "./budget.ts";
import type { ControlRun } from "./command.ts";
import type { Draft } from "./draft.ts";
import { stopListening } from "./finish.ts";
import { cancelRequests } from "./request-log.ts";
import { isTerminal } from "./state.ts";

/**
 * Pauses, resumes or cancels a run; each really acts (architecture 7).
 *
 * A stage under way when the run is paused may still complete; nothing new starts. Repeating a command that has taken
 * effect changes nothing. Cancelling is final.
 */
export const controlRun = (draft: Draft, command: ControlRun): Rejection | null => {
  const { run } = draft;
  const wanted = { pause_run: "paused", resume_run: "running", cancel_run: "cancelled" } as const;
  if (run.status === wanted[command.type]) return null;
  if (isTerminal(run.status))
    return reject("invalid_transition", `run ${run.run_id} is ${run.status}: it cannot be changed any more`).rejection;
  if (command.type === "resume_run" && (command.only_if_paused_by ?? run.paused_by) !== run.paused_by) return null;
  if (command.type === "pause_run") draft.emit({ type: "run_paused", reason: command.reason ?? null });
  else if (command.type === "cancel_run") {
    cancelRequests(draft);
    draft.emit({ type: "run_cancelled", reason: command.reason ?? null });
    stopListening(draft);
  } else {
    const excess = budgetExcess(run, command.budget ?? run.budget);
    if (excess !== null)
      return reject("invalid_transition", `${excess}; resume the run with a higher budget`).rejection;
    const usedUp = run.steps >= run.max_steps;
    draft.emit({
      type: "run_resumed",
      max_steps: command.max_steps ?? (usedUp ? run.max_steps : null),
      ...(command.budget === undefined ? {} : { budget: command.budget }),
    });
    draft.drive();
  }
  draft.index();
  return null;
};

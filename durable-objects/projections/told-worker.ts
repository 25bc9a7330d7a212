import { evolve } from "../../src/engine/worker/evolve.ts";
import type { Worker, WorkerState } from "../../src/engine/worker/state.ts";
import type { WorkerShell } from "./worker-updates.ts";

/**
 * A worker as it was when it had ended for the first time: that is what its stage is told, whatever it was given to do before
 * it could tell (spec/workers 14.3; 32.2). null where nobody is told.
 */
export const toldWorker = (shell: Pick<WorkerShell, "entries">): Worker | null => {
  let state: WorkerState = null;
  for (const { events } of shell.entries())
    for (const event of events) {
      state = evolve(state, event);
      if (event.type === "parent_told") return state;
    }
  return null;
};

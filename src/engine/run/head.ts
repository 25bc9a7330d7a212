import type { Json } from "../../lib/json.ts";
import { isTerminal, type RunState } from "./state.ts";

/**
 * What of a run its head row keeps: where it stands, to be seen without reading the journal. It changes with the status
 * only, so that a step of the run does not have to write it.
 */
export const runHead = (state: RunState): Json =>
  state === null
    ? null
    : {
        run_id: state.run_id,
        workflow_id: state.workflow_id,
        drive: state.drive,
        status: state.status,
        error: state.error,
      };

/** True when nothing is executed any more: the run has ended, or does not exist. What it leaves behind may still be settled. */
export const isOver = (state: RunState): boolean => state === null || isTerminal(state.status);

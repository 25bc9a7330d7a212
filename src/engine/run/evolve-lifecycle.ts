import type { LifecycleEvent } from "../finish/command.ts";
import { evolveFinishing, type FinishingEvent } from "../finish/finishing.ts";
import { lifecycleMachine } from "../finish/machine.ts";
import type { Run } from "./state.ts";

/** The run after a step of what it leaves behind (spec/workers 21). */
export const lifecycleAfter = (run: Run, event: LifecycleEvent | FinishingEvent): Run => {
  switch (event.type) {
    case "finish_ordered":
    case "finish_begun":
    case "finish_ended":
      return { ...run, lifecycle: evolveFinishing(run.lifecycle, event) };
    case "audit_recorded":
    case "handoff_recorded":
    case "handoff_acknowledged":
    case "disposition_set":
    case "on_finish_set":
    case "on_finish_taken":
      return { ...run, lifecycle: lifecycleMachine.evolve(run.lifecycle, event) };
    default:
      // An event of a newer version: the machine never refuses what was recorded.
      return run;
  }
};

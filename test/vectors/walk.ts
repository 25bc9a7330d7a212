import { driveRun } from "../../src/driver/drive.ts";
import type { AdvanceReply } from "../../src/engine/run/command.ts";
import type { Executor } from "../../src/ports/executor.ts";
import type { VirtualClock } from "./clock.ts";
import type { RunObject } from "./run-object.ts";

/** More alarms in a row than any run needs before one orders a driver. */
const MAX_ALARMS = 1000;

/** How a walk through a run ended: the run is over or paused, or something outside has to happen first. */
export type Walked = "idle" | "waiting";

interface Walking {
  readonly clock: VirtualClock;
  readonly executor: Executor;
  /** The step with which the run was created. */
  readonly first?: AdvanceReply | undefined;
  /** Does what others have to do before the run goes on. */
  readonly settle: () => Promise<void>;
}

/** Lets the product's driver walk a run as far as it goes; while it waits for a retry, time passes from alarm to alarm. */
export const walk = async (object: RunObject, { clock, executor, first, settle }: Walking): Promise<Walked> => {
  let begins = first === undefined ? {} : { first };
  for (let alarms = 0; alarms < MAX_ALARMS;) {
    const outcome = await driveRun({
      run: () => object.driven,
      executor,
      deadline: Number.MAX_SAFE_INTEGER,
      now: () => clock.now,
      sleep: async (ms) => clock.moveTo(clock.now + ms),
      ...begins,
    });
    begins = {};
    await object.settle();
    await settle();
    const ordered = await object.drain();
    if (outcome.type === "idle") return "idle";
    if (outcome.type !== "waiting") throw new Error(`the driver stopped: ${outcome.type}`);
    if (ordered || object.run.status !== "running") continue;
    if (outcome.for !== "retry") return "waiting";
    while (alarms < MAX_ALARMS && !(await object.nextAlarm())) alarms += 1;
    alarms += 1;
  }
  throw new Error("the driver stopped although the run has not ended");
};

import { vi } from "vitest";
import { WORKER_FAULTS, type WorkerFaultName } from "./faults.ts";
import { WorkerWorld } from "./world.ts";

/** What a world has cost so far. */
export interface Costs {
  readonly rows: number;
  readonly requests: number;
  readonly messages: number;
  readonly wake_ups: number;
}

/** Rows, calls, messages and alarms of a world so far. */
export const costsOf = (world: WorkerWorld): Costs => {
  const objects = [...world.runs.values(), ...world.workers.values()];
  return {
    rows: objects.reduce((sum, { host }) => sum + host.store.rowsWritten(), 0),
    requests: world.requests,
    messages: world.drive.accepted.length + world.index.accepted.length,
    wake_ups: objects.reduce((sum, { watch }) => sum + watch.alarms, 0),
  };
};

/** Does something in a world in which nothing goes wrong; its clock is that of the product meanwhile. */
export const inQuietWorld = async (act: (world: WorkerWorld) => Promise<void>): Promise<void> => {
  const world = new WorkerWorld({ seed: 1, without: new Set(Object.keys(WORKER_FAULTS) as WorkerFaultName[]) });
  vi.spyOn(Date, "now").mockImplementation(() => world.clock());
  try {
    await act(world);
  } finally {
    world.hasEnded = true;
    await new Promise((resolve) => setImmediate(resolve));
    for (const host of world.hosts()) host.store.close();
    vi.restoreAllMocks();
  }
};

/** Lets time pass. */
export const pass = async (world: WorkerWorld, ms: number): Promise<void> => {
  const until = world.scheduler.now + ms;
  // Something has to happen at the end of the time, or the clock stands still before it.
  world.scheduler.after(ms, () => {});
  await world.runUntil(() => world.scheduler.now >= until, until + 1);
};

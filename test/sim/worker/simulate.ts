import { vi } from "vitest";
import type { RunClass, WorkerClass } from "../real-object.ts";
import { type Invariant, Violation } from "../violation.ts";
import { checkEnd, isQuiet, stuck } from "./check-end.ts";
import { WORKER_FAULTS, type WorkerFaultName } from "./faults.ts";
import { cancelRun, meddle, orderAgain, reportStale, spawn, startRun, suspendAll, wakeAll } from "./people.ts";
import { WorkerWorld } from "./world.ts";

/** How long everything may take once nothing goes wrong any more. */
const CALM_MS = 4 * 3_600_000;

const SETTLING_MS = 900_000;

const WAKE_EVERY_MS = 60_000;

/** Lets a second pass; what goes wrong by itself goes wrong here. */
const tick = (world: WorkerWorld): void => {
  const { faults, scheduler, stray } = world;
  if (world.hasEnded || !faults.active) return;
  scheduler.after(1_000, () => tick(world));
  for (const host of world.hosts()) if (host.isLoaded && faults.hits("eviction")) host.reset("evicted");
  if (faults.hits("restart")) world.restart();
  if (faults.hits("spawn")) spawn(world).catch(stray);
  if (faults.hits("person")) meddle(world).catch(stray);
  if (faults.hits("cancel")) cancelRun(world).catch(stray);
  if (faults.hits("stale_report")) reportStale(world);
  if (faults.hits("order_repeated")) orderAgain(world);
};

/** Whoever looks after workers wakes those that wait for a person. */
const attend = (world: WorkerWorld): void => {
  if (world.hasEnded) return;
  world.scheduler.after(WAKE_EVERY_MS, () => attend(world));
  wakeAll(world).catch(world.stray);
};

/** What became of simulated workers. */
export interface SimulatedWorkers {
  readonly world: WorkerWorld;
  readonly violation: Violation | null;
}

/** How workers are simulated. */
export interface WorkerOptions {
  readonly run?: RunClass;
  readonly worker?: WorkerClass;
  readonly without?: ReadonlySet<WorkerFaultName>;
  /** Puts a bug into the product before anything happens. */
  readonly plant?: () => void;
}

/** Simulates runs and workers with everything that may go wrong, then lets them end in peace; the seed decides all of it. */
export const simulateWorkers = async (seed: number, options: WorkerOptions = {}): Promise<SimulatedWorkers> => {
  const world = new WorkerWorld({ seed, ...options });
  vi.spyOn(Date, "now").mockImplementation(() => world.clock());
  vi.spyOn(console, "error").mockImplementation((line) => world.trace(`reported: ${String(line)}`));
  try {
    options.plant?.();
    await live(world);
    return { world, violation: null };
  } catch (fault) {
    const violation = fault instanceof Violation ? fault : new Violation("stray fault", String((fault as Error).stack));
    return { world, violation };
  } finally {
    world.hasEnded = true;
    // What is under way comes to its next await, which never ends.
    await new Promise((resolve) => setImmediate(resolve));
    for (const host of world.hosts()) host.store.close();
    vi.restoreAllMocks();
  }
};

const live = async (world: WorkerWorld): Promise<void> => {
  const { scheduler, faults, random, stray } = world;
  tick(world);
  startRun(world, "root").catch(stray);
  for (let asked = random.int(1, 3); asked > 0; asked -= 1) spawn(world).catch(stray);
  await world.runUntil(() => false, scheduler.now + random.int(20_000, 90_000));
  faults.active = false;
  world.trace("--- nothing goes wrong any more ---");
  world.calmAt = world.clock();
  scheduler.after(random.int(500, 20_000), () => void suspendAll(world).catch(stray));
  scheduler.after(WAKE_EVERY_MS, () => attend(world));
  if (!(await world.runUntil(() => isQuiet(world), scheduler.now + CALM_MS))) throw stuck(world);
  // What is under way still arrives.
  await world.runUntil(() => false, scheduler.now + SETTLING_MS);
  if (!isQuiet(world)) throw stuck(world);
  checkEnd(world);
};

const shrink = async (seed: number, invariant: Invariant, options: WorkerOptions): Promise<readonly string[]> => {
  let without = new Set<WorkerFaultName>(options.without);
  for (const name of Object.keys(WORKER_FAULTS) as WorkerFaultName[]) {
    const fewer = new Set([...without, name]);
    const { violation } = await simulateWorkers(seed, { ...options, without: fewer });
    if (violation?.invariant === invariant) without = fewer;
  }
  const { world } = await simulateWorkers(seed, { ...options, without });
  return [...world.faults.enabled].filter((name) => world.faults.counts[name] > 0);
};

/** The text of a failure: seed, invariant, the faults it needs and what happened last. */
export const explainWorkers = async (
  seed: number,
  { world, violation }: SimulatedWorkers,
  options: WorkerOptions = {},
): Promise<string> => {
  if (violation === null) return "";
  const needed = await shrink(seed, violation.invariant, options);
  return [
    `seed ${seed}: ${violation.message}`,
    `run it alone: SIM_SEED=${seed} npx vitest run --project node test/sim/worker/worker.test.ts`,
    `faults it needs: ${needed.length === 0 ? "none" : needed.join(", ")}`,
    ...world.lastEvents,
  ].join("\n");
};

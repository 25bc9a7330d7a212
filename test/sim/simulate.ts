import { vi } from "vitest";
import { runMachine } from "../../src/engine/run/machine.ts";
import { counting, createRun as createCommand } from "../support/run-fixture.ts";
import { Random } from "../support/random.ts";
import type { CreateRun } from "../../src/engine/run/command.ts";
import { repeatCompletion, repeatStep, startDriver } from "./actors.ts";
import { FAULTS, type FaultName } from "./faults.ts";
import { ANY_GRAPH, type GraphTraits, randomGraph, randomOptions } from "./graph.ts";
import {
  answerCalls,
  answerRequests,
  cancel,
  createRun,
  pauseAndResume,
  receiveMessage,
  sendSignal,
  signalWaiting,
  workByHand,
} from "./people.ts";
import { type MailboxClass, type RunClass, WorkflowRun } from "./real-object.ts";
import { type Invariant, Violation } from "./violation.ts";
import type { WatchedRun } from "./watched-run.ts";
import { World } from "./world.ts";

/** The same class with another reducer version: what a deployment may bring. */
const withVersion = (base: RunClass, version: number): RunClass =>
  class extends (base as typeof WorkflowRun) {
    protected override parts() {
      return { ...super.parts(), reducerVersion: version };
    }
  };

const versionsOf = (variant: RunClass): readonly RunClass[] => [
  withVersion(variant, 2),
  withVersion(variant, 3),
  variant,
];

/** How long a run may take once nothing goes wrong any more. */
const CALM_MS = 4 * 3_600_000;

/** The scheduled watchdog wakes a run that looks stuck. */
const WATCHDOG_MS = 60_000;

const chooseRun = (world: World, random: Random, traits: GraphTraits): void => {
  for (;;) {
    const command = createCommand(randomGraph(random, traits), {
      options: randomOptions(random, traits),
      start: random.chance(0.8),
    });
    if (!runMachine.decide(null, command, counting()).ok) continue;
    world.first.create = command;
    return;
  }
};

/** Lets a second pass; what goes wrong by itself goes wrong here. */
const tick = (world: World): void => {
  const { faults, mailbox, scheduler } = world;
  if (world.hasEnded || !faults.active) return;
  scheduler.after(1_000, () => tick(world));
  for (const run of world.runs) if (run.host.isLoaded && faults.hits("eviction")) run.host.reset("evicted");
  if (mailbox.isLoaded && faults.hits("eviction")) mailbox.reset("evicted");
  for (const { host, variant } of world.runs)
    if (faults.hits("deploy")) host.reset("deployed", faults.random("deploy").pick(versionsOf(variant)));
  if (faults.hits("restart")) restart(world);
  if (faults.hits("clock_jump")) world.setClock(faults.random("clock_jump").int(-5_000, 30_000));
  if (faults.hits("signal")) sendSignal(world).catch(world.stray);
  if (faults.hits("receive")) receiveMessage(world).catch(world.stray);
  for (const run of world.runs) disturb(run);
};

/** What clients and drivers of a run do that nobody waits for. */
const disturb = (run: WatchedRun): void => {
  const { faults, stray } = run.world;
  if (faults.hits("late_completion")) repeatCompletion(run).catch(stray);
  if (faults.draws("step_repeated")) repeatStep(run).catch(stray);
  if (faults.hits("pause")) pauseAndResume(run).catch(stray);
  // A replay that is cancelled does not come to the end of its recording.
  if (!run.isReplay && faults.hits("cancel")) cancel(run).catch(stray);
};

const restart = (world: World): void => {
  for (const process of world.mortals) process.kill();
  for (const { host } of world.runs) host.reset("restarted");
  world.mailbox.reset("restarted");
  world.scheduler.after(500, () => world.recover());
};

const watchdog = (world: World): void => {
  if (world.hasEnded) return;
  world.scheduler.after(WATCHDOG_MS, () => watchdog(world));
  for (const run of world.runs) if (run.checker.state?.status === "running") world.wake(run);
};

const isDone = (world: World): boolean => world.expected === 0 && world.runs.every(({ isOver }) => isOver);

/** What became of a simulated run. */
export interface Simulated {
  readonly world: World;
  readonly violation: Violation | null;
}

export interface SimulateOptions {
  readonly variant?: RunClass;
  readonly mailbox?: MailboxClass;
  readonly traits?: GraphTraits;
  /** Chooses the run where it is not the seed itself that does: what goes wrong is another matter. */
  readonly run_seed?: number;
  /** Called once the world is there and before anything happens in it. */
  readonly arrange?: (world: World) => void;
  readonly without?: ReadonlySet<FaultName>;
}

/** Simulates one run with everything that may go wrong, then lets it end in peace; the seed decides all of it. */
export const simulate = async (seed: number, options: SimulateOptions = {}): Promise<Simulated> => {
  const { variant = WorkflowRun as unknown as RunClass, without = new Set<FaultName>() } = options;
  const { mailbox, traits = ANY_GRAPH, run_seed = seed, arrange } = options;
  const world = new World({ seed, variant, without, ...(mailbox === undefined ? {} : { mailbox }) });
  vi.spyOn(Date, "now").mockImplementation(() => world.clock());
  vi.spyOn(console, "error").mockImplementation((line) => world.trace(`reported: ${String(line)}`));
  try {
    chooseRun(world, Random.named(run_seed, "run"), traits);
    arrange?.(world);
    await live(world);
    return { world, violation: null };
  } catch (fault) {
    const violation = fault instanceof Violation ? fault : new Violation("stray fault", String((fault as Error).stack));
    return { world, violation };
  } finally {
    world.hasEnded = true;
    // What is under way comes to its next await, which never ends.
    await new Promise((resolve) => setImmediate(resolve));
    for (const { host } of world.runs) host.store.close();
    world.mailbox.store.close();
    vi.restoreAllMocks();
  }
};

/** Whether a run may ask people: nobody looks for questions where there are none. */
const asksPeople = ({ graph }: CreateRun): boolean => Object.values(graph.nodes).some(({ mode }) => mode === "person");

const live = async (world: World): Promise<void> => {
  const { scheduler, faults, random } = world;
  world.onDrive = (run, adopt) => startDriver(run, adopt === undefined ? {} : { adopt });
  tick(world);
  watchdog(world);
  createRun(world.first).catch(world.stray);
  workByHand(world.first).catch(world.stray);
  answerCalls(world.first).catch(world.stray);
  if (world.first.create !== null && asksPeople(world.first.create)) answerRequests(world.first).catch(world.stray);
  signalWaiting(world).catch(world.stray);
  const turmoil = scheduler.now + random.int(15_000, 90_000);
  await world.runUntil(() => false, turmoil);
  faults.active = false;
  world.trace("--- nothing goes wrong any more ---");
  const ended = await world.runUntil(() => isDone(world), scheduler.now + CALM_MS);
  if (!ended)
    throw new Violation(
      "liveness",
      `after ${CALM_MS / 60_000} minutes there is still ${world.runs
        .filter(({ isOver }) => !isOver)
        .map(standing)
        .join("; ")}`,
    );
  // Drivers that are under way still come to know of it, and messages arrive.
  await world.runUntil(() => false, scheduler.now + 400_000);
  for (const { checker } of world.runs) checker.finish();
  for (const look of world.atEnd) look();
  world.mailboxChecker.finish();
};

const standing = ({ id, checker: { state } }: WatchedRun): string =>
  `${id} ${state?.status}, open: ${state?.open.map(({ stage_id, mode, holder }) => `${stage_id} ${mode} ${holder}`).join()}`;

/** Leaves faults out as long as the same invariant still breaks; says which are needed. */
export const shrink = async (
  seed: number,
  invariant: Invariant,
  options: SimulateOptions = {},
): Promise<FaultName[]> => {
  let without = new Set<FaultName>(options.without);
  for (const name of Object.keys(FAULTS) as FaultName[]) {
    const fewer = new Set([...without, name]);
    const { violation } = await simulate(seed, { ...options, without: fewer });
    if (violation?.invariant === invariant) without = fewer;
  }
  const { world } = await simulate(seed, { ...options, without });
  return [...world.faults.enabled].filter((name) => world.faults.counts[name] > 0);
};

/** Which test failed, and how its worlds are simulated. */
interface Failed {
  readonly file: string;
  readonly options: SimulateOptions;
}

/** The text of a failure: seed, invariant, the faults it needs and what happened last. */
export const explain = async (
  seed: number,
  { world, violation }: Simulated,
  { file, options }: Failed = { file: "run", options: {} },
): Promise<string> => {
  if (violation === null) return "";
  const needed = await shrink(seed, violation.invariant, options);
  return [
    `seed ${seed}: ${violation.message}`,
    `run it alone: SIM_SEED=${seed} npx vitest run --project node test/sim/${file}.test.ts`,
    `faults it needs: ${needed.length === 0 ? "none" : needed.join(", ")}`,
    ...world.lastEvents,
  ].join("\n");
};

import { vi } from "vitest";
import type { TriggerClass } from "../real-object.ts";
import { type Invariant, Violation } from "../violation.ts";
import { answerRequests, configure, operate, send } from "./actors.ts";
import { TRIGGER_FAULTS, type TriggerFaultName } from "./faults.ts";
import { TriggerWorld } from "./world.ts";

/** How long everything may take once nothing goes wrong any more: attempts may wait for hours. */
const CALM_MS = 6 * 86_400_000;

const SETTLING_MS = 3_600_000;

/** Lets two seconds pass; what goes wrong by itself goes wrong here. */
const tick = (world: TriggerWorld): void => {
  const { faults, scheduler } = world;
  if (world.hasEnded || !faults.active) return;
  scheduler.after(2_000, () => tick(world));
  const hosts = [...world.triggers.map(({ host }) => host), ...[...world.circuits.values()].map(({ host }) => host)];
  for (const host of hosts) if (host.isLoaded && faults.hits("eviction")) host.reset("evicted");
  if (faults.hits("restart")) world.restart();
  if (faults.hits("clock_jump")) world.setClock(faults.random("clock_jump").int(-5_000, 60_000));
  if (faults.hits("outage")) world.outage(faults.random("outage").int(5_000, 90_000));
  for (const trigger of world.triggers) {
    if (faults.hits("alarm_repeated")) trigger.host.enter("an early alarm", (object) => object.alarm());
    if (world.random.chance(0.2))
      trigger.host.enter("show", (object) => trigger.checker.checkLoad(object.show()?.trigger.metrics ?? []));
    operate(trigger);
  }
};

/** What became of simulated triggers. */
export interface SimulatedTriggers {
  readonly world: TriggerWorld;
  readonly violation: Violation | null;
}

/** How triggers are simulated. */
export interface TriggerOptions {
  readonly variant?: TriggerClass;
  readonly without?: ReadonlySet<TriggerFaultName>;
  /** Puts a bug into the product before anything happens. */
  readonly plant?: () => void;
}

/** Simulates some triggers with everything that may go wrong, then lets them end in peace; the seed decides all of it. */
export const simulateTriggers = async (seed: number, options: TriggerOptions = {}): Promise<SimulatedTriggers> => {
  const world = new TriggerWorld({ seed, ...options });
  vi.spyOn(Date, "now").mockImplementation(() => world.clock());
  vi.spyOn(console, "error").mockImplementation((line) => {
    world.reportedAt = world.clock();
    world.trace(`reported: ${String(line)}`);
  });
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
    for (const { host } of world.triggers) host.store.close();
    for (const { host } of world.circuits.values()) host.store.close();
    vi.restoreAllMocks();
  }
};

const isQuiet = (world: TriggerWorld): boolean =>
  world.triggers.every(({ expected, checker }) => expected === 0 && checker.open().length === 0);

const standing = (world: TriggerWorld): string =>
  world.triggers
    .flatMap(({ id, checker }) => checker.open().map(({ key, record }) => `${id} ${key} ${record.status}`))
    .join("; ");

const live = async (world: TriggerWorld): Promise<void> => {
  const { scheduler, faults, random, stray } = world;
  tick(world);
  for (const trigger of world.triggers) {
    configure(trigger, 0)
      .then(() => send(trigger))
      .catch(stray);
    answerRequests(trigger).catch(stray);
  }
  const turmoil = scheduler.now + random.int(60_000, 400_000);
  await world.runUntil(() => false, turmoil);
  faults.active = false;
  world.trace("--- nothing goes wrong any more ---");
  for (const trigger of world.triggers) configure(trigger, 0).catch(stray);
  await world.runUntil(() => false, scheduler.now + SETTLING_MS);
  const ended = await world.runUntil(() => isQuiet(world), scheduler.now + CALM_MS);
  if (!ended) throw new Violation("liveness", `there still is: ${standing(world)}`);
  // Late reports still arrive.
  await world.runUntil(() => false, scheduler.now + SETTLING_MS);
  for (const { checker } of world.triggers) checker.finish();
  for (const { model } of world.circuits.values()) {
    world.counters.probes += model.probes;
    world.counters.openings += model.openings;
  }
};

const shrink = async (seed: number, invariant: Invariant, options: TriggerOptions): Promise<readonly string[]> => {
  let without = new Set<TriggerFaultName>(options.without);
  for (const name of Object.keys(TRIGGER_FAULTS) as TriggerFaultName[]) {
    const fewer = new Set([...without, name]);
    const { violation } = await simulateTriggers(seed, { ...options, without: fewer });
    if (violation?.invariant === invariant) without = fewer;
  }
  const { world } = await simulateTriggers(seed, { ...options, without });
  return [...world.faults.enabled].filter((name) => world.faults.counts[name] > 0);
};

/** The text of a failure: seed, invariant, the faults it needs and what happened last. */
export const explainTriggers = async (
  seed: number,
  { world, violation }: SimulatedTriggers,
  options: TriggerOptions = {},
): Promise<string> => {
  if (violation === null) return "";
  const needed = await shrink(seed, violation.invariant, options);
  return [
    `seed ${seed}: ${violation.message}`,
    `run it alone: SIM_SEED=${seed} npx vitest run --project node test/sim/trigger/trigger.test.ts`,
    `faults it needs: ${needed.length === 0 ? "none" : needed.join(", ")}`,
    ...world.lastEvents,
  ].join("\n");
};

import { describe, expect, it, vi } from "vitest";
import type { Json } from "../../src/lib/json.ts";
import { createRun as createCommand } from "../support/run-fixture.ts";
import { startDriver } from "./actors.ts";
import { FAULTS, type FaultName } from "./faults.ts";
import { createRun } from "./people.ts";
import { type RunClass, WorkflowRun } from "./real-object.ts";
import { simulate } from "./simulate.ts";
import { World } from "./world.ts";

const NO_FAULTS = new Set(Object.keys(FAULTS) as FaultName[]);

/** Starts a run to which nothing happens. */
const begin = (graph: Json, maxSteps: number): World => {
  const world = new World({ seed: 1, variant: WorkflowRun as unknown as RunClass, without: NO_FAULTS });
  vi.spyOn(Date, "now").mockImplementation(() => world.clock());
  world.first.create = createCommand(graph, { options: { max_steps: maxSteps }, start: true });
  world.onDrive = (run, adopt) => startDriver(run, adopt === undefined ? {} : { adopt });
  createRun(world.first).catch(world.stray);
  return world;
};

/** Lets one run go its way until it is paused. */
const calm = async (graph: Json, maxSteps: number): Promise<World> => {
  const world = begin(graph, maxSteps);
  await world.runUntil(() => world.checker.state?.status === "paused", world.scheduler.now + 3_600_000);
  await world.runUntil(() => false, world.scheduler.now + 60_000);
  world.checker.finish();
  vi.restoreAllMocks();
  return world;
};

const loop: Json = {
  id: "wf",
  entry: "a",
  nodes: { a: { kind: "stage", mode: "function", function: "work" } },
  edges: [{ from: "a", to: "a" }],
};

const sleeper: Json = {
  id: "wf",
  entry: "s",
  nodes: {
    s: { kind: "stage", mode: "sleep", sleep: { ms: 3_600_000 } },
    a: { kind: "stage", mode: "function", function: "work" },
  },
  edges: [{ from: "s", to: "a" }],
};

describe("a run that nothing happens to", () => {
  it("[architecture 2] sets its alarm as time passes, not as stages are completed", async () => {
    const world = await calm(loop, 200);
    expect(world.counters.executions).toBeGreaterThanOrEqual(200);
    const seconds = (world.scheduler.now - Date.UTC(2030, 0, 1)) / 1_000;
    expect(world.counters.alarms_set).toBeLessThan(seconds / 5);
    expect(world.counters.alarms_set).toBeLessThan(world.counters.executions / 2);
  });

  it("[architecture 2] writes nothing and sets no alarm while it sleeps, and wakes in time", async () => {
    const world = begin(sleeper, 10);
    const { scheduler, host, counters } = world;
    const after = (ms: number): Promise<boolean> => {
      const until = scheduler.now + ms;
      // Time goes from one thing that happens to the next: without this it would go too far.
      scheduler.after(ms, () => {});
      return world.runUntil(() => scheduler.now >= until, until);
    };
    await after(60_000);
    const asleep = { rows: host.store.rowsWritten(), alarms: counters.alarms_set, seq: world.checker.seq };
    await after(3_400_000);
    expect({ rows: host.store.rowsWritten(), alarms: counters.alarms_set, seq: world.checker.seq }).toEqual(asleep);
    expect(world.checker.state?.open.map(({ mode }) => mode)).toEqual(["sleep"]);
    await after(200_000);
    vi.restoreAllMocks();
    expect(world.checker.state?.status).toBe("completed");
    expect(counters).toMatchObject({ slept: 1, executions: 1 });
    world.checker.finish();
  });

  it("[architecture 3] loses no attempt and refuses nobody but branches that lost, whatever its graph is", async () => {
    for (let seed = 1; seed <= 25; seed++) {
      const { world, violation } = await simulate(seed, { without: NO_FAULTS });
      expect(violation, `seed ${seed}`).toBeNull();
      expect(
        world.history.filter((line) => line.includes("ended: lease_expired")),
        `seed ${seed}`,
      ).toEqual([]);
      const { drivers_failed, refused_completions, losers_refused } = world.counters;
      expect({ drivers_failed, refused: refused_completions - losers_refused }).toEqual({
        drivers_failed: 0,
        refused: 0,
      });
    }
  }, 60_000);

  it("[architecture 3] has one driver after another, never a second attempt, and rests at the end", async () => {
    const world = await calm(loop, 60);
    expect(world.counters.executed_twice).toBe(0);
    expect(world.checker.units.ended.size).toBe(0);
    expect(world.counters.refused_completions).toBe(0);
    expect(world.host.store.alarmAt()).toBeNull();
  });
});

import { describe, expect, it } from "vitest";
import { FAULTS, type FaultName } from "./faults.ts";
import { explain, simulate } from "./simulate.ts";

const env = (name: string): number | undefined => {
  const value = process.env[name];
  return value === undefined || value === "" ? undefined : Number(value);
};

const only = env("SIM_SEED");
const count = env("SIM_SEEDS") ?? 120;
const seeds = only === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [only];

/** What else has to happen in many runs: a test proves nothing about what it never saw. */
const SEEN = [
  "completed",
  "paused",
  "cancelled",
  "failed",
  "branches",
  "losers_refused",
  "deferred",
  "recruited",
  "steps_recorded",
  "parked_loops",
  "slept",
  "timed_out",
  "heard",
] as const;

/** A seed takes some 50 ms; a loaded machine may need many times that. */
const TIMEOUT_MS = 60_000 + seeds.length * 2_000;

describe("a simulated run", () => {
  it(
    `[I1-I7] keeps its invariants and ends, whatever goes wrong (${seeds.length} seeds)`,
    async () => {
      const failures: string[] = [];
      const faults = Object.fromEntries(Object.keys(FAULTS).map((name) => [name, 0])) as Record<FaultName, number>;
      const seen: Record<string, number> = {};
      for (const seed of seeds) {
        const simulated = await simulate(seed);
        const { world } = simulated;
        for (const name of Object.keys(FAULTS) as FaultName[]) faults[name] += world.faults.counts[name];
        for (const [name, value] of Object.entries(world.counters)) seen[name] = (seen[name] ?? 0) + value;
        const status = world.checker.state?.status ?? "none";
        seen[status] = (seen[status] ?? 0) + 1;
        if (simulated.violation !== null && failures.length < 3) failures.push(await explain(seed, simulated));
      }
      if (process.env["SIM_REPORT"] !== undefined) console.log(faults, seen);
      expect(failures).toEqual([]);
      if (only !== undefined || seeds.length < 100) return;
      // The test proves nothing about a fault that never happened.
      expect(Object.entries(faults).filter(([, times]) => times === 0)).toEqual([]);
      for (const name of ["executions", "handovers", "refused_completions", ...SEEN])
        expect(seen[name] ?? 0, name).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  it("[sim] the same seed gives the same history", async () => {
    const first = await simulate(8);
    const second = await simulate(8);
    expect(second.world.history).toEqual(first.world.history);
    expect(first.world.history.length).toBeGreaterThan(20);
  });
});

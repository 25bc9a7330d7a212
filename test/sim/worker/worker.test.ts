import { describe, expect, it } from "vitest";
import { WORKER_FAULTS, type WorkerFaultName } from "./faults.ts";
import { explainWorkers, simulateWorkers } from "./simulate.ts";

const env = (name: string): number | undefined => {
  const value = process.env[name];
  return value === undefined || value === "" ? undefined : Number(value);
};

const only = env("SIM_SEED");
const count = env("SIM_SEEDS") ?? 40;
const seeds = only === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [only];

const NAMES = (Object.keys(WORKER_FAULTS) as WorkerFaultName[]).filter((name) => WORKER_FAULTS[name] > 0);

const TIMEOUT_MS = 60_000 + seeds.length * 3_000;

describe("simulated workers", () => {
  it(
    `[L-32] keep their invariants and come to their ends (${seeds.length} seeds)`,
    async () => {
      const failures: string[] = [];
      const faults = Object.fromEntries(NAMES.map((name) => [name, 0])) as Record<WorkerFaultName, number>;
      const seen: Record<string, number> = {};
      for (const seed of seeds) {
        const simulated = await simulateWorkers(seed);
        const { world, violation } = simulated;
        for (const name of NAMES) faults[name] += world.faults.counts[name];
        for (const [name, value] of Object.entries(world.counters)) seen[name] = (seen[name] ?? 0) + value;
        for (const { state } of world.workers.values())
          if (state !== null) seen[state.status] = (seen[state.status] ?? 0) + 1;
        if (violation !== null && failures.length < 3) failures.push(await explainWorkers(seed, simulated));
      }
      if (process.env["SIM_REPORT"] !== undefined) console.log(faults, seen);
      expect(failures).toEqual([]);
      if (only !== undefined || seeds.length < 40) return;
      // The test proves nothing about what it never saw.
      expect(Object.entries(faults).filter(([, times]) => times === 0)).toEqual([]);
      expect(Object.entries(seen).filter(([, times]) => times === 0)).toEqual([]);
      for (const status of ["completed", "awaiting", "failed", "cancelled", "stopped"])
        expect(seen[status] ?? 0, status).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  it("[sim] the same seed gives the same history", async () => {
    const first = await simulateWorkers(8);
    const second = await simulateWorkers(8);
    expect(second.world.history).toEqual(first.world.history);
    expect(first.world.history.length).toBeGreaterThan(20);
  });
});

import { describe, expect, it } from "vitest";
import { ASKING_GRAPH } from "./graph.ts";
import { explain, simulate } from "./simulate.ts";

const only = process.env["SIM_SEED"];
const count = Number(process.env["SIM_ASKING_SEEDS"] ?? 60);
const seeds = only === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(only)];

/** What has to happen to requests: a test proves nothing about what it never saw. */
const SEEN = ["requested", "responded", "approved", "denied", "timed_out", "cancelled", "executed"] as const;

describe("a simulated run that asks people", () => {
  it(
    `[L-24] keeps its invariants and ends, whatever goes wrong (${seeds.length} seeds)`,
    async () => {
      const failures: string[] = [];
      const seen: Record<string, number> = {};
      for (const seed of seeds) {
        const options = { traits: ASKING_GRAPH };
        const simulated = await simulate(seed, options);
        for (const [name, times] of Object.entries(simulated.world.asked)) seen[name] = (seen[name] ?? 0) + times;
        if (simulated.violation !== null && failures.length < 3)
          failures.push(await explain(seed, simulated, { file: "person", options }));
      }
      if (process.env["SIM_REPORT"] !== undefined) console.log(seen);
      expect(failures).toEqual([]);
      if (only !== undefined || seeds.length < 50) return;
      for (const name of SEEN) expect(seen[name] ?? 0, name).toBeGreaterThan(0);
    },
    60_000 + seeds.length * 2_000,
  );
});

import { describe, expect, it } from "vitest";
import { descending } from "./descending.ts";
import { explain, simulate } from "./simulate.ts";

const env = (name: string): number | undefined => {
  const value = process.env[name];
  return value === undefined || value === "" ? undefined : Number(value);
};

const only = env("SIM_SEED");
const count = env("SIM_SEEDS") ?? 40;
const seeds = only === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [only];

const TIMEOUT_MS = 60_000 + seeds.length * 3_000;

/** What has to happen in many worlds: a test proves nothing about what it never saw. */
const SEEN = [
  "fork of running",
  "fork of paused",
  "fork of cancelled",
  "fork of failed",
  "fork of completed",
  "fork while stages are open",
  "fork while a stage is parked",
  "fork at a checkpoint with open stages",
  "fork edits nothing",
  "fork edits task",
  "fork edits stage_results",
  "fork compared",
  "fork compared from open stages",
  "replay of completed",
  "replay of failed",
  "replay compared",
];

describe("a run that is forked and replayed", () => {
  it(
    `[architecture] [W-12.5] stays as it is, and what is made from it ends as it should (${seeds.length} seeds)`,
    async () => {
      const failures: string[] = [];
      const seen: Record<string, number> = {};
      let pages = 0;
      for (const seed of seeds) {
        const options = descending(seed, (what) => {
          seen[what] = (seen[what] ?? 0) + 1;
        });
        const simulated = await simulate(seed, options);
        pages += simulated.world.counters.pages_read;
        if (simulated.violation !== null && failures.length < 3)
          failures.push(await explain(seed, simulated, { file: "lineage", options }));
      }
      if (process.env["SIM_REPORT"] !== undefined) console.log(seen, pages);
      expect(failures).toEqual([]);
      if (only !== undefined || seeds.length < 40) return;
      expect(pages).toBeGreaterThan(0);
      for (const what of SEEN) expect(seen[what] ?? 0, what).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});

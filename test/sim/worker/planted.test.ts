import { describe, expect, it } from "vitest";
import type { Invariant } from "../violation.ts";
import { PLANTED_WORKERS, type PlantedWorker } from "./planted.ts";
import { simulateWorkers } from "./simulate.ts";

/** A bug that so many seeds do not find would not be found in daily use either. */
const MAX_SEEDS = 60;

const firstViolation = async ({ worker, plant }: PlantedWorker): Promise<Invariant | "none"> => {
  const options = { ...(worker === undefined ? {} : { worker }), ...(plant === undefined ? {} : { plant }) };
  for (let seed = 1; seed <= MAX_SEEDS; seed += 1) {
    const { violation } = await simulateWorkers(seed, options);
    if (violation !== null) return violation.invariant;
  }
  return "none";
};

describe("the simulator of workers finds a planted bug", () => {
  it.each(PLANTED_WORKERS)("[L-32] $bug", { timeout: 120_000 }, async (planted) => {
    expect(planted.caught_as).toContain(await firstViolation(planted));
  });
});

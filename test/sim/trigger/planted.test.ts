import { describe, expect, it } from "vitest";
import type { Invariant } from "../violation.ts";
import { PLANTED_TRIGGERS, type PlantedTrigger } from "./planted.ts";
import { simulateTriggers } from "./simulate.ts";

/** A bug that so many seeds do not find would not be found in daily use either. */
const MAX_SEEDS = 80;

const firstViolation = async ({ variant, plant }: PlantedTrigger): Promise<Invariant | "none"> => {
  const options = { ...(variant === undefined ? {} : { variant }), ...(plant === undefined ? {} : { plant }) };
  for (let seed = 1; seed <= MAX_SEEDS; seed += 1) {
    const { violation } = await simulateTriggers(seed, options);
    if (violation !== null) return violation.invariant;
  }
  return "none";
};

describe("the simulator of triggers finds a planted bug", () => {
  it.each(PLANTED_TRIGGERS)("[T-7] [T-8] [T-10] [T-12] $bug", { timeout: 120_000 }, async (planted) => {
    expect(planted.caught_as).toContain(await firstViolation(planted));
  });
});

import { describe, expect, it } from "vitest";
import type { Invariant } from "./violation.ts";
import { PLANTED, type Planted } from "./planted.ts";
import { descending } from "./descending.ts";
import { PLANTED_LINEAGE } from "./planted-lineage.ts";
import { PLANTED_PARALLEL } from "./planted-parallel.ts";
import { simulate, type SimulateOptions } from "./simulate.ts";

/** A bug that so many seeds do not find would not be found in daily use either. */
const MAX_SEEDS = 150;

const firstViolation = async (
  { variant, mailbox, traits }: Planted,
  optionsOf: (seed: number) => SimulateOptions = () => ({}),
): Promise<Invariant | "none"> => {
  const options = {
    ...(variant === undefined ? {} : { variant }),
    ...(mailbox === undefined ? {} : { mailbox }),
    ...(traits === undefined ? {} : { traits }),
  };
  for (let seed = 1; seed <= MAX_SEEDS; seed++) {
    const { violation } = await simulate(seed, { ...optionsOf(seed), ...options });
    if (violation !== null) return violation.invariant;
  }
  return "none";
};

describe("the simulator finds a planted bug", () => {
  it.each([...PLANTED, ...PLANTED_PARALLEL])("[I1-I7] $bug", { timeout: 120_000 }, async (planted) => {
    expect(planted.caught_as).toContain(await firstViolation(planted));
  });

  it.each(PLANTED_LINEAGE)("[architecture] [W-12.5] $bug", { timeout: 120_000 }, async (planted) => {
    expect(planted.caught_as).toContain(await firstViolation(planted, descending));
  });
});

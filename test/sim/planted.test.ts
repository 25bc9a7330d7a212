import { describe, expect, it } from "vitest";
import type { Invariant } from "./violation.ts";
import { PLANTED } from "./planted.ts";
import { simulate } from "./simulate.ts";

/** A bug that so many seeds do not find would not be found in daily use either. */
const MAX_SEEDS = 150;

const firstViolation = async (variant: (typeof PLANTED)[number]["variant"]): Promise<Invariant | "none"> => {
  for (let seed = 1; seed <= MAX_SEEDS; seed++) {
    const { violation } = await simulate(seed, { variant });
    if (violation !== null) return violation.invariant;
  }
  return "none";
};

describe("the simulator finds a planted bug", () => {
  it.each(PLANTED)("[I1-I7] $bug", { timeout: 120_000 }, async ({ variant, caught_as }) => {
    expect(caught_as).toContain(await firstViolation(variant));
  });
});

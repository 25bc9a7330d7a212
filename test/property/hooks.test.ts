import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { attackOnce, genuineTwice, Hooks, isRefused, numbersFrom } from "../support/hostile-hooks.ts";
import { SENDERS } from "../support/hook-senders.ts";

describe("hostile deliveries", () => {
  it("[T-19.1] what was tampered with or cannot be read is a 4xx and no event, for every sender", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.nat(100_000), async (seed, turn) => {
        const result = await attackOnce(new Hooks(), numbersFrom(seed), turn);
        expect(isRefused(result) ? null : result).toBeNull();
      }),
      { numRuns: 600 },
    );
  });

  it("[T-19.5] the same deliveries are accepted as they were signed, and once", async () => {
    const hooks = new Hooks();
    for (const [turn, sender] of SENDERS.entries()) {
      const [first, second] = await genuineTwice(hooks, numbersFrom(turn), turn);
      expect(first).toMatchObject({ sender: sender.name, events: 1 });
      expect([200, 202]).toContain(first?.status);
      expect(second).toMatchObject({ events: 0, status: first?.status });
    }
  });
});

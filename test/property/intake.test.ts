import { describe, expect, it } from "vitest";
import { Intake } from "../support/intake/intake.ts";
import { INTAKE_VARIANTS } from "../support/intake/variants.ts";

const PLAN = { deliveries: 400, duplicates: 0.3, crash_every: 10 };

const played = (seed: number, variant: string) =>
  new Intake({ seed, ...PLAN, ...(INTAKE_VARIANTS[variant] ?? { change: {}, queues_forget: false }) }).play();

describe("intake while the trigger crashes", () => {
  it.each(Object.keys(INTAKE_VARIANTS))("[T-7] every key has one receipt and one run: %s", async (variant) => {
    for (const seed of [1, 2, 3]) {
      const proof = await played(seed, variant);
      expect(proof.faults, `seed ${seed}`).toEqual([]);
      expect(proof.runs).toBe(proof.keys);
      expect(proof.deliveries).toBe(PLAN.deliveries);
      // What was to be survived has happened.
      expect(proof.crashes).toBeGreaterThan(15);
      expect(proof.repeated_starts).toBeGreaterThan(0);
      expect(proof.keys).toBeLessThan(PLAN.deliveries * 0.85);
      expect(proof.rows).toMatchObject({ duplicate_max: 0 });
      expect(proof.rows.accept_mean).toBeLessThan(2.2);
      if (variant.includes("concurrency")) expect(proof.most_at_once).toBe(2);
    }
  });

  it("[T-7] the same seed gives the same history", async () => {
    expect(await played(7, "concurrency")).toEqual(await played(7, "concurrency"));
  });
});

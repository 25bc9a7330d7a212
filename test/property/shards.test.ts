import { describe, expect, it } from "vitest";
import { Intake } from "../support/intake/intake.ts";
import { SHARD_VARIANTS } from "../support/intake/variants.ts";

const PLAN = { deliveries: 300, duplicates: 0.3, crash_every: 6 };

const played = (seed: number, variant: string) =>
  new Intake({
    seed,
    ...PLAN,
    shards: 2 + (seed % 3),
    ...(SHARD_VARIANTS[variant] ?? { change: {}, queues_forget: false }),
  }).play();

describe("intake in several objects, any of which crashes", () => {
  it.each(Object.keys(SHARD_VARIANTS))(
    "[T-10] one receipt and one end for every key, gates hold over all shards, no row is left: %s",
    async (variant) => {
      for (const seed of [1, 2, 3, 4]) {
        const proof = await played(seed, variant);
        expect(proof.faults, `seed ${seed}`).toEqual([]);
        expect(proof.deliveries).toBe(PLAN.deliveries);
        expect(proof.crashes).toBeGreaterThan(15);
        if (variant.includes("concurrency")) expect(proof.most_at_once).toBe(2);
        if (variant.includes("singleton")) expect(proof.most_at_once).toBe(1);
      }
    },
  );
});

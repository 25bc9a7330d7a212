import { describe, expect, it } from "vitest";
import { DEFAULT_POLICY, policyFromEnv, queuePolicy } from "../../../src/engine/work-queue/policy.ts";
import { fairnessKeyOf } from "../../../src/engine/work-queue/scheduler.ts";

describe("a queue's policy", () => {
  it("[T-17] what is not valid falls back silently", () => {
    expect(queuePolicy(null)).toEqual(DEFAULT_POLICY);
    expect(
      queuePolicy({
        strategy: "constructor",
        fairness_key: "?",
        weights: { a: 2, b: 0, c: 1.5 },
        quantum: 0,
        default_weight: "2",
        starvation_age_ms: null,
        max_concurrent_per_key: -1,
      }),
    ).toEqual({ ...DEFAULT_POLICY, weights: { a: 2 }, starvation_age_ms: null });
  });

  it("[T-17] settings have aliases, and zero takes the starvation bound away", () => {
    expect(
      policyFromEnv({
        HARN_SCHEDULER_STRATEGY: "fair-share",
        GODWIT_SCHEDULER_STRATEGY: "drr",
        HARN_SCHEDULER_FAIRNESS_KEY: "composite",
        HARN_SCHEDULER_WEIGHTS: "a:2, x:y:3,bad,z:0",
        HARN_SCHEDULER_QUANTUM: "4",
        HARN_SCHEDULER_STARVATION_AGE_MS: "0",
        HARN_SCHEDULER_MAX_CONCURRENT_PER_KEY: "7",
        HARN_SCHEDULER_DEFAULT_WEIGHT: "-1",
      }),
    ).toEqual({
      ...DEFAULT_POLICY,
      strategy: "drr",
      fairness_key: "tenant-and-binding",
      weights: { a: 2, "x:y": 3 },
      quantum: 4,
      starvation_age_ms: null,
      max_concurrent_per_key: 7,
    });
    expect(policyFromEnv({ GODWIT_SCHEDULER_STRATEGY: 5 })).toEqual(DEFAULT_POLICY);
  });

  it("[T-17] fairness keys come from the labels of a job", () => {
    const labels = { tenant: null, binding_key: "t@v1", trigger_id: "t" };
    const key = (fairness_key: (typeof DEFAULT_POLICY)["fairness_key"]) => fairnessKeyOf({ fairness_key }, labels);
    expect([key("tenant"), key("binding"), key("trigger-id"), key("tenant-and-binding")]).toEqual([
      "_no_tenant",
      "t@v1",
      "t",
      "_no_tenant|t@v1",
    ]);
  });
});

import { describe, expect, it } from "vitest";
import { retryDelay } from "../../../src/engine/run/retry-delay.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { RetryPolicy } from "../../../src/schema/policy.ts";

const POLICY = { max_attempts: 9, backoff_ms: 100 } as RetryPolicy;

const PASSING: JsonObject = { __workflow_stage_error: true, retryable: true, error_category: "timeout" };

const delay = (
  policy: Partial<RetryPolicy>,
  failed = 1,
  result: JsonObject = PASSING,
  seed = "run:a:1",
): number | null => retryDelay({ ...POLICY, ...policy }, { result, failed, seed });

describe("how long a failed call waits for its next attempt", () => {
  it("[W-6.9] grows by the multiplier, by two without one, up to a day", () => {
    expect([1, 2, 3].map((failed) => delay({}, failed))).toEqual([100, 200, 400]);
    expect([1, 2, 3].map((failed) => delay({ backoff_multiplier: 3 }, failed))).toEqual([100, 300, 900]);
    expect([1, 2].map((failed) => delay({ backoff_multiplier: 1 }, failed))).toEqual([100, 100]);
    expect(delay({}, 60)).toBe(24 * 3600_000);
    expect(delay({ backoff_ms: 0, backoff_multiplier: 1e200 }, 3)).toBe(0);
  });

  it("[W-6.9] is at least what the other side asked for", () => {
    expect(delay({}, 1, { ...PASSING, retry_after_ms: 5_000 })).toBe(5_000);
    expect(delay({}, 3, { ...PASSING, retry_after_ms: 5 })).toBe(400);
    expect(delay({}, 1, { ...PASSING, retry_after_ms: "soon" })).toBe(100);
  });

  it("[W-6.9] is spread by the jitter, always the same for the same attempt of the same stage", () => {
    const spread = [1, 2, 3].map((failed) => delay({ jitter: 0.5, backoff_multiplier: 1 }, failed));
    expect([1, 2, 3].map((failed) => delay({ jitter: 0.5, backoff_multiplier: 1 }, failed))).toEqual(spread);
    expect(Math.max(...(spread as number[])) - Math.min(...(spread as number[]))).toBeGreaterThan(5);
    for (const ms of spread) {
      expect(ms).toBeGreaterThanOrEqual(100);
      expect(ms).toBeLessThanOrEqual(150);
    }
    expect(delay({ jitter: 0.5 }, 1, PASSING, "run:b:2")).not.toBe(delay({ jitter: 0.5 }));
  });

  it("[W-6.9] is none for what does not pass by nature", () => {
    for (const result of [{}, { retryable: false }, { retryable: "true" }, { retryable: 1 }] as const)
      expect(delay({}, 1, result)).toBeNull();
  });

  it("[W-6.9] retry_on names what is tried again in place of that", () => {
    const on = { retry_on: ["auth"] } as Partial<RetryPolicy>;
    expect(delay(on)).toBeNull();
    expect(delay(on, 1, { error_category: "auth", retryable: false })).toBe(100);
    expect(delay({ retry_on: [] } as Partial<RetryPolicy>)).toBe(100);
  });
});

import { describe, expect, it } from "vitest";
import { retentionDays } from "../../../src/cron/retention.ts";
import { type HealthFacts, triggerHealth } from "../../../src/engine/trigger/health.ts";
import { spanSchema } from "../../../src/schema/span.ts";
import { statsQuery } from "../../../src/schema/trigger-stats.ts";

const GOOD: HealthFacts = {
  state: "active",
  dispatched: 100,
  failed: 0,
  dlq_pending: 0,
  dlq_last_hour: 0,
  oldest_pending_age_ms: null,
  received: 100,
  rejected: 0,
  silence_ms: 1_000,
  silent_after_ms: null,
};

const stateOf = (change: Partial<HealthFacts>): string => triggerHealth({ ...GOOD, ...change }).state;

describe("the health of a trigger", () => {
  it.each<readonly [string, Partial<HealthFacts>]>([
    ["healthy", {}],
    ["healthy", { failed: 5 }],
    ["healthy", { oldest_pending_age_ms: 299_999 }],
    ["healthy", { received: 10, rejected: 5 }],
    ["paused", { state: "paused", dlq_last_hour: 100 }],
    ["failing", { dispatched: 2, failed: 3 }],
    ["failing", { dlq_last_hour: 5 }],
    ["failing", { oldest_pending_age_ms: 3_600_000, silent_after_ms: 1 }],
    ["silent", { silent_after_ms: 1_000, dlq_pending: 1 }],
    ["silent", { silent_after_ms: 1_000, silence_ms: null, received: 0, dispatched: 0 }],
    ["healthy", { silent_after_ms: 1_001 }],
    ["degraded", { failed: 6 }],
    ["degraded", { dispatched: 0, failed: 2 }],
    ["degraded", { dlq_pending: 1 }],
    ["degraded", { oldest_pending_age_ms: 300_000 }],
    ["degraded", { received: 10, rejected: 6 }],
    ["idle", { received: 0, dispatched: 0, silence_ms: null }],
  ])("[T-22.2] is %s for %j", (state, change) => {
    expect(stateOf(change)).toBe(state);
  });

  it("[T-22.2] names every reason of its state", () => {
    expect(triggerHealth({ ...GOOD, failed: 10, dlq_pending: 2, oldest_pending_age_ms: 300_500 })).toEqual({
      state: "degraded",
      reasons: [
        "90 % of the events were dispatched",
        "2 dead letters wait for a decision",
        "an event has been waiting for 300 s",
      ],
    });
    expect(triggerHealth(GOOD).reasons).toEqual([]);
  });
});

describe("queries about a trigger", () => {
  it("[T-22.2] spans are whole numbers with a unit", () => {
    expect(["90s", "5m", "24h", "7d", "2w"].map((text) => spanSchema.parse(text))).toEqual([
      90_000, 300_000, 86_400_000, 604_800_000, 1_209_600_000,
    ]);
    for (const text of ["", "0s", "5", "1.5h", "-1h", "1y", "1 h", "99999999d"]) {
      expect(spanSchema.safeParse(text).success).toBe(false);
    }
  });

  it("[T-22.2] a window is a day unless given, and at most 31 days", () => {
    expect(statsQuery.parse({})).toEqual({ window: 86_400_000 });
    expect(statsQuery.safeParse({ window: "31d" }).success).toBe(true);
    expect(statsQuery.safeParse({ window: "32d" }).success).toBe(false);
  });

  it("[T-26.2] rows are kept for 90 days unless a whole number of days is set", () => {
    expect([undefined, "", "0", "-1", "1.5", "week", "7", "365"].map(retentionDays)).toEqual([
      90, 90, 90, 90, 90, 90, 7, 365,
    ]);
  });
});

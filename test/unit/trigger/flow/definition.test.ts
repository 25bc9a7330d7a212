import { describe, expect, it } from "vitest";
import * as z from "zod";
import { checkFlow, flowShape, MAX_BATCH, MAX_WINDOW } from "../../../../src/schema/trigger-flow.ts";

const schema = z.strictObject(flowShape).superRefine((flow, context) => {
  checkFlow(flow, (path, message) => context.addIssue({ code: "custom", path: [...path], message }));
});

const problems = (flow: unknown): readonly string[] => {
  const parsed = schema.safeParse(flow);
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
};

const messages = (flow: unknown): readonly string[] => {
  const parsed = schema.safeParse(flow);
  return parsed.success ? [] : parsed.error.issues.map(({ message }) => message);
};

describe("the flow control of a definition", () => {
  it("[T-5.1] every key is taken as it is written", () => {
    const flow = {
      concurrency: { key: "event.a", max: 3, fair_by: "event.b", across_versions: true },
      throttle: { period: "30s", max: 1 },
      rate_limit: { key: "event.a", period: "1h", max: MAX_WINDOW },
      debounce: { key: "event.a", period: "5m" },
      singleton: {},
      priority: { key: "event.tier", order: ["gold"] },
    };
    expect(schema.parse(flow)).toEqual(flow);
    const batch = { batch: { key: "event.a", size: MAX_BATCH, timeout: "52w" }, priority: "high" };
    expect(schema.parse(batch)).toEqual(batch);
    expect(problems({})).toEqual([]);
  });

  it("[T-5.7] counts come first, then periods, each in the order of the rules", () => {
    const flow = {
      debounce: { key: "event.a", period: "5" },
      rate_limit: { period: "10", max: 0 },
      throttle: { period: "5x", max: 0 },
      concurrency: { max: 0 },
      batch: { size: 0, timeout: "0s" },
    };
    expect(messages(flow)).toEqual([
      "concurrency.max must be greater than or equal to 1",
      "throttle.max must be greater than or equal to 1",
      "rate_limit.max must be greater than or equal to 1",
      "batch.size must be greater than or equal to 1",
      "throttle.period invalid duration '5x': unsupported unit 'x', expected s/m/h/d/w",
      "rate_limit.period invalid duration '10': missing unit suffix",
      "debounce.period invalid duration '5': expected <int><unit>",
      "batch.timeout invalid duration '0s': duration must be positive",
      "batch cannot currently be combined with debounce, singleton, concurrency, priority, throttle, or rate_limit",
    ]);
  });

  it("[T-5.7] an order needs values, and slots to wait for", () => {
    expect(problems({ priority: { key: "event.a", order: [] } })).toEqual([
      "priority.order: priority.order must contain at least one value",
      "priority: priority requires concurrency.max so queued dispatches have a slot to compete for",
    ]);
    expect(problems({ priority: "low" })).toEqual([]);
    expect(problems({ priority: "urgent" })).toEqual([
      "priority: must be 'high', 'normal' or 'low', or have `key` and `order`",
    ]);
  });

  it.each([
    { debounce: { key: "event.a", period: "5s" } },
    { singleton: {} },
    { concurrency: { max: 1 } },
    { throttle: { period: "5s", max: 1 } },
    { rate_limit: { period: "5s", max: 1 } },
    { concurrency: { max: 1 }, priority: { key: "event.a", order: ["x"] } },
  ])("[T-5.7] batch goes with none of the others: %j", (other) => {
    expect(problems({ batch: { size: 2, timeout: "5s" }, ...other })).toEqual([
      "batch: batch cannot currently be combined with debounce, singleton, concurrency, priority, throttle, or rate_limit",
    ]);
  });

  it("[T-5.1] what would cost too much is refused", () => {
    expect(problems({ throttle: { period: "53w", max: 1 } })).toEqual([
      "throttle.period: throttle.period must be at most 52w",
    ]);
    expect(problems({ rate_limit: { period: "5s", max: MAX_WINDOW + 1 } }).length).toBe(1);
    expect(problems({ batch: { size: MAX_BATCH + 1, timeout: "5s" } }).length).toBe(1);
    expect(problems({ debounce: { period: "5s" } }).length).toBe(1);
    expect(problems({ singleton: { max: 1 } }).length).toBe(1);
  });
});

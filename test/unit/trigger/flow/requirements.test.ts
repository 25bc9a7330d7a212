import { describe, expect, it } from "vitest";
import {
  flowExpressions,
  keyText,
  requirementsOf,
  type FlowSettings,
} from "../../../../src/engine/trigger/flow/requirements.ts";
import type { Json } from "../../../../src/lib/json.ts";
import { err, ok } from "../../../../src/lib/result.ts";

const values: Readonly<Record<string, Json>> = {
  "event.tier": "silver",
  "event.none": null,
  "event.count": 7,
  "event.flag": true,
  "event.object": { b: [1, "x"], a: null },
  "event.text": "a b:c",
};

const subject = {
  binding_key: "orders@v3",
  evaluate: (expression: string) =>
    Object.hasOwn(values, expression) ? ok(values[expression] ?? null) : err(`no such key: ${expression}`),
};

const gatesOf = (settings: FlowSettings): unknown => {
  const found = requirementsOf(settings, subject);
  return found.ok ? found.value : found.error;
};

describe("requirements", () => {
  it("[T-10] a key value is part of the gate as it is, or as JSON", () => {
    const texts = ["plain", null, true, 7, 1.5, { b: 1, a: "x" }, [1, null]].map(keyText);
    expect(texts).toEqual(["plain", "null", "true", "7", "1.5", '{"a":"x","b":1}', "[1,null]"]);
  });

  it("[T-10] the gates come in their order, whatever the order of the settings", () => {
    const settings: FlowSettings = {
      priority: { key: "event.tier", order: ["gold", "silver"] },
      concurrency: { max: 4, key: "event.count", fair_by: "event.text" },
      singleton: { key: "event.none" },
      throttle: { period: "30s", max: 2 },
      rate_limit: { period: "1m", max: 5, key: "event.flag" },
      debounce: { key: "event.object", period: 250 },
    };
    expect(gatesOf(settings)).toEqual([
      { primitive: "debounce", gate: 'orders@v3:{"a":null,"b":[1,"x"]}', period_ms: 250 },
      { primitive: "rate_limit", gate: "orders@v3:true", max: 5, period_ms: 60_000 },
      { primitive: "throttle", gate: "orders@v3:_global", max: 2, period_ms: 30_000 },
      { primitive: "singleton", gate: "orders@v3:null" },
      { primitive: "concurrency", gate: "orders@v3:7", max: 4, rank: 1, fair_key: "a b:c" },
    ]);
    expect(flowExpressions(settings)).toEqual([
      "event.object",
      "event.flag",
      "event.none",
      "event.count",
      "event.tier",
      "event.text",
    ]);
  });

  it("[T-10] an unknown priority value ranks behind all of the order; a text is no order", () => {
    const concurrency = { max: 1 };
    const ranked = { concurrency, priority: { key: "event.count", order: ["gold", "silver"] } };
    expect(gatesOf(ranked)).toEqual([expect.objectContaining({ rank: 2, fair_key: "" })]);
    expect(gatesOf({ concurrency, priority: "high" })).toEqual([expect.objectContaining({ rank: 0 })]);
  });

  it("[T-10] a gate across versions starts with the trigger's id alone", () => {
    expect(gatesOf({ batch: { size: 2, timeout: "5s", across_versions: true } })).toEqual([
      { primitive: "batch", gate: "orders:_global", size: 2, timeout_ms: 5_000 },
    ]);
  });

  it("[T-10] a key that cannot be evaluated is the answer", () => {
    expect(gatesOf({ singleton: { key: "event.missing" } })).toBe("no such key: event.missing");
    expect(gatesOf({})).toEqual([]);
  });

  it("[T-5.1] a stored period that cannot be read is a defect", () => {
    expect(() => gatesOf({ debounce: { key: "event.tier", period: "5x" } })).toThrow("unsupported unit");
  });
});

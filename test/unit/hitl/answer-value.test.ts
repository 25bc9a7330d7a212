import { describe, expect, it } from "vitest";
import { coerceTo, standardSchema, withDefaults } from "../../../src/engine/hitl/answer-value.ts";
import type { Json } from "../../../src/lib/json.ts";

describe("an answer", () => {
  it.each<[Json, Json, Json]>([
    [0, "9", 9],
    [0, 2.9, 2],
    [0, "2.9", 0],
    [7, "many", 7],
    [7, null, 7],
    [0.5, "2.25", 2.25],
    [0.5, "x", 0.5],
    [false, "TRUE", true],
    [true, "no", true],
    ["a", 12, "12"],
    ["a", { b: 1 }, '{"b":1}'],
    [[], [1], [1]],
    [[1], "x", [1]],
    [{ a: 1 }, { b: 2 }, { b: 2 }],
    [{ a: 1 }, [], { a: 1 }],
    [null, "as it is", "as it is"],
  ])("[L-24.3] with the default %j, %j becomes %j", (fallback, answer, value) => {
    expect(coerceTo(fallback, answer)).toEqual(value);
  });

  it("[L-24.3] gets what its schema says of what it leaves out, however deep", () => {
    const unit = { type: "string", default: "kg" };
    const schema = { type: "list", items: { type: "dict", properties: { unit, of: { properties: { unit } } } } };
    expect(withDefaults(schema, [{}, { unit: "g", of: {} }, 3])).toEqual([
      { unit: "kg" },
      { unit: "g", of: { unit: "kg" } },
      3,
    ]);
    expect(withDefaults(null, { a: 1 })).toEqual({ a: 1 });
  });

  it("[L-24.3] is held to schemas in the words of the original, too", () => {
    const schema = {
      type: "dict",
      properties: { n: { type: "int" }, l: { type: "list", items: { type: ["bool", "nil"] } } },
    };
    expect(standardSchema(schema)).toEqual({
      type: "object",
      properties: { n: { type: "integer" }, l: { type: "array", items: { type: ["boolean", "null"] } } },
    });
  });
});

import { describe, expect, it } from "vitest";
import { compileExpression, evaluate } from "../../src/lib/expression.ts";

describe("expressions", () => {
  it("[T-5.1] are read and evaluated where no code can be made from texts", () => {
    expect(() => Function("return 1")).toThrow(/code generation/i);
    const text = "event.labels.exists(l, l.name.matches('^bug')) && event.number == 99 && !has(event.draft)";
    const compiled = compileExpression(text, ["event"]);
    const event = { labels: [{ name: "ui" }, { name: "bug" }], number: 99 };
    expect(compiled.ok && evaluate(compiled.value, { event })).toEqual({ ok: true, value: true });
  });
});

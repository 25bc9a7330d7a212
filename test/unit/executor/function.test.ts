import { describe, expect, test } from "vitest";
import { createRegistry } from "../../../src/executor/registry.ts";
import type { FunctionContext, FunctionHandler } from "../../../src/ports/functions.ts";
import type { Json } from "../../../src/lib/json.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { planOf, run } from "./plans.ts";

const call = (handler: FunctionHandler, input: Json = null, fields: Partial<StagePlan> = {}) =>
  run(planOf({ mode: "function", function: { name: "work", input }, ...fields }), {
    functions: createRegistry({ work: handler }),
    env: { GODWIT_SECRET_A: "very-secret" },
  });

/** A handler that breaks its type, as handlers in plain JavaScript may. */
const returning = (value: unknown): FunctionHandler => (async () => value) as FunctionHandler;

const throwing =
  (value: unknown): FunctionHandler =>
  () => {
    throw value;
  };

describe("results", () => {
  test("a text is the stage's text", async () => {
    expect(await call(async (input) => `got ${JSON.stringify(input)}`, { a: 1 })).toEqual({
      status: "completed",
      text: `got {"a":1}`,
      visible_text: `got {"a":1}`,
    });
  });

  test.each([
    [[1, "b"], `[1,"b"]`],
    [42, "42"],
    [null, "null"],
    [false, "false"],
  ])("%j is the stage's data, its text the compact JSON", async (value, text) => {
    expect(await call(() => value as Json)).toEqual({ status: "completed", text, visible_text: text, data: value });
  });

  test.each([
    [{ text: "a" }, { status: "completed", text: "a", visible_text: "a" }],
    [
      { status: "stuck", text: "a", visible_text: "b" },
      { status: "stuck", text: "a", visible_text: "b" },
    ],
    [{ data: [1] }, { status: "completed", text: "[1]", visible_text: "[1]", data: [1] }],
    [{ status: "done" }, { status: "done", text: "", visible_text: "" }],
    [
      { visible_text: "b", extra: 1 },
      { status: "completed", text: "b", visible_text: "b", extra: 1 },
    ],
    [
      { text: 5, data: 6 },
      { status: "completed", text: "6", visible_text: "6", data: 6 },
    ],
  ])("[W-6.8] the object %j is the result's fields", async (value, result) => {
    expect(await call(() => value)).toEqual(result);
  });

  test("an object without a field of a result is fields and data both", async () => {
    const text = `{"labels":["bug"]}`;
    expect(await call(() => ({ labels: ["bug"] }))).toEqual({
      status: "completed",
      labels: ["bug"],
      data: { labels: ["bug"] },
      text,
      visible_text: text,
    });
  });

  test("the handler gets its input and what identifies the call", async () => {
    let seen: FunctionContext | undefined;
    await call(
      (_input, context) => {
        seen = context;
        return null;
      },
      null,
      { attempt: 3, task: "the task" },
    );
    expect(seen).toEqual({
      run_id: "run-1",
      stage_id: "run-1:work:1",
      node_id: "work",
      attempt: 3,
      idempotency_key: "run-1:work:1",
      task: "the task",
      signal: expect.any(AbortSignal),
    });
  });
});

describe("failures", () => {
  test.each(["missing", "constructor", "__proto__"])(
    "an unknown name %s is not_found and lists the names",
    async (name) => {
      const functions = createRegistry({ b: () => null, a: () => null });
      const result = await run(planOf({ mode: "function", function: { name, input: null } }), { functions });
      expect(result["error"]).toBe(`Error [not_found]: no function "${name}" is registered; registered: a, b`);
      expect(result["retryable"]).toBe(false);
    },
  );

  test("a plan without a call is refused", async () => {
    const result = await run(planOf({ mode: "function" }));
    expect(result["error"]).toBe("Error [schema_validation]: the plan has no function call");
  });

  test("[W-0.3] a thrown error is generic, without its stack", async () => {
    const result = await call(throwing(new Error("no disk")));
    expect(result).toMatchObject({ error: `Error [generic]: function "work" failed: no disk`, retryable: false });
    expect(JSON.stringify(result)).not.toContain("at ");
  });

  test("[W-0.3] an error's own category and wait are kept", async () => {
    const result = await call(
      throwing(Object.assign(new Error("later"), { category: "rate_limit", retry_after_ms: 500 })),
    );
    expect(result).toMatchObject({ error_category: "rate_limit", retryable: true, retry_after_ms: 500 });
  });

  test.each(["weird", "toString", 5])("[W-0.3] the category %j is none of the table: generic", async (category) => {
    const result = await call(throwing(Object.assign(new Error("x"), { category })));
    expect(result["error_category"]).toBe("generic");
  });

  test.each([
    ["a text", "a text"],
    [undefined, "it threw a value without a message"],
    [null, "it threw a value without a message"],
    [{ a: 1 }, "it threw a value without a message"],
  ])("throwing %j is a failure too", async (value, reason) => {
    expect((await call(throwing(value)))["error"]).toBe(`Error [generic]: function "work" failed: ${reason}`);
  });

  test("a secret in a thrown text is redacted", async () => {
    const result = await call(throwing(new Error("login with very-secret failed")));
    expect(result["error"]).toBe(`Error [generic]: function "work" failed: login with [redacted] failed`);
  });

  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  test.each([
    [undefined, "result is undefined"],
    [{ text: "a", more: { f: () => 1 } }, "result.more.f is function"],
    [[1n], "result.0 is bigint"],
    [{ at: new Date(0) }, "result.at is a Date"],
    [{ n: Number.NaN }, "result.n is NaN"],
    [new Map(), "result is a Map"],
    [cyclic, "nested deeper than 100 levels, or contains itself"],
  ])("a returned value that is not JSON is refused: case %#", async (value, reason) => {
    const result = await call(returning(value));
    expect(result["error_category"]).toBe("schema_validation");
    expect(result["error"]).toContain(reason);
  });

  test("[architecture 2] a result beyond 1 MiB beside its long texts is refused", async () => {
    const many = Array.from({ length: 17 }, () => "x".repeat(65_000));
    const result = await call(() => ({ text: "", data: many }));
    expect(result["error"]).toMatch(
      /^Error \[generic\]: the stage's result has \d+ bytes as JSON, more than the limit/,
    );
  });

  test("[architecture 2] long texts count once, and up to 26 MiB together", async () => {
    const text = "x".repeat(20 * 1_048_576);
    expect(await call(() => ({ text, data: [text, text] }))).toMatchObject({ status: "completed" });
    const refused = await call(() => ({ text, data: "y".repeat(6 * 1_048_576 + 1) }));
    expect(refused["error"]).toContain("27262977 bytes in texts of more than 65536, more than the limit of 27262976");
  });

  test("[W-0.3] a handler that ignores its signal is timed out, and its signal aborts", async () => {
    let signal: AbortSignal | undefined;
    const result = await call(
      async (_input, context) => {
        signal = context.signal;
        return new Promise<Json>(() => {});
      },
      null,
      { timeout_ms: 50 },
    );
    expect(result["error_category"]).toBe("timeout");
    expect(signal?.aborted).toBe(true);
  });

  test("[W-0.3] nothing runs when the driver has given up already", async () => {
    let calls = 0;
    const functions = createRegistry({ work: () => (calls += 1) });
    const plan = planOf({ mode: "function", function: { name: "work", input: null } });
    const result = await run(plan, { functions }, AbortSignal.abort());
    expect(result["error"]).toBe("Error [cancelled]: the execution was cancelled by its driver");
    expect(calls).toBe(0);
  });
});

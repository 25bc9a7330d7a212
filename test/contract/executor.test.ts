import { describe, expect, test } from "vitest";
import { createExecutor } from "../../src/executor/executor.ts";
import { createRegistry } from "../../src/executor/registry.ts";
import type { StagePlan } from "../../src/schema/plan.ts";
import { sendJson, startServer } from "../unit/executor/local-server.ts";
import { configOf, httpPlan, planOf } from "../unit/executor/plans.ts";

/**
 * What every executor promises to a driver: it hands back a result for whatever happens, a failed call as the error object
 * of the specification, and it ends in time.
 */

const SECRET = "very-secret-value";
const functions = createRegistry({
  echo: (input) => input,
  fail: () => {
    throw Object.assign(new Error(`broken, ${SECRET}`), { category: "tool_error" });
  },
  slow: async () => new Promise((resolve) => setTimeout(resolve, 20, "after all")),
  hang: async () => new Promise(() => {}),
});
const config = configOf({
  functions,
  env: { GODWIT_SECRET_A: SECRET, GODWIT_ALLOW_PRIVATE_HOSTS: "127.0.0.1", GODWIT_DEFAULT_PROVIDER: "scripted" },
});
const execute = async (plan: StagePlan, signal = new AbortController().signal) =>
  createExecutor(config).execute(plan, signal);

const functionPlan = (name: string, fields: Partial<StagePlan> = {}) =>
  planOf({ mode: "function", function: { name, input: { text: `hello ${SECRET}` } }, ...fields });
const failing = { replies: [{ error: { category: "rate_limit", message: `slow, ${SECRET}` } }] };

const server = async (status: number) =>
  startServer((_q, r) => sendJson(r, status, { echoed: SECRET, by: "the server" }));

const good: readonly (readonly [string, () => Promise<StagePlan>])[] = [
  ["llm", async () => planOf({ prompt: `hello ${SECRET}` })],
  ["agent", async () => planOf({ mode: "agent", prompt: `hello ${SECRET}` })],
  ["http", async () => httpPlan({ url: (await server(200)).origin })],
  ["function", async () => functionPlan("echo")],
];
const bad: readonly (readonly [string, () => Promise<StagePlan>])[] = [
  ["llm", async () => planOf({ prompt: "hello", script: failing })],
  ["llm with tools", async () => planOf({ prompt: "hello", run_agent_loop: true, script: failing })],
  ["agent", async () => planOf({ mode: "agent", prompt: "hello", script: failing })],
  ["http", async () => httpPlan({ url: (await server(500)).origin })],
  ["function", async () => functionPlan("fail")],
  ["command", async () => planOf({ mode: "command" })],
  ["external", async () => planOf({ mode: "external" })],
];
const hanging: readonly (readonly [string, () => Promise<StagePlan>])[] = [
  ["http", async () => httpPlan({ url: (await startServer(() => {})).origin }, { timeout_ms: 50 })],
  ["function", async () => functionPlan("hang", { timeout_ms: 50 })],
];

describe("every executor", () => {
  test.each(good)("[W-6.8] %s: a call that went well has a status that succeeds and a text", async (_mode, plan) => {
    const result = await execute(await plan());
    expect(["done", "completed"]).toContain(result["status"]);
    expect(result["text"]).toBeTypeOf("string");
    expect(result).not.toHaveProperty("__workflow_stage_error");
  });

  test.each(bad)("[W-5] %s: a failed call is the error object, prefixed with its category", async (_mode, plan) => {
    const result = await execute(await plan());
    expect(result).toMatchObject({ __workflow_stage_error: true, status: "failed", text: "", visible_text: "" });
    expect(result["error"]).toMatch(new RegExp(`^Error \\[${String(result["error_category"])}\\]: .`));
    expect(result["retryable"]).toBeTypeOf("boolean");
  });

  test.each([...good, ...bad])("%s: a result is JSON and shows no secret", async (_mode, plan) => {
    const result = await execute(await plan());
    const text = JSON.stringify(result);
    expect(JSON.parse(text)).toEqual(result);
    expect(text).not.toContain(SECRET);
  });

  test.each(hanging)("[W-0.3] %s: a call that hangs ends at timeout_ms as a timeout", async (_mode, plan) => {
    const result = await execute(await plan());
    expect(result).toMatchObject({ error_category: "timeout", retryable: true });
  });

  test.each(hanging)("[W-0.3] %s: a driver that gives up ends the call as cancelled", async (_mode, plan) => {
    const controller = new AbortController();
    const running = execute({ ...(await plan()), timeout_ms: 60_000 }, controller.signal);
    controller.abort();
    expect(await running).toMatchObject({ error_category: "cancelled", retryable: false });
  });

  test.each([...good, ...bad])("[W-0.3] %s: nothing is done for a driver that gave up before", async (_mode, plan) => {
    const result = await execute(await plan(), AbortSignal.abort());
    expect(result).toMatchObject({ error_category: "cancelled" });
  });
});

test.each([
  ["command", /^Error \[generic\]: a command cannot run here: name the work queue/],
  ["external", /^Error \[generic\]: an external stage is not executed here/],
] as const)("a stage of mode %s is refused with what to use instead", async (mode, text) => {
  expect((await execute(planOf({ mode, prompt: "hello" })))["error"]).toMatch(text);
});

test("[W-0.3] a very long error text is cut after its secrets are gone", async () => {
  const message = `${"x".repeat(1990)}${SECRET}${"y".repeat(500)}`;
  const result = await execute(
    planOf({ prompt: "p", script: { replies: [{ error: { category: "generic", message } }] } }),
  );
  expect(result["error"]).toBe(`Error [generic]: ${"x".repeat(1990)}[redacted]...`);
});

test("a time limit beyond 32 bits does not fire at once", async () => {
  // Such a timer would fire after one millisecond.
  expect(await execute({ ...functionPlan("slow"), timeout_ms: 2 ** 40 })).toMatchObject({ text: "after all" });
});

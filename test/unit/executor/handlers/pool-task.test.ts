import { describe, expect, it } from "vitest";
import { runTask, type TaskCall } from "../../../../src/executor/handlers/pool-task.ts";
import { createRegistry } from "../../../../src/executor/registry.ts";
import type { FunctionHandler } from "../../../../src/ports/functions.ts";

const env = { GODWIT_SECRET_TOKEN: "very-secret" };

const never = new AbortController().signal;

const run = (f: FunctionHandler, change: Partial<TaskCall> = {}, signal = never) => {
  const call = { task_id: "t1", pool: "p", handler: "f", args: { n: 1 }, timeout_ms: 1_000, attempt: 2, ...change };
  return runTask(call, { env: env as never, functions: createRegistry({ f }) }, signal);
};

describe("carrying out a task of a pool", () => {
  it("[L-26.4] its function gets the arguments, and what it returns is the result", async () => {
    expect(await run((args) => args)).toEqual({ type: "succeeded", result: { n: 1 } });
    expect(await run(() => undefined as never)).toEqual({ type: "succeeded", result: null });
  });

  it("[L-26.4] it is told which attempt it is, and by what to make itself safe to repeat", async () => {
    const seen: unknown[] = [];
    await run((_args, { signal: _signal, ...context }) => {
      seen.push(context);
      return null;
    });
    expect(seen).toEqual([{ run_id: "t1", stage_id: "t1", node_id: "p", attempt: 2, idempotency_key: "t1" }]);
  });

  it("[L-26.4] what it throws is the task's error, without secrets", async () => {
    const failing = await run(() => {
      throw new Error("the token very-secret is wrong");
    });
    expect(failing).toMatchObject({ type: "failed", error: "the token [redacted] is wrong", retryable: true });
    expect(await run(() => ({ echoed: "very-secret" }))).toEqual({
      type: "succeeded",
      result: { echoed: "[redacted]" },
    });
  });

  it("[L-26.4] what no other attempt can mend is said to be so", async () => {
    expect(await run(() => 1, { handler: "g" })).toMatchObject({
      error: 'no function "g" is registered; registered: f',
      retryable: false,
    });
    expect(await run(() => (() => 1) as never)).toMatchObject({
      error: 'function "f" returned what JSON cannot carry: result is function',
      retryable: false,
    });
  });

  it("[L-26.2] it ends with its time, and its function is told so", async () => {
    const told: unknown[] = [];
    const outcome = await run(
      (_args, { signal }) =>
        new Promise(() => {
          signal.addEventListener("abort", () => told.push(signal.aborted));
        }),
      { timeout_ms: 5 },
    );
    expect(outcome).toMatchObject({ type: "failed", error: "task timed out after 5 ms", retryable: true });
    expect(told).toEqual([true]);
  });

  it("[I6] it ends when the task is somebody else's", async () => {
    const taken = { type: "failed", error: "the task was given to somebody else", retryable: false };
    const controller = new AbortController();
    const waiting = run(() => new Promise(() => undefined), {}, controller.signal);
    controller.abort();
    expect(await waiting).toMatchObject(taken);
    let called = false;
    const late = run(() => (called = true), {}, controller.signal);
    expect(await late).toMatchObject(taken);
    expect(called).toBe(false);
  });
});

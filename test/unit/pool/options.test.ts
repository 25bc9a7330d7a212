import { describe, expect, it } from "vitest";
import { poolOptions } from "../../../src/engine/pool/options.ts";
import { submitterOf, taskAsk } from "../../../src/engine/pool/submit.ts";
import { waitedTaskIds } from "../../../src/engine/pool/wait.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";

const errorOf = (value: Json): string => {
  const options = poolOptions(value);
  return options.ok ? "" : options.error;
};

const valueOf = (value: Json) => {
  const options = poolOptions(value);
  return options.ok ? options.value : options.error;
};

describe("the options of a pool", () => {
  it("[L-26.1] have a default each", () => {
    const defaults = {
      name: null,
      max_concurrent: 1,
      queue: { kind: "priority", key: "key" },
      backpressure: { kind: "unbounded", max_depth: null, on_full: null },
      scope: "session",
      scope_id: null,
      stale_after_ms: 30_000,
    };
    expect(valueOf(null)).toEqual(defaults);
    expect(valueOf({})).toEqual(defaults);
    expect(valueOf({ dir: ".harn/pools", queue: null, backpressure: null, scope: null })).toEqual(defaults);
  });

  it("[L-26.1] a queue is named by a text or by kind or strategy, with its field of fairness", () => {
    expect(valueOf({ queue: "fifo" })).toMatchObject({ queue: { kind: "fifo", key: "key" } });
    expect(valueOf({ queue: { strategy: "lifo" } })).toMatchObject({ queue: { kind: "lifo" } });
    expect(valueOf({ queue: { kind: "fair_round_robin", key_field: "customer" } })).toMatchObject({
      queue: { kind: "fair_round_robin", key: "customer" },
    });
    expect(valueOf({ queue: { kind: "fair_round_robin", key: "user" } })).toMatchObject({ queue: { key: "user" } });
  });

  it("[L-26.1] depth and capacity stand for each other, and a full queue blocks the submitter", () => {
    const queue = { kind: "queue", max_depth: 3, on_full: "block_submitter" };
    expect(valueOf({ backpressure: { kind: "queue", max_depth: 3 } })).toMatchObject({ backpressure: queue });
    expect(valueOf({ backpressure: { kind: "queue", capacity: 3 } })).toMatchObject({ backpressure: queue });
    const ring = { kind: "ring_buffer", max_depth: 2, on_full: null };
    expect(valueOf({ backpressure: { kind: "ring_buffer", capacity: 2 } })).toMatchObject({ backpressure: ring });
    expect(valueOf({ backpressure: { kind: "ring_buffer", max_depth: 2 } })).toMatchObject({ backpressure: ring });
    expect(valueOf({ backpressure: "fail_fast" })).toMatchObject({ backpressure: { kind: "fail_fast" } });
    for (const on_full of ["block_submitter", "drop_oldest", "drop_newest", "fail_submitter"])
      expect(valueOf({ backpressure: { kind: "queue", max_depth: 1, on_full } })).toMatchObject({
        backpressure: { on_full },
      });
  });

  it("[L-26.1] a scope id is the pipeline's or the run's as well, and a pipeline needs one", () => {
    for (const field of ["scope_id", "pipeline_id", "run_id"])
      expect(valueOf({ scope: "pipeline", [field]: "w1" })).toMatchObject({ scope: "pipeline", scope_id: "w1" });
    expect(errorOf({ scope: "pipeline" })).toBe("pool_create: scope_id is required for pipeline scope");
    expect(valueOf({ scope: "tenant" })).toMatchObject({ scope: "tenant", scope_id: null });
    expect(valueOf({ scope: "org" })).toMatchObject({ scope: "org" });
  });

  it.each<[Json, string]>([
    ["x", "pool_create: options must be a dict (got string)"],
    [[], "pool_create: options must be a dict (got list)"],
    [{ max_concurrent: 0 }, "pool_create: max_concurrent must be >= 1"],
    [{ max_concurrent: 1_001 }, "pool_create: max_concurrent must be <= 1000"],
    [{ max_concurrent: "2" }, "pool_create: max_concurrent must be an int (got string)"],
    [{ max_concurrent: 1.5 }, "pool_create: max_concurrent must be an int (got float)"],
    [{ max_concurrent: true }, "pool_create: max_concurrent must be an int (got bool)"],
    [{ max_concurrent: {} }, "pool_create: max_concurrent must be an int (got dict)"],
    [{ queue: "random" }, "pool_create: unknown queue strategy 'random'"],
    [{ backpressure: "drop" }, "pool_create: unknown backpressure policy 'drop'"],
    [{ backpressure: { kind: "queue" } }, "pool_create: max_depth must be an int (got nil)"],
    [{ backpressure: { kind: "queue", max_depth: 0 } }, "pool_create: max_depth must be >= 1"],
    [{ backpressure: { kind: "ring_buffer", capacity: 0 } }, "pool_create: capacity must be >= 1"],
    [
      { backpressure: { kind: "queue", max_depth: 1, on_full: "panic" } },
      "pool_create: unknown backpressure on_full policy 'panic'",
    ],
    [{ scope: "galaxy" }, "pool_create: unknown scope 'galaxy' (expected one of session/pipeline/tenant/org)"],
    [{ stale_after_ms: -1 }, "pool_create: stale_after_ms must be >= 0"],
    [{ name: 7 }, "pool_create: name must be a string (got int)"],
    [{ name: "" }, "pool_create: name cannot be empty"],
    [{ name: "n".repeat(201) }, "pool_create: name is longer than 200 characters"],
  ])("[L-26.1] %j is refused", (value, error) => {
    expect(errorOf(value)).toBe(error);
  });
});

const askError = (options: JsonObject): string => {
  const ask = taskAsk({ handler: "echo", ...options }, "key");
  return ask.ok ? "" : ask.error;
};

const keyIn = (options: JsonObject) => taskAsk({ handler: "echo", ...options }, "key");

describe("the options of a task", () => {
  it("[L-26.2] have a default each", () => {
    expect(taskAsk({ handler: "echo" }, "key")).toEqual({
      ok: true,
      value: {
        handler: "echo",
        timeout_ms: 300_000,
        retry: { max_attempts: 1, backoff_ms: 1_000 },
        priority: 0,
        key: null,
        idempotency_key: null,
        submitted_by: "user",
      },
    });
  });

  it("[L-26.2] the pool's own field of fairness comes before the key", () => {
    expect(taskAsk({ handler: "echo", key: "k", customer: "c" }, "customer")).toMatchObject({ value: { key: "c" } });
    expect(taskAsk({ handler: "echo", key: "k" }, "customer")).toMatchObject({ value: { key: "k" } });
    expect(taskAsk({ handler: "echo", key: "k", customer: "c" }, "key")).toMatchObject({ value: { key: "k" } });
  });

  it("[L-26.2] the idempotency key is also called id", () => {
    expect(keyIn({ id: "a" })).toMatchObject({ value: { idempotency_key: "a" } });
    expect(keyIn({ id: "a", idempotency_key: "b" })).toMatchObject({ value: { idempotency_key: "b" } });
  });

  it("[L-26.7] the submitter is the first id of its surroundings", () => {
    expect(submitterOf({ run_id: "r", worker_id: "w", task_id: "t" })).toBe("w");
    expect(submitterOf({ agent_session_id: "s", worker_id: "w" })).toBe("s");
    expect(submitterOf({ workflow_id: "", run_id: "r" })).toBe("r");
    expect(submitterOf({ other: "x" })).toBe("user");
    expect(submitterOf(undefined)).toBe("user");
  });

  it.each<[JsonObject, string]>([
    [{ handler: 7 }, "pool.submit: handler must be the name of a registered function (got int)"],
    [{ handler: null }, "pool.submit: handler must be the name of a registered function (got nil)"],
    [{ idempotency_key: "" }, "pool.submit: idempotency_key cannot be empty"],
    [{ id: " " }, "pool.submit: idempotency_key cannot be empty"],
    [{ priority: "high" }, "pool.submit: priority must be an int (got string)"],
    [{ key: 1 }, "pool.submit: key must be a string (got int)"],
    [{ key: "k".repeat(1_001) }, "pool.submit: key is longer than 1000 characters"],
    [{ timeout_ms: 0 }, "pool.submit: timeout_ms must be 1 to 840000"],
    [{ retry: 3 }, "pool.submit: retry must be a dict (got int)"],
    [{ retry: { max_attempts: 0 } }, "pool.submit: retry.max_attempts must be 1 to 20"],
    [{ retry: { backoff_ms: -1 } }, "pool.submit: retry.backoff_ms must be 0 to 300000"],
  ])("[L-26.2] %j is refused", (options, error) => {
    expect(askError(options)).toBe(error);
  });
});

describe("what is waited for", () => {
  it("[L-26.4] is a handle, an id, or a list of those", () => {
    expect(waitedTaskIds({ id: "a" })).toEqual({ ok: true, value: ["a"] });
    expect(waitedTaskIds(["a", { id: "b" }])).toEqual({ ok: true, value: ["a", "b"] });
    expect(waitedTaskIds([7])).toEqual({ ok: false, error: "pool_wait: expected pool task handle (got int)" });
    expect(waitedTaskIds({})).toEqual({ ok: false, error: "pool_wait: expected pool task handle (got dict)" });
  });
});

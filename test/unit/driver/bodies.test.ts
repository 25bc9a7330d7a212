import { describe, expect, it } from "vitest";
import { fillBodies, spillBodies } from "../../../src/driver/bodies.ts";
import { fillPlan, storeResult, withBodies } from "../../../src/driver/with-bodies.ts";
import { createExecutor } from "../../../src/executor/executor.ts";
import { createRegistry } from "../../../src/executor/registry.ts";
import { markerText, MAX_BODY_BYTES, MAX_INLINE_BYTES, wholeBody } from "../../../src/lib/body-marker.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { StagePlan, StageResult } from "../../../src/schema/plan.ts";
import { memoryBlobs } from "../../support/memory-blobs.ts";

const LONG = "long ".repeat(20_000);

const plan = (fields: Partial<StagePlan> = {}): StagePlan => ({
  kind: "stage",
  run_id: "r",
  workflow_id: "w",
  node_id: "a",
  stage_id: "r:a:1",
  attempt: 1,
  attempt_token: "t",
  idempotency_key: "r:a:1",
  mode: "function",
  timeout_ms: 1_000,
  ...fields,
});

const signal = new AbortController().signal;

const setUp = (result: StageResult = { status: "completed", text: "ok" }) => {
  const blobs = memoryBlobs();
  const seen: StagePlan[] = [];
  const inner = {
    execute: async (given: StagePlan): Promise<StageResult> => {
      seen.push(given);
      return result;
    },
  };
  const keep = async (text: string): Promise<string> => markerText(wholeBody(await blobs.put(text)));
  return { blobs, seen, keep, executor: withBodies(inner, blobs) };
};

describe("keeping bodies", () => {
  it("[architecture 2] a text of exactly 64 KiB stays, one byte more is a body", async () => {
    const blobs = memoryBlobs();
    const given = { at: "x".repeat(MAX_INLINE_BYTES), above: "é".repeat(MAX_INLINE_BYTES / 2) + "x" };
    const kept = await spillBodies(given, blobs);
    expect(kept).toMatchObject({ ok: true, value: { at: given.at } });
    expect([...blobs.bodies.values()]).toEqual([given.above]);
  });

  it("[architecture 2] the same text is kept once, however often it stands in a value", async () => {
    const blobs = memoryBlobs();
    const kept = await spillBodies({ text: LONG, visible_text: LONG, data: [LONG, { LONG }] }, blobs);
    if (!kept.ok) throw new Error("refused");
    expect(new Set([kept.value.text, kept.value.visible_text, kept.value.data[0]]).size).toBe(1);
    expect(blobs.bodies.size).toBe(1);
  });

  it("[architecture 2] a text beyond 25 MiB is refused with nothing kept", async () => {
    const blobs = memoryBlobs();
    const refused = await spillBodies([LONG, "x".repeat(MAX_BODY_BYTES + 1)], blobs);
    expect(refused).toEqual({ ok: false, error: { bytes: MAX_BODY_BYTES + 1, max_bytes: MAX_BODY_BYTES } });
    expect(blobs.bodies.size).toBe(0);
    expect((await spillBodies("x".repeat(MAX_BODY_BYTES), blobs)).ok).toBe(true);
  });
});

describe("filling bodies", () => {
  it("[architecture 2] a forged marker stays as it is: of no body, and of a body with other sizes", async () => {
    const { blobs, keep } = setUp();
    const real = await keep(LONG);
    const none = markerText(wholeBody({ sha256: "0".repeat(64), bytes: 70_000, chars: 70_000 }));
    const larger = real.replace(`:${LONG.length}:`, `:${LONG.length - 1}:`);
    const value = { real, none, larger, nested: `a${none}b` };
    expect(await fillBodies(value, blobs, { max_bytes: 1e9 })).toEqual({
      value: { ...value, real: LONG },
      left_out: [],
    });
  });

  it("[architecture 2] texts that are shared count once, and each body is read once", async () => {
    const { blobs, keep } = setUp();
    const real = await keep(LONG);
    const twice = [real, real];
    expect((await fillBodies(twice, blobs, { max_bytes: LONG.length, shared: true })).value).toEqual([LONG, LONG]);
    expect(blobs.gets).toHaveLength(1);
    const { value, left_out } = await fillBodies(twice, blobs, { max_bytes: LONG.length });
    expect(value).toEqual(twice);
    expect(left_out).toHaveLength(1);
  });

  it("[architecture 2] a text that names any number of bodies that do not exist is bounded in what it looks up", async () => {
    const { blobs } = setUp();
    const forged = Array.from({ length: 3_000 }, (_, index) =>
      markerText(wholeBody({ sha256: String(index).padStart(64, "0"), bytes: 1, chars: 1 })),
    ).join("");
    expect((await fillBodies(forged, blobs, { max_bytes: 1e9 })).value).toBe(forged);
    expect(blobs.gets.length).toBeLessThanOrEqual(512);
  });
});

describe("an executor with bodies", () => {
  it("[architecture 4.7] gets bodies in place and gives markers back", async () => {
    const { blobs, seen, keep, executor } = setUp({ status: "completed", text: LONG, visible_text: LONG });
    const marker = await keep(`${LONG}!`);
    const result = await executor.execute(
      plan({ function: { name: "f", input: { a: [marker, `<${marker}>`] } } }),
      signal,
    );
    expect(seen[0]?.function?.input).toEqual({ a: [`${LONG}!`, `<${LONG}!>`] });
    expect(result["text"]).toBe(await keep(LONG));
    expect(result["visible_text"]).toBe(result["text"]);
    expect(blobs.bodies.size).toBe(2);
  });

  it("[architecture 4.7] passes a plan and a result without long texts on as they are", async () => {
    const answer = { status: "completed", text: "short" };
    const { blobs, seen, executor } = setUp(answer);
    const given = plan({ prompt: "p" });
    expect(await executor.execute(given, signal)).toBe(answer);
    expect(seen[0]).toBe(given);
    expect(blobs.gets).toEqual([]);
  });

  it("[architecture 3] answers at once where its executor does, so that no heartbeat is started for it", async () => {
    const config = { env: {}, fetcher: fetch, functions: createRegistry({ echo: (input) => input }), now: () => 0 };
    const executor = withBodies(createExecutor(config), memoryBlobs());
    const order: string[] = [];
    const given = plan({ function: { name: "echo", input: "x" } });
    const execution = executor.execute(given, signal).then(() => order.push("executed"));
    const later = Promise.resolve()
      .then(() => undefined)
      .then(() => undefined)
      .then(() => order.push("later"));
    await Promise.all([execution, later]);
    expect(order).toEqual(["executed", "later"]);
  });

  it("[W-8.1] a body in an HTTP call is text: no secret is read out of it", async () => {
    const { seen, keep, executor } = setUp();
    const body = `{{secret.KEY}} ${LONG}`;
    const http = { method: "POST", url: "https://a.test", headers: { A: "{{secret.KEY}}" }, body: await keep(body) };
    await executor.execute(plan({ mode: "http", http }), signal);
    expect(seen[0]?.http).toEqual({ ...http, body: `{{literal.secret.KEY}} ${LONG}` });
  });

  it("[W-0.3] input beyond 26 MiB fails the stage, unless the bodies do not exist", async () => {
    const { seen, keep, executor } = setUp();
    const big = await keep("x".repeat(20 * 1_048_576));
    const input = `${big}${big}`;
    const refused = await executor.execute(plan({ function: { name: "f", input } }), signal);
    expect(refused).toMatchObject({
      __workflow_stage_error: true,
      error_category: "budget_exceeded",
      retryable: false,
    });
    expect(seen).toEqual([]);
    const forged = markerText(wholeBody({ sha256: "1".repeat(64), bytes: 900_000_000, chars: 900_000_000 }));
    await executor.execute(plan({ function: { name: "f", input: forged } }), signal);
    expect(seen[0]?.function?.input).toBe(forged);
  });

  it("[W-0.3] a result with a text beyond 25 MiB is a failed stage", async () => {
    const { blobs, executor } = setUp({ status: "completed", text: "x".repeat(MAX_BODY_BYTES + 1) });
    const result = await executor.execute(plan(), signal);
    expect(result).toMatchObject({ __workflow_stage_error: true, status: "failed" });
    expect(result["error"]).toContain(
      `a text of ${MAX_BODY_BYTES + 1} bytes, more than the limit of ${MAX_BODY_BYTES}`,
    );
    expect(blobs.bodies.size).toBe(0);
  });

  it("[W-7.1] says beside a long result what its checks saw, and drops what came as such", async () => {
    const checks = { assert_text: "long", expect_text: "short" };
    const forged = [{ kind: "assert_text", ok: true, expected: "x" }];
    const { executor } = setUp({ status: "completed", text: LONG, __checks: forged });
    expect((await executor.execute(plan({ checks }), signal))["__checks"]).toEqual([
      { kind: "assert_text", ok: true, expected: "long" },
      { kind: "expect_text", ok: false, expected: "short" },
    ]);
    const small = setUp({ status: "completed", text: "short", __checks: forged });
    expect(await small.executor.execute(plan({ checks }), signal)).toEqual({ status: "completed", text: "short" });
  });

  it("[W-6.1] decides a condition whose texts are bodies without its inner executor", async () => {
    const { seen, keep, executor } = setUp();
    const texts = [await keep(LONG), `a ${await keep(`${LONG}needle`)} b`];
    const decide = (wanted: string): Promise<StageResult> =>
      executor.execute(plan({ kind: "condition", condition: { contains_text: wanted, texts } }), signal);
    expect(await decide("needle b")).toEqual({ status: "completed", text: "true" });
    expect(await decide("needles")).toEqual({ status: "completed", text: "false" });
    expect(seen).toEqual([]);
  });
});

describe("results and plans of callers", () => {
  it("[W-7.1] the checks are asked for only where a text is long", async () => {
    const blobs = memoryBlobs();
    let asked = 0;
    const verify = (): JsonObject => {
      asked += 1;
      return { assert_text: "long" };
    };
    await storeResult({ text: "short" }, blobs, verify);
    expect(asked).toBe(0);
    expect(await storeResult({ text: LONG }, blobs, verify)).toMatchObject({ value: { __checks: [{ ok: true }] } });
    expect(asked).toBe(1);
  });

  it("[W-4.5] a plan is filled in all that is executed", async () => {
    const { blobs, keep } = setUp();
    const marker = await keep(LONG);
    const filled = await fillPlan(plan({ prompt: `a ${marker} b`, task: marker }), blobs);
    expect(filled.plan).toMatchObject({ prompt: `a ${LONG} b`, task: marker });
  });
});

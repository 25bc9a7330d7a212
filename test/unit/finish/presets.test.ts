import { describe, expect, it } from "vitest";
import { callFinishHandler, unknownHandler } from "../../../src/driver/finish.ts";
import type { FinishHarness, FinishSnapshot } from "../../../src/ports/finish.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";

const snapshot = (is_empty: boolean): FinishSnapshot => ({
  state: { partial_handoffs: is_empty ? [] : [1] },
  counts: { partial: is_empty ? 0 : 1 },
  is_empty,
  summary: is_empty ? "no unsettled work" : "unsettled work: ...",
});

/** A harness that writes down what is done; unsettled until its clock reaches a time. */
const harness = (settledAt: number) => {
  const done: (readonly Json[])[] = [];
  let now = 0;
  const made: FinishHarness = {
    run_id: "run_1",
    attempt: 1,
    idempotency_key: "run_1:on_finish",
    unsettled: async () => snapshot(now >= settledAt),
    emitAudit: async (kind, payload = null) => void done.push(["audit", kind, payload]),
    handoffTo: async (target, payload = null) => {
      done.push(["handoff", target, payload]);
      return "envelope_1";
    },
    finalize: async (disposition = null) => void done.push(["finalize", disposition]),
    settle: async ({ budget = null, return_value }) => {
      done.push(["settle", budget, return_value]);
      return { status: "completed" };
    },
    now: () => now,
    sleep: async (ms) => {
      now += ms;
    },
  };
  return { harness: made, done, elapsed: () => now };
};

const NEVER = Number.POSITIVE_INFINITY;

const finish = async (handler: string, settledAt: number, input: JsonObject | null = null) => {
  const { harness: made, done, elapsed } = harness(settledAt);
  const value = await callFinishHandler({ handler, input }, made, "value");
  return { value, done, elapsed: elapsed() };
};

describe("the handlers of the specification", () => {
  it("[L-21.11] abandon leaves everything, and says so where there is something", async () => {
    expect(await finish("abandon", 0)).toMatchObject({ value: "value", done: [] });
    expect(await finish("abandon", NEVER)).toMatchObject({
      value: "value",
      done: [["audit", "pipeline_abandoned_unsettled", { counts: { partial: 1 } }]],
    });
  });

  it("[L-21.11] drain settles, and its receipt becomes the value", async () => {
    expect(await finish("drain", 0)).toMatchObject({ value: "value", done: [["finalize", { kind: "drained" }]] });
    expect(await finish("drain", NEVER, { drain_budget_iterations: 3 })).toMatchObject({
      value: { status: "completed" },
      done: [["settle", 3, "value"]],
    });
  });

  it("[L-21.11] block_until_settled waits, and leaves it to another handler when that takes too long", async () => {
    const settled = await finish("block_until_settled", 3_000, { timeout_ms: 10_000 });
    expect(settled).toMatchObject({
      value: "value",
      done: [["audit", "pipeline_finalized:settled_within_timeout", { timeout_ms: 10_000 }]],
    });
    const late = await finish("block_until_settled", NEVER, { timeout_ms: 10_000 });
    expect(late).toMatchObject({
      value: { status: "completed" },
      elapsed: 10_000,
      done: [
        ["audit", "settlement_timeout", { timeout_ms: 10_000 }],
        ["settle", null, "value"],
      ],
    });
    const abandoned = await finish("block_until_settled", NEVER, { timeout_ms: 1, fallback: "abandon" });
    expect(abandoned.done.map(([, kind]) => kind)).toEqual(["settlement_timeout", "pipeline_abandoned_unsettled"]);
    const handed = await finish("block_until_settled", NEVER, { timeout_ms: 1, fallback: "handoff_to", target: "t" });
    expect(handed.done.at(-1)?.slice(0, 2)).toEqual(["handoff", "t"]);
    expect((await finish("block_until_settled", NEVER)).elapsed).toBe(60_000);
    expect((await finish("block_until_settled", NEVER, { timeout_ms: 1e12 })).elapsed).toBe(600_000);
  });

  it("[L-21.11] handoff_to hands on what is unsettled", async () => {
    const input = { target: "next", options: { note: "n" } };
    expect(await finish("handoff_to", 0, input)).toMatchObject({ done: [["finalize", { kind: "settled" }]] });
    expect(await finish("handoff_to", NEVER, input)).toMatchObject({
      value: "value",
      done: [["handoff", "next", { origin: "run_1", unsettled: { partial_handoffs: [1] }, note: "n" }]],
    });
    await expect(finish("handoff_to", NEVER)).rejects.toThrow("missing target pipeline argument");
  });

  it("[L-31] a handler is found by its name, and its value has to be JSON of some size", async () => {
    expect(unknownHandler("drain")).toBeNull();
    const known = "abandon, block_until_settled, drain, handoff_to";
    expect(unknownHandler("nobody")).toBe(`no finish handler "nobody" is registered; registered: ${known}`);
    await expect(finish("nobody", 0)).rejects.toThrow(/no finish handler "nobody"/);
    const { harness: made } = harness(NEVER);
    const large = { ...made, settle: async () => ({ text: "x".repeat(70_000) }) };
    const drained = callFinishHandler({ handler: "drain", input: null }, large, null);
    await expect(drained).rejects.toThrow(/more than the limit of 65536/);
    const broken = { ...made, settle: async () => ({ at: new Date(0) as unknown as Json }) };
    await expect(callFinishHandler({ handler: "drain", input: null }, broken, null)).rejects.toThrow(
      "it returned what JSON cannot carry: result.at is a Date",
    );
  });
});

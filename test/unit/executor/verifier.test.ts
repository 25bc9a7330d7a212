import { describe, expect, it } from "vitest";
import { createRegistry } from "../../../src/executor/registry.ts";
import type { FunctionHandler } from "../../../src/ports/functions.ts";
import type { StageResult } from "../../../src/schema/plan.ts";
import { planOf, run } from "./plans.ts";

const judge = (handler: FunctionHandler, timeout_ms = 5_000): Promise<StageResult> =>
  run(planOf({ kind: "verify", mode: "function", function: { name: "judge", input: null }, timeout_ms }), {
    functions: createRegistry({ judge: handler }),
  });

const threw = (finding: string) => ({
  status: "completed",
  text: "",
  visible_text: "",
  data: { ok: false, findings: [finding] },
});

const fails: FunctionHandler = () => {
  throw new Error("no such file");
};

const hangs: FunctionHandler = (_input, { signal }) =>
  new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

describe("a verifier", () => {
  it("[W-7.1] that throws has found something", async () => {
    expect(await judge(fails)).toEqual(threw("verifier threw: no such file"));
    expect(await judge(() => Promise.reject(new Error("late")))).toEqual(threw("verifier threw: late"));
    expect(await judge(() => Promise.reject(new TypeError("")))).toEqual(threw("verifier threw: TypeError"));
  });

  it("[W-7.1] that answers is taken at its word", async () => {
    expect(await judge(() => true)).toMatchObject({ data: true });
    expect(await judge(async () => ({ ok: false, findings: ["x"] }))).toMatchObject({ data: { ok: false } });
  });

  it("[W-7.1] that does not end in time, or is not registered, has failed as a call", async () => {
    expect(await judge(hangs, 5)).toMatchObject({ __workflow_stage_error: true, error_category: "timeout" });
    const plan = planOf({ kind: "verify", mode: "function", function: { name: "gone", input: null } });
    expect(await run(plan)).toMatchObject({ __workflow_stage_error: true, error_category: "not_found" });
  });
});

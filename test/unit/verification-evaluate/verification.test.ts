import { describe, expect, it } from "vitest";
import { evaluateVerification } from "../../../src/engine/verification/evaluate.ts";
import { classifyOutcome } from "../../../src/engine/verification/outcome.ts";

const command = (exit: number, output = "nope") => ({
  status: "completed",
  text: output,
  visible_text: output,
  command: "run",
  stdout: output,
  stderr: "warned",
  exit_status: exit,
  success: exit === 0,
});

describe("evaluating a verification", () => {
  it.each([null, "x", [], 3, {}])("[W-7.1] %j checks nothing and holds", (verify) => {
    expect(evaluateVerification(verify, { text: "x" })).toEqual({ kind: "none", ok: true });
  });

  it("[W-7.1] assert_text looks into the visible text, and into the text only without one", () => {
    const assert = { assert_text: "Mock" };
    expect(evaluateVerification(assert, { text: "Mock", visible_text: "" })).toEqual({
      kind: "composite",
      ok: false,
      checks: [{ kind: "assert_text", ok: false, expected: "Mock" }],
    });
    expect(evaluateVerification(assert, { text: "a Mock" }).ok).toBe(true);
    expect(evaluateVerification(assert, { text: "Mock", visible_text: null }).ok).toBe(false);
    expect(evaluateVerification(assert, null).ok).toBe(false);
  });

  it("[W-7.1] expect_status is compared with the first status field that is present", () => {
    const expect200 = { expect_status: 200 };
    expect(evaluateVerification(expect200, { status_code: 200, status: 1 })).toMatchObject({
      ok: true,
      checks: [{ kind: "expect_status", ok: true, expected: 200, actual: 200 }],
    });
    expect(evaluateVerification(expect200, { status: 200 }).ok).toBe(true);
    expect(evaluateVerification(expect200, { exit_status: 1, status_code: 200 }).ok).toBe(false);
    expect(evaluateVerification(expect200, { status: "completed" }).checks).toMatchObject([{ actual: null }]);
  });

  it("[W-7.1] expect_text may stand anywhere in the output", () => {
    const check = { expect_status: 0, expect_text: "warned" };
    expect(evaluateVerification(check, command(0)).ok).toBe(true);
    expect(evaluateVerification({ ...check, expect_text: "absent" }, command(0))).toMatchObject({
      ok: false,
      checks: [{ kind: "expect_status" }, { kind: "expect_text", ok: false, expected: "absent" }],
    });
  });

  it("[W-7.1] a command that exits non-zero fails unless that status is expected", () => {
    const verify = { command: "run" };
    expect(evaluateVerification(verify, command(1))).toEqual({
      kind: "composite",
      ok: false,
      checks: [{ kind: "exit_status", ok: false, expected: 0, actual: 1 }],
    });
    expect(evaluateVerification(verify, command(0))).toEqual({ kind: "none", ok: true });
    expect(evaluateVerification({ ...verify, expect_status: 1 }, command(1)).ok).toBe(true);
    expect(evaluateVerification({ assert_text: "nope" }, command(-1)).ok).toBe(false);
    // Without a command a number called status is the result's own business.
    expect(evaluateVerification({}, { status: 1 }).ok).toBe(true);
  });

  it("[W-7.1] all checks must hold", () => {
    const verify = { assert_text: "nope", expect_status: 0 };
    expect(evaluateVerification(verify, command(0)).ok).toBe(true);
    expect(evaluateVerification(verify, command(2)).ok).toBe(false);
  });
});

describe("classifying an outcome", () => {
  it.each([
    ["stage", { status: "stuck" }, { ok: true }, { outcome: "stuck", branch: "failed" }],
    ["stage", { status: "done" }, { ok: true }, { outcome: "success", branch: "success" }],
    ["stage", {}, null, { outcome: "success", branch: "success" }],
    ["stage", { status: 3 }, {}, { outcome: "success", branch: "success" }],
    ["stage", { status: "completed" }, { ok: false }, { outcome: "success", branch: "success" }],
    ["subagent", { status: "completed" }, {}, { outcome: "subagent_completed", branch: "success" }],
    ["subagent", { status: "failed" }, {}, { outcome: "failed", branch: "failed" }],
    ["verify", { status: "stuck" }, { ok: true }, { outcome: "verified", branch: "passed" }],
    ["verify", {}, null, { outcome: "verified", branch: "passed" }],
    ["verify", { status: "done" }, { ok: false }, { outcome: "verification_failed", branch: "failed" }],
  ])("[W-6.8] %s %j %j gives %j", (kind, result, verification, expected) => {
    expect(classifyOutcome(kind, result, verification)).toEqual(expected);
  });
});

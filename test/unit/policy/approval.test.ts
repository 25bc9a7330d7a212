import { describe, expect, it } from "vitest";
import { evaluateApproval, intersectApprovalPolicies, NO_APPROVAL_RULES } from "../../../src/engine/policy/approval.ts";
import { globMatch, globMatcher } from "../../../src/engine/policy/glob.ts";
import { annotationsFrom } from "../../../src/engine/policy/tools.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { approvalOf } from "../graph/fixture.ts";

const evaluate = (policy: unknown, tool: string, args: Json = null, annotations: JsonObject | null = null) =>
  evaluateApproval({
    policy: approvalOf(policy),
    tool,
    args,
    annotations: annotations === null ? null : annotationsFrom(annotations),
  });

describe("globs", () => {
  it.each([
    ["*", "anything", true],
    ["exec*", "exec_at", true],
    ["*_file", "read_file", true],
    ["exec*", "read_file", false],
    ["read_file", "read_file", true],
    ["read_file", "write_file", false],
    ["src/*", "src/a/b.rs", true],
    ["src/**", "src/a.rs", false],
    ["src/**", "src/*a.rs", true],
    ["a*b", "aXb", false],
    ["a*b", "a*b", true],
    ["*", "", true],
    ["", "", true],
    ["*x*", "axb", false],
    ["*x*", "*xb", true],
    ["*abcdef", "def", false],
  ])("[W-10.4] %j against %j", (pattern, name, expected) => {
    expect(globMatch(pattern, name)).toBe(expected);
    expect(globMatcher([pattern])(name)).toBe(expected);
    expect(globMatcher(["never", pattern, "nope*", "*nil"])(name)).toBe(expected);
  });
});

const denied = (path: string) => ({
  decision: "auto_denied",
  reason: `tool 'edit' targets '${path}' which is not in the write-path allowlist`,
});

const writes = { kind: "edit", path_params: ["path"], arg_aliases: { file: "path", other: "name" } };

const judge = (path: string, pattern: string, workspace_roots: readonly string[]) =>
  evaluateApproval({
    policy: approvalOf({ write_path_allowlist: [pattern] }),
    tool: "edit",
    args: { path },
    annotations: annotationsFrom(writes),
    workspace_roots,
  }).decision;

describe("evaluateApproval", () => {
  const approved = { decision: "auto_approved" };

  it("[W-10.4] refusals beat everything", () => {
    expect(evaluate({ auto_approve: ["*"], auto_deny: ["safe", "dangerous_*"] }, "dangerous_rm")).toEqual({
      decision: "auto_denied",
      reason: "tool 'dangerous_rm' matches deny pattern 'dangerous_*'",
    });
  });

  it("[W-10.4] approvals beat questions, and unmatched tools are approved", () => {
    expect(evaluate({ auto_approve: ["read*", "search*"] }, "read_file")).toEqual(approved);
    expect(evaluate({ require_approval: ["edit*"] }, "edit_file", { path: "foo.rs" })).toEqual({
      decision: "requires_host_approval",
    });
    expect(evaluate({ auto_approve: ["read*"], require_approval: ["edit*"] }, "unknown_tool")).toEqual(approved);
    expect(evaluate({ auto_approve: ["read*"], require_approval: ["edit*"] }, "edit")).toMatchObject({
      decision: "requires_host_approval",
    });
    expect(evaluate({ auto_approve: ["edit*"], require_approval: ["edit*"] }, "edit_file")).toEqual(approved);
    expect(evaluate({}, "x")).toEqual(approved);
  });

  describe("write paths", () => {
    const policy = { write_path_allowlist: ["src/*"] };
    it.each([
      [{ path: "src/a.ts" }],
      [{ path: "./src//a.ts" }],
      [{ path: "lib/../src/a.ts" }],
      [{ path: ["src/a", "src/b"] }],
      [{ path: 5 }],
      [{ other: "etc/x" }],
      [{}],
      ["text"],
    ])("[W-10.4] %j may be written", (args) => {
      expect(evaluate(policy, "edit", args, writes)).toEqual(approved);
    });

    it.each([
      [{ path: "etc/passwd" }, "etc/passwd"],
      [{ path: ["src/a", "lib/b"] }, "lib/b"],
      [{ path: "src/../etc/passwd" }, "src/../etc/passwd"],
      [{ path: "src\\..\\etc" }, "src\\..\\etc"],
      [{ path: "../src/a" }, "../src/a"],
      [{ path: "../../src/a" }, "../../src/a"],
      [{ path: "/../src/a" }, "/../src/a"],
      [{ file: "etc/x" }, "etc/x"],
    ])("[W-10.4] %j may not", (args, path) => {
      expect(evaluate(policy, "edit", args, writes)).toEqual(denied(path));
    });

    it("[W-10.4] read-only kinds, unannotated tools and open lists are not affected", () => {
      for (const kind of ["read", "search", "think", "fetch"]) {
        expect(evaluate(policy, "edit", { path: "etc" }, { ...writes, kind })).toEqual(approved);
      }
      expect(evaluate(policy, "edit", { path: "etc" }, { ...writes, kind: "other" })).toEqual(denied("etc"));
      expect(evaluate(policy, "edit", { path: "etc" })).toEqual(approved);
      expect(evaluate({}, "edit", { path: "etc" }, writes)).toEqual(approved);
      expect(evaluate({ denied_all: ["write_path_allowlist"] }, "edit", { path: "x" }, writes)).toEqual(denied("x"));
    });

    it("[W-10.4] paths are tried relative to each workspace root and from the top", () => {
      expect(judge("/w/src/a", "src/*", ["/w"])).toBe("auto_approved");
      expect(judge("/w/src/a", "src/*", ["/w/"])).toBe("auto_approved");
      expect(judge("/src/a", "src/*", ["/"])).toBe("auto_approved");
      expect(judge("src/a", "/w/src/*", ["/w"])).toBe("auto_approved");
      expect(judge("../x/a", "/w/*", ["/w"])).toBe("auto_denied");
      expect(judge("/wider/src/a", "src/*", ["/w"])).toBe("auto_denied");
      expect(judge("/src/a", "src/*", ["relative", ""])).toBe("auto_denied");
    });
  });
});

describe("intersectApprovalPolicies", () => {
  it("[W-10.4] adds refusals and questions up and keeps common approvals and paths", () => {
    const result = intersectApprovalPolicies(
      approvalOf({
        auto_deny: ["rm*"],
        auto_approve: ["read*", "search*"],
        require_approval: ["edit*"],
        write_path_allowlist: ["src/*"],
      }),
      approvalOf({ auto_deny: ["drop*", "rm*"], auto_approve: ["read*", "write*"], require_approval: ["run*"] }),
    );
    expect(result).toEqual({
      auto_deny: ["rm*", "drop*"],
      auto_approve: ["read*"],
      require_approval: ["edit*", "run*"],
      write_path_allowlist: ["src/*"],
    });
  });

  it("[W-10.4] a side without an opinion takes the other's", () => {
    const one = approvalOf({ auto_approve: ["read*"] });
    expect(intersectApprovalPolicies(one, NO_APPROVAL_RULES)).toEqual(one);
    expect(intersectApprovalPolicies(NO_APPROVAL_RULES, one)).toEqual(one);
  });

  it("[W-10.4] an approval of one scope does not answer the question of another", () => {
    const asks = approvalOf({ require_approval: ["edit*"] });
    const approves = approvalOf({ auto_approve: ["edit*"] });
    for (const merged of [intersectApprovalPolicies(asks, approves), intersectApprovalPolicies(approves, asks)]) {
      expect(merged.always_require_approval).toEqual(["edit*"]);
      expect(evaluate(merged, "edit_file")).toEqual({ decision: "requires_host_approval" });
      expect(evaluate(merged, "read_file")).toEqual({ decision: "auto_approved" });
    }
    const both = approvalOf({ auto_approve: ["edit*"], require_approval: ["edit*"] });
    expect(intersectApprovalPolicies(both, approves)).toEqual(both);
  });

  it("[W-19.12] nothing in common leaves none, and none stays none", () => {
    const none = intersectApprovalPolicies(
      approvalOf({ auto_approve: ["a"], write_path_allowlist: ["x"] }),
      approvalOf({ auto_approve: ["b"], write_path_allowlist: ["y"] }),
    );
    expect(none).toEqual({ ...NO_APPROVAL_RULES, denied_all: ["auto_approve", "write_path_allowlist"] });
    expect(intersectApprovalPolicies(approvalOf({ auto_approve: ["a"] }), none)).toEqual(none);
    expect(intersectApprovalPolicies(none, NO_APPROVAL_RULES)).toEqual(none);
  });
});

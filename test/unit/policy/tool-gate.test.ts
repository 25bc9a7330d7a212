import { describe, expect, it } from "vitest";
import { readApprovalAnswer, unansweredApproval } from "../../../src/engine/policy/approval-answer.ts";
import { type GateQuestion, gateToolCall, recheckAfter } from "../../../src/engine/policy/tool-gate.ts";
import type { Json } from "../../../src/lib/json.ts";
import { approvalOf, policyOf } from "../graph/fixture.ts";

const TOOLS = [
  { name: "read", policy: { kind: "read", side_effect_level: "read_only", path_params: ["path"] } },
  {
    name: "edit",
    policy: {
      kind: "edit",
      side_effect_level: "workspace_write",
      capabilities: { workspace: ["write_text"] },
      path_params: ["path"],
      arg_aliases: { file: "path" },
    },
  },
  { name: "plain" },
];

interface Given {
  readonly policy?: unknown;
  readonly approval?: unknown;
  readonly permissions?: Json;
  readonly workspace_roots?: readonly string[];
}

const question = (name: string, args: Json, given: Given = {}): GateQuestion => ({
  policy: policyOf(given.policy ?? {}),
  approval: approvalOf(given.approval ?? {}),
  tools: TOOLS,
  call: { name, arguments: args },
  ...(given.permissions === undefined ? {} : { permissions: given.permissions }),
  ...(given.workspace_roots === undefined ? {} : { workspace_roots: given.workspace_roots }),
});

const gate = (name: string, args: Json, given: Given = {}) => gateToolCall(question(name, args, given));

const rejected = (reason: string) => ({ type: "rejected", category: "tool_rejected", reason });

const CONSTRAINT = { tool_arg_constraints: [{ tool: "edit", arg_patterns: ["src/*"] }] };

describe("the gate before a tool call", () => {
  it("[W-10.7] takes arguments as an object, as its text or as nothing, and refuses any other", () => {
    const allowed = { type: "allowed", arguments: { path: "a" }, unresolved_constraints: [] };
    expect(gate("read", { path: "a" })).toEqual(allowed);
    expect(gate("read", '{"path":"a"}')).toEqual(allowed);
    expect(gate("read", null)).toMatchObject({ type: "allowed", arguments: {} });
    expect(gate("read", "null")).toMatchObject({ type: "allowed", arguments: {} });
    for (const args of ["{", "[]", [], 5, true] as const) {
      expect(gate("read", args)).toEqual(rejected("the arguments of tool 'read' are not a JSON object"));
    }
  });

  it("[W-10.6] refuses by name, by capability and by side effects, in this order", () => {
    const policy = { tools: ["edit"], capabilities: { workspace: ["read_text"] }, side_effect_level: "read_only" };
    expect(gate("rm", {}, { policy })).toEqual(rejected("tool 'rm' exceeds tool ceiling"));
    expect(gate("edit", {}, { policy })).toEqual(
      rejected("tool 'edit' exceeds capability ceiling: workspace.write_text"),
    );
    expect(gate("edit", {}, { policy: { side_effect_level: "read_only" } })).toEqual(
      rejected("tool 'edit' exceeds side-effect ceiling: workspace_write"),
    );
    expect(gate("read", {}, { policy: { denied_all: ["tools"] } })).toEqual(
      rejected("tool 'read' exceeds tool ceiling"),
    );
  });

  it("[W-10.6] a tool without declaration is checked by its name only", () => {
    expect(gate("plain", {}, { policy: { side_effect_level: "none" } })).toMatchObject({ type: "allowed" });
  });

  it("[W-10.6] a capability of which a tool names no operation has to be allowed at all", () => {
    const annotations = { tool_annotations: { plain: { capabilities: { process: [] } } } };
    expect(gate("plain", {}, { policy: { ...annotations, capabilities: { workspace: [] } } })).toEqual(
      rejected("tool 'plain' exceeds capability ceiling: process"),
    );
    expect(gate("plain", {}, { policy: { ...annotations, capabilities: { process: ["exec"] } } })).toMatchObject({
      type: "allowed",
    });
  });

  it("[W-10.2] the policy's annotations and the tool's own count at their strictest", () => {
    const milder = { tool_annotations: { edit: { kind: "read", side_effect_level: "none" } } };
    const policy = { ...milder, side_effect_level: "read_only" };
    expect(gate("edit", {}, { policy })).toEqual(rejected("tool 'edit' exceeds side-effect ceiling: workspace_write"));
    const approval = { write_path_allowlist: ["src/*"] };
    expect(gate("edit", { path: "etc/x" }, { policy: milder, approval })).toMatchObject({ type: "rejected" });
  });

  it("[W-10.7] argument constraints come before permissions, permissions before approvals", () => {
    const permissions = { deny: ["edit"] };
    const approval = { auto_deny: ["edit"] };
    const all = { policy: CONSTRAINT, permissions, approval };
    expect(gate("edit", { path: "etc" }, all)).toMatchObject({
      reason: expect.stringContaining("does not match allowed patterns") as string,
    });
    expect(gate("edit", { path: "src/a" }, all)).toEqual(
      rejected("tool 'edit' is denied by permission pattern 'edit'"),
    );
    expect(gate("edit", { path: "src/a" }, { policy: CONSTRAINT, approval })).toEqual(
      rejected("tool 'edit' matches deny pattern 'edit'"),
    );
  });

  it("[W-10.4] a question carries the canonical request with the paths it declares", () => {
    const approval = { require_approval: ["edit*"] };
    expect(gate("edit", { path: "a", file: ["b", "c"] }, { approval })).toEqual({
      type: "needs_approval",
      tool: "edit",
      arguments: { path: "a", file: ["b", "c"] },
      declared_paths: ["a", "b", "c"],
      side_effect_level: "workspace_write",
      mutation_class: "workspace_write",
      reason: "tool 'edit' requires approval",
    });
    expect(gate("other", {}, { approval: { require_approval: ["*"] } })).toMatchObject({
      declared_paths: [],
      side_effect_level: null,
      mutation_class: "other",
    });
    expect(gate("read", {}, { approval: { require_approval: ["*"] } })).toMatchObject({ mutation_class: "read_only" });
  });

  it("[W-10.4] relative paths belong to the given roots", () => {
    const approval = { write_path_allowlist: ["/w/src/*"] };
    expect(gate("edit", { path: "src/a" }, { approval, workspace_roots: ["/w"] })).toMatchObject({ type: "allowed" });
    expect(gate("edit", { path: "src/a" }, { approval })).toMatchObject({ type: "rejected" });
  });

  it("[W-10.6] constraints that name no argument are skipped and reported", () => {
    const policy = { tool_arg_constraints: [{ tool: "*", arg_patterns: ["x"] }] };
    expect(gate("plain", { a: "b" }, { policy })).toEqual({
      type: "allowed",
      arguments: { a: "b" },
      unresolved_constraints: ["*"],
    });
  });
});

describe("dynamic permissions", () => {
  it.each<[Json, string]>([
    [null, "allowed"],
    [{}, "allowed"],
    [{ allow: ["re*"] }, "allowed"],
    [{ allow: [] }, "allowed"],
    [{ allow: ["edit"] }, "rejected"],
    [{ allow: ["edit"], on_escalation: "deny" }, "rejected"],
    [{ allow: ["edit"], on_escalation: "ask" }, "needs_approval"],
    [{ allow: ["*"], deny: ["read"] }, "rejected"],
    [{ deny: ["read"], on_escalation: "ask" }, "rejected"],
    ["allow", "rejected"],
    [{ allow: "read" }, "rejected"],
    [{ deny: [5] }, "rejected"],
    [{ on_escalation: "allow" }, "rejected"],
  ])("[W-10.7] %j for a tool `read`: %s", (permissions, expected) => {
    expect(gate("read", {}, { permissions }).type).toBe(expected);
  });

  it("[W-10.7] a question of theirs says why", () => {
    expect(gate("read", {}, { permissions: { allow: ["edit"], on_escalation: "ask" } })).toMatchObject({
      reason: "tool 'read' is not among the permitted tools",
    });
  });
});

describe("rewritten arguments", () => {
  const asks = { policy: CONSTRAINT, approval: { require_approval: ["edit"], write_path_allowlist: ["src/*"] } };
  const asked = question("edit", { path: "src/a" }, asks);

  it("[W-10.7] are checked again, whoever rewrote them", () => {
    for (const by of ["approver", "hook"] as const) {
      expect(recheckAfter(asked, { arguments: { path: "etc/passwd" }, by })).toMatchObject({ type: "rejected" });
      expect(recheckAfter(asked, { arguments: "{", by })).toMatchObject({ type: "rejected" });
    }
  });

  it("[W-10.7] by the approver are approved, by a hook asked about again", () => {
    const rewrite = { arguments: { path: "src/b" } };
    expect(recheckAfter(asked, { ...rewrite, by: "approver" })).toEqual({
      type: "allowed",
      arguments: { path: "src/b" },
      unresolved_constraints: [],
    });
    expect(recheckAfter(asked, { ...rewrite, by: "hook" })).toMatchObject({ type: "needs_approval", ...rewrite });
    expect(recheckAfter(question("plain", {}), { arguments: { a: 1 }, by: "hook" })).toMatchObject({
      type: "allowed",
      arguments: { a: 1 },
    });
  });
});

describe("the answer to a question", () => {
  it.each<[Json, unknown]>([
    [{ outcome: "selected" }, { type: "granted" }],
    [
      { outcome: "allow", args: { a: 1 } },
      { type: "granted", arguments: { a: 1 } },
    ],
    [{ outcome: { outcome: "selected" } }, { type: "granted" }],
    [{ granted: true, args: null }, { type: "granted" }],
    [{ granted: "true" }, { type: "denied", reason: "host did not grant approval" }],
    [
      { outcome: "cancelled", reason: "no" },
      { type: "denied", reason: "no" },
    ],
    [{ reason: "" }, { type: "denied", reason: "host did not grant approval" }],
    [null, { type: "denied", reason: "host did not grant approval" }],
  ])("[W-10.4] %j", (answer, expected) => {
    expect(readApprovalAnswer(answer)).toEqual(expected);
  });

  it("[W-10.4] is a denial where there is none", () => {
    expect(unansweredApproval("nobody")).toEqual({
      type: "denied",
      reason: "approval required but no host bridge is available",
    });
    expect(unansweredApproval("failed")).toEqual({
      type: "denied",
      reason: "approval request failed or host does not implement session/request_permission",
    });
  });
});

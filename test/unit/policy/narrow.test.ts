import { describe, expect, it } from "vitest";
import { narrowPolicies, splitOptions } from "../../../src/engine/policy/narrow.ts";
import { reportedExcess } from "../../../src/engine/policy/reported-calls.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { approvalOf, errorOf, policyOf, valueOf } from "../graph/fixture.ts";

const CEILING = {
  tools: ["read", "edit"],
  capabilities: { workspace: ["read_text", "write_text"] },
  workspace_roots: ["/w"],
  side_effect_level: "workspace_write",
  recursion_limit: 4,
};

const narrow = (asked: JsonObject, policy: unknown = CEILING, approval: unknown = {}) =>
  narrowPolicies({ policy: policyOf(policy), approval: approvalOf(approval) }, asked);

describe("what an executor asks for", () => {
  it("[W-10.2] less narrows the stage", () => {
    const asked = { capability_policy: { tools: ["read"], side_effect_level: "read_only", recursion_limit: 2 } };
    expect(valueOf(narrow(asked)).policy).toEqual(
      policyOf({ ...CEILING, tools: ["read"], side_effect_level: "read_only", recursion_limit: 2 }),
    );
    expect(valueOf(narrow({ tools: ["read"] })).policy.tools).toEqual(["read"]);
    expect(valueOf(narrow({ tools: [{ name: "read" }], policy: { workspace_roots: ["/w"] } })).policy.tools).toEqual([
      "read",
    ]);
    expect(valueOf(narrow({ tools: [] })).policy).toMatchObject({ tools: [], denied_all: ["tools"] });
    expect(valueOf(narrow({})).policy).toEqual(policyOf(CEILING));
    expect(valueOf(narrow({ policy: { side_effect_level: "network" } }, {})).policy.side_effect_level).toBe("network");
  });

  it.each<[JsonObject, string]>([
    [{ tools: ["read", "rm"] }, "requested tools exceed host ceiling: rm"],
    [{ tools: [{ name: "rm" }] }, "requested tools exceed host ceiling: rm"],
    [{ policy: { tools: ["rm"] } }, "requested tools exceed host ceiling: rm"],
    [{ policy: { tools: ["read"] }, tools: ["edit"] }, "requested tools exceed host ceiling: edit"],
    [
      { capability_policy: { capabilities: { process: ["exec"] } } },
      "requested capability exceeds host ceiling: process",
    ],
    [{ policy: { side_effect_level: "network" } }, "requested side-effect level exceeds host ceiling: network"],
    [{ policy: { recursion_limit: 5 } }, "requested recursion limit exceeds host ceiling: 5"],
    [{ policy: { workspace_roots: ["/w", "/x"] } }, "requested workspace roots exceed host ceiling: /x"],
  ])("[W-10.2] %j is more", (asked, text) => {
    expect(errorOf(narrow(asked))).toBe(text);
  });

  it("[W-10.4] approval rules only narrow", () => {
    const rules = { auto_approve: ["read*"], require_approval: ["edit*"], write_path_allowlist: ["src/*"] };
    expect(valueOf(narrow({ approval_policy: { auto_deny: ["rm"] } }, {}, rules)).approval).toMatchObject({
      auto_deny: ["rm"],
      auto_approve: ["read*"],
    });
    expect(errorOf(narrow({ approval_policy: { auto_approve: ["*"] } }, {}, rules))).toBe(
      "requested auto_approve patterns exceed host ceiling: *",
    );
    expect(errorOf(narrow({ approval_policy: { write_path_allowlist: ["*"] } }, {}, rules))).toBe(
      "requested write_path_allowlist patterns exceed host ceiling: *",
    );
    expect(errorOf(narrow({ approval_policy: { auto_approve: ["a"] } }, {}, { denied_all: ["auto_approve"] }))).toBe(
      "requested auto_approve patterns exceed host ceiling: a",
    );
  });

  it("[W-10.4] nobody answers the questions of the scopes above by approving beforehand", () => {
    const asks = { require_approval: ["edit*"] };
    expect(errorOf(narrow({ approval_policy: { auto_approve: ["edit_file"] } }, {}, asks))).toBe(
      "requested auto_approve patterns exceed host ceiling: edit_file",
    );
    expect(valueOf(narrow({ approval_policy: { auto_approve: ["read*"] } }, {}, asks)).approval).toMatchObject({
      auto_approve: ["read*"],
      always_require_approval: ["edit*"],
    });
    const always = { auto_approve: ["edit*"], always_require_approval: ["edit*"] };
    expect(valueOf(narrow({ approval_policy: { auto_approve: ["edit*"] } }, {}, always)).approval).toEqual(
      approvalOf(always),
    );
  });

  it("[W-0.2] options that are null are absent, all others stay", () => {
    expect(splitOptions({ policy: null, tools: [], model: "m" })).toEqual({
      asked: { tools: [] },
      rest: { model: "m" },
    });
  });
});

describe("the calls that a result reports", () => {
  const policy = policyOf({ tools: ["read", "edit"], side_effect_level: "read_only" });
  const tools = [{ name: "edit", policy: { side_effect_level: "workspace_write" } }];
  const excess = (result: JsonObject) => reportedExcess(policy, tools, result);

  it.each<[JsonObject]>([
    [{ tool_calls: [{ name: "rm" }] }],
    [{ tool_calls: ["read", "rm"] }],
    [{ tool_calls: [{ function: { name: "rm" } }] }],
    [{ tool_calls: [{ toolName: "rm", rejected: false }] }],
    [{ tools: { calls: ["rm", "rm"] } }],
    [{ tools: { calls: [{ tool: "rm" }], rejected: ["read"] } }],
  ])("[I8] %j names a tool outside", (result) => {
    expect(excess(result)).toBe("requested tools exceed host ceiling: rm");
  });

  it.each<[JsonObject]>([
    [{}],
    [{ tool_calls: "rm", tools: [] }],
    [{ tool_calls: ["read", {}, 5, ""] }],
    [{ tool_calls: [{ name: "rm", rejected: true }] }],
    [{ tools: { calls: ["rm"], rejected: ["rm"] } }],
  ])("[I8] %j names none", (result) => {
    expect(excess(result)).toBeNull();
  });

  it("[I8] what is known of a tool counts as well", () => {
    expect(excess({ tool_calls: ["edit"] })).toBe("tool 'edit' exceeds side-effect ceiling: workspace_write");
  });
});

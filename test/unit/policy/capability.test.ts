import { describe, expect, it } from "vitest";
import {
  allowsOperation,
  allowsTool,
  BUILTIN_CEILING,
  deniesAll,
  intersectPolicies,
  UNRESTRICTED,
} from "../../../src/engine/policy/capability.ts";
import { sideEffectRank } from "../../../src/engine/policy/side-effect.ts";
import { capabilityPolicySchema } from "../../../src/schema/policy.ts";
import { errorOf, policyOf, valueOf } from "../graph/fixture.ts";

const meet = (ceiling: unknown, requested: unknown) => intersectPolicies(policyOf(ceiling), policyOf(requested));

const limit = (a: number | null, b: number | null) =>
  valueOf(meet({ recursion_limit: a }, { recursion_limit: b })).recursion_limit;

describe("intersectPolicies", () => {
  const ceiling = {
    tools: ["read"],
    capabilities: { workspace: ["read_text", "list"] },
    side_effect_level: "read_only",
    recursion_limit: 2,
  };

  it.each([
    [{ tools: ["read", "edit", "run"] }, "requested tools exceed host ceiling: edit, run"],
    [
      { capabilities: { workspace: ["list", "write_text", "delete"] } },
      "requested capability operations exceed host ceiling: workspace.write_text,delete",
    ],
    [{ capabilities: { process: ["exec"] } }, "requested capability exceeds host ceiling: process"],
    [{ tools: ["edit"], capabilities: { process: ["exec"] } }, "requested tools exceed host ceiling: edit"],
    [{ capabilities: { zeta: [], alpha: [] } }, "requested capability exceeds host ceiling: alpha"],
  ])("[W-10.2] %j is refused", (requested, message) => {
    expect(errorOf(meet(ceiling, requested))).toBe(message);
  });

  it("[W-10.2] a side without an opinion takes the other's", () => {
    const requested = { tools: ["read"], capabilities: { process: ["exec"] }, workspace_roots: ["/w"] };
    expect(valueOf(meet({ tools: ["read"] }, requested))).toEqual(policyOf(requested));
    expect(valueOf(meet(ceiling, {}))).toEqual(policyOf(ceiling));
    expect(valueOf(meet({}, ceiling))).toEqual(policyOf(ceiling));
    expect(valueOf(meet({}, {}))).toEqual(UNRESTRICTED);
  });

  it("[W-10.2] lists are narrowed to what both have", () => {
    const result = valueOf(
      meet(
        { tools: ["a", "b"], capabilities: { w: ["x", "y"], v: ["z"] }, workspace_roots: ["/a", "/b"] },
        { tools: ["b"], capabilities: { w: ["y"] }, workspace_roots: ["/c", "/b"] },
      ),
    );
    expect(result).toMatchObject({ tools: ["b"], capabilities: { w: ["y"] }, workspace_roots: ["/b"] });
    expect(Object.keys(result.capabilities)).toEqual(["w"]);
    expect(result).not.toHaveProperty("denied_all");
  });

  it("[W-10.2] a request that lists no operation has no opinion about them", () => {
    const result = valueOf(meet({ capabilities: { w: ["x"] } }, { capabilities: { w: [] } }));
    expect(result.capabilities).toEqual({ w: ["x"] });
    expect(errorOf(meet({ capabilities: { w: [] } }, { capabilities: { w: ["x"] } }))).toBe(
      "requested capability operations exceed host ceiling: w.x",
    );
  });

  it.each([
    ["read_only", "network", "read_only"],
    ["network", "none", "none"],
    [null, "network", "network"],
    ["read_only", null, "read_only"],
    ["network", "odd", "network"],
    ["odd", "other", "odd"],
  ])("[W-10.2] side-effect levels %s and %s give %s, silently", (a, b, expected) => {
    expect(valueOf(meet({ side_effect_level: a }, { side_effect_level: b })).side_effect_level).toBe(expected);
  });

  it("[W-10.2] the recursion limit is the smaller one, or the one that is set", () => {
    expect([limit(8, 2), limit(2, 8), limit(null, 3), limit(0, null), limit(null, null)]).toEqual([2, 2, 3, 0, null]);
  });

  it("[W-10.2] constraints add up, each once", () => {
    const one = { tool: "a", arg_patterns: ["x"], arg_key: null };
    const two = { tool: "a", arg_patterns: ["y"], arg_key: "k" };
    const result = valueOf(meet({ tool_arg_constraints: [one] }, { tool_arg_constraints: [two, one] }));
    expect(result.tool_arg_constraints).toEqual([one, two]);
  });

  it("[W-10.2] annotations: the request's before the ceiling's, for the resulting tools", () => {
    const result = valueOf(
      meet(
        { tools: ["a", "b", "c"], tool_annotations: { a: { kind: "read" }, b: { kind: "read" }, c: {} } },
        { tools: ["a", "b"], tool_annotations: { b: { kind: "edit" } } },
      ),
    );
    expect(result.tool_annotations).toMatchObject({ a: { kind: "read" }, b: { kind: "edit" } });
    expect(Object.keys(result.tool_annotations)).toEqual(["a", "b"]);
  });

  it("[W-10.2] annotations survive where any tool is allowed", () => {
    const result = valueOf(meet(BUILTIN_CEILING, { tool_annotations: { b: { kind: "edit" } } }));
    expect(result.tool_annotations).toMatchObject({ b: { kind: "edit" } });
  });
});

describe("nothing in common", () => {
  it("[W-19.12] disjoint roots leave none, and none stays none", () => {
    const none = valueOf(meet({ workspace_roots: ["/a"] }, { workspace_roots: ["/b"] }));
    expect(none).toMatchObject({ workspace_roots: [], denied_all: ["workspace_roots"] });
    expect(deniesAll(none, "workspace_roots")).toBe(true);
    expect(deniesAll(none, "tools")).toBe(false);
    const stored = capabilityPolicySchema.parse(JSON.parse(JSON.stringify(none)));
    for (const other of [UNRESTRICTED, policyOf({ workspace_roots: ["/b"] })]) {
      expect(valueOf(intersectPolicies(stored, other)).denied_all).toEqual(["workspace_roots"]);
      expect(valueOf(intersectPolicies(other, stored)).denied_all).toEqual(["workspace_roots"]);
    }
  });

  it("[W-10.2] denied tools and capabilities refuse every request", () => {
    const denied = { denied_all: ["tools", "capabilities"] };
    expect(errorOf(meet(denied, { tools: ["a"] }))).toBe("requested tools exceed host ceiling: a");
    expect(errorOf(meet(denied, { capabilities: { w: [] } }))).toBe("requested capability exceeds host ceiling: w");
    const result = valueOf(meet({ tools: ["a"], capabilities: { w: ["x"] } }, denied));
    expect(result).toEqual(policyOf(denied));
  });
});

describe("asking a policy", () => {
  it("[W-1.11] an empty list of tools allows all of them, unless it denies them", () => {
    expect(allowsTool(UNRESTRICTED, "x")).toBe(true);
    expect(allowsTool(policyOf({ denied_all: ["tools"] }), "x")).toBe(false);
    expect(allowsTool(policyOf({ tools: ["x*"] }), "xy")).toBe(false);
    expect(allowsTool(policyOf({ tools: ["xy"] }), "xy")).toBe(true);
  });

  it("[W-1.11] a capability without operations allows all of its operations", () => {
    const policy = policyOf({ capabilities: { net: [], workspace: ["list"] } });
    expect(allowsOperation(policy, "net", "any")).toBe(true);
    expect(allowsOperation(policy, "workspace", "list")).toBe(true);
    expect(allowsOperation(policy, "workspace", "delete")).toBe(false);
    expect(allowsOperation(policy, "process", "exec")).toBe(false);
    expect(allowsOperation(policy, "constructor", "exec")).toBe(false);
    expect(allowsOperation(UNRESTRICTED, "process", "exec")).toBe(true);
    expect(allowsOperation(policyOf({ denied_all: ["capabilities"] }), "process", "exec")).toBe(false);
  });

  it("[W-10.2] levels are ranked, unknown ones last", () => {
    const levels = ["none", "read_only", "workspace_write", "process_exec", "network", "odd"];
    expect(levels.map(sideEffectRank)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("[W-10.1] the builtin ceiling allows up to the network and names no capability", () => {
    expect(BUILTIN_CEILING).toEqual({
      tools: [],
      capabilities: {},
      workspace_roots: [],
      side_effect_level: "network",
      recursion_limit: 8,
      tool_arg_constraints: [],
      tool_annotations: {},
    });
  });
});

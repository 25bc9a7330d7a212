import { describe, expect, it } from "vitest";
import {
  agentLoopPolicy,
  applyRunOverrides,
  effectiveApprovalPolicy,
  effectiveNodePolicy,
  isDataOnlyMap,
} from "../../../src/engine/policy/effective.ts";
import { approvalOf, errorOf, nodeFrom, policyOf, valueOf } from "../graph/fixture.ts";

const tool = (name: string, policy = {}) => ({ name, policy });

const graph = { capability_policy: policyOf({ tools: ["read", "run"], side_effect_level: "process_exec" }) };

const refused = (fields: unknown) => errorOf(effectiveNodePolicy(graph, nodeFrom(fields)));

describe("effectiveNodePolicy", () => {
  it("[W-10.3] narrows from the builtin ceiling to the node's tools", () => {
    const node = nodeFrom({
      tools: [tool("read", { side_effect_level: "read_only", capabilities: { workspace: ["list"] } })],
      capability_policy: { workspace_roots: ["/w"] },
    });
    expect(valueOf(effectiveNodePolicy(graph, node))).toMatchObject({
      tools: ["read"],
      capabilities: { workspace: ["list"] },
      workspace_roots: ["/w"],
      side_effect_level: "read_only",
      recursion_limit: 8,
      tool_annotations: { read: { side_effect_level: "read_only" } },
    });
  });

  it("[W-10.3] each step may refuse", () => {
    expect(refused({ capability_policy: { tools: ["rm"] } })).toBe("requested tools exceed host ceiling: rm");
    expect(refused({ tools: [tool("rm")] })).toBe("requested tools exceed host ceiling: rm");
    const policy = { capabilities: { workspace: ["list"] } };
    expect(refused({ capability_policy: policy, tools: [tool("run", { capabilities: { process: ["exec"] } })] })).toBe(
      "requested capability exceeds host ceiling: process",
    );
  });

  it("[W-10.3] the agent loop runs under its tools' policy narrowed by the node's", () => {
    const node = nodeFrom({ tools: [tool("a"), tool("b")], capability_policy: { tools: ["a"] } });
    expect(valueOf(agentLoopPolicy(node)).tools).toEqual(["a"]);
    expect(errorOf(agentLoopPolicy(nodeFrom({ tools: [tool("a")], capability_policy: { tools: ["b"] } })))).toBe(
      "requested tools exceed host ceiling: b",
    );
  });
});

describe("effectiveApprovalPolicy", () => {
  it("[W-10.4] is the most restrictive of run, graph and node", () => {
    const graph = { approval_policy: approvalOf({ auto_deny: ["g"], write_path_allowlist: ["a", "b"] }) };
    const node = { approval_policy: approvalOf({ require_approval: ["n"], write_path_allowlist: ["b", "c"] }) };
    const run = approvalOf({ auto_deny: ["r"], write_path_allowlist: ["c"] });
    expect(effectiveApprovalPolicy(run, graph, node)).toEqual({
      auto_approve: [],
      auto_deny: ["r", "g"],
      require_approval: ["n"],
      write_path_allowlist: [],
      denied_all: ["write_path_allowlist"],
    });
    expect(effectiveApprovalPolicy(null, graph, node).write_path_allowlist).toEqual(["b"]);
  });
});

describe("applyRunOverrides", () => {
  it("[W-10.5] options fill what is missing and never replace what is set", () => {
    const options = { provider: "other", model: "m1", temperature: 0.9, max_tokens: 100, mode: "agent" };
    const node = nodeFrom({ mode: "llm", model_policy: { provider: "mock", temperature: 0.2 } });
    expect(applyRunOverrides(node, options)).toMatchObject({
      mode: "llm",
      model_policy: { provider: "mock", model: "m1", temperature: 0.2, max_tokens: 100, model_tier: null },
    });
    expect(applyRunOverrides(nodeFrom({}), { provider: "other", tier: "small", mode: "agent" })).toMatchObject({
      mode: "agent",
      model_policy: { provider: "other", model_tier: "small" },
    });
    expect(applyRunOverrides(nodeFrom({}), { model_tier: "big", tier: "small" }).model_policy.model_tier).toBe("big");
  });

  it("[W-0.2] null and empty options are absent, other values become text, unfit numbers are ignored", () => {
    const node = nodeFrom({});
    const nothing = { provider: null, model: "", temperature: null, max_tokens: "5", mode: null };
    expect(applyRunOverrides(node, nothing)).toEqual(node);
    expect(
      applyRunOverrides(node, { provider: 4, model: true, max_tokens: 1.5, temperature: 1 }).model_policy,
    ).toMatchObject({
      provider: "4",
      model: "true",
      max_tokens: null,
      temperature: 1,
    });
  });

  it("[W-10.5] tools are filtered to those the node's policy names", () => {
    const tools = [tool("a"), tool("b")];
    expect(applyRunOverrides(nodeFrom({ tools, capability_policy: { tools: ["b"] } }), {}).tools).toEqual([tool("b")]);
    expect(applyRunOverrides(nodeFrom({ tools }), {}).tools).toEqual(tools);
    expect(applyRunOverrides(nodeFrom({ tools, capability_policy: { denied_all: ["tools"] } }), {}).tools).toEqual([]);
  });

  it("[W-19.27] a map over plain data stays one", () => {
    const map = nodeFrom({ kind: "map" });
    expect(isDataOnlyMap(map)).toBe(true);
    expect(applyRunOverrides(map, { provider: "p", mode: "llm" })).toEqual(map);
    const fields = [
      { mode: "llm" },
      { prompt: "p" },
      { system: "s" },
      { tools: [tool("t")] },
      { model_policy: { model: "m" } },
      { model_policy: { native_tool_fallback: "reject" } },
      { kind: "stage" },
    ];
    for (const field of fields) {
      const node = nodeFrom({ kind: "map", ...field });
      expect(isDataOnlyMap(node)).toBe(false);
      expect(applyRunOverrides(node, { provider: "p" }).model_policy.provider).toBe("p");
    }
  });
});

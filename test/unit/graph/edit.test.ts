import { describe, expect, it } from "vitest";
import {
  cloneGraph,
  commitGraph,
  insertNode,
  inspectGraph,
  policyReport,
  replaceNode,
  rewire,
  setNodeSetting,
} from "../../../src/engine/graph/edit.ts";
import { diffGraphs } from "../../../src/engine/graph/diff.ts";
import { BUILTIN_CEILING } from "../../../src/engine/policy/capability.ts";
import { decodeEdge } from "../../../src/schema/graph.ts";
import {
  autoCompactPolicySchema,
  contextPolicySchema,
  modelPolicySchema,
  retryPolicySchema,
} from "../../../src/schema/policy.ts";
import { approvalOf, decoded, errorOf, nodeFrom, policyOf, testContext, valueOf } from "./fixture.ts";

const graph = decoded({
  id: "wf",
  entry: "a",
  nodes: { a: {}, b: {} },
  edges: [
    { from: "a", to: "b" },
    { from: "a", to: "b", branch: "failed" },
  ],
});

const edge = (document: unknown) => valueOf(decodeEdge(document, "test"));

const replaceRefusal = (target: Parameters<typeof replaceNode>[0], change: Parameters<typeof replaceNode>[1]) =>
  errorOf(replaceNode(target, change, testContext()));

const rewireRefusal = (target: Parameters<typeof rewire>[0], change: Parameters<typeof rewire>[1]) =>
  errorOf(rewire(target, change, testContext()));

describe("edits", () => {
  it("[W-15.1] clone makes a new id and version", () => {
    expect(cloneGraph(graph, testContext())).toMatchObject({
      id: "wf_clone",
      version: 2,
      audit_log: [
        {
          id: "audit_1",
          op: "clone",
          node_id: null,
          timestamp: "2023-11-14T22:13:20.000Z",
          reason: null,
          metadata: {},
        },
      ],
    });
  });

  it("[W-15.1] insert_node adds the node and its edge", () => {
    const change = { node: nodeFrom({ id: "c", kind: "verify" }), edge: edge({ from: "b", to: "c" }) };
    const result = valueOf(insertNode(graph, change, testContext()));
    expect(result.nodes["c"]).toMatchObject({ id: "c", kind: "verify" });
    expect(result.edges.at(-1)).toEqual({ from: "b", to: "c", branch: null, label: null });
    expect(result.audit_log).toMatchObject([{ op: "insert_node", node_id: "c" }]);
    expect(Object.keys(graph.nodes)).toEqual(["a", "b"]);
  });

  it("[W-15.1] insert_node names a node without an id by the count, past taken names, and overwrites a named one", () => {
    const first = valueOf(insertNode(graph, { node: nodeFrom({ kind: "stage" }) }, testContext()));
    expect(first.nodes["node_3"]).toMatchObject({ id: "node_3", kind: "stage" });
    expect(first.edges).toHaveLength(2);
    const taken = decoded({ nodes: { node_2: { kind: "keep" } } });
    const second = valueOf(insertNode(taken, { node: nodeFrom({}) }, testContext()));
    expect(Object.keys(second.nodes)).toEqual(["node_2", "node_3"]);
    const over = valueOf(insertNode(graph, { node: nodeFrom({ id: "a", kind: "fork" }) }, testContext()));
    expect([Object.keys(over.nodes), over.nodes["a"]?.kind]).toEqual([["a", "b"], "fork"]);
    const sorted = valueOf(insertNode(graph, { node: nodeFrom({ id: "A" }) }, testContext()));
    expect(Object.keys(sorted.nodes)).toEqual(["A", "a", "b"]);
  });

  it("[W-15.1] insert_node refuses missing arguments", () => {
    expect(insertNode(null, { node: nodeFrom({}) }, testContext())).toEqual({
      ok: false,
      error: "workflow_insert_node: missing workflow",
    });
    expect(errorOf(insertNode(graph, { node: undefined }, testContext()))).toBe("workflow_insert_node: missing node");
  });

  it("[W-15.1] replace_node sets the id and does not ask whether the node existed", () => {
    const node = nodeFrom({ id: "x", kind: "verify" });
    const result = valueOf(replaceNode(graph, { node_id: "b", node }, testContext()));
    expect(result.nodes["b"]).toMatchObject({ id: "b", kind: "verify" });
    expect(result.audit_log).toMatchObject([{ op: "replace_node", node_id: "b" }]);
    expect(Object.keys(valueOf(replaceNode(graph, { node_id: "9", node }, testContext())).nodes)).toContain("9");
  });

  it("[W-15.1] replace_node refuses missing arguments and ids that cannot be keys", () => {
    const node = nodeFrom({});
    expect(replaceRefusal(undefined, { node_id: "a", node })).toBe("workflow_replace_node: missing workflow");
    expect(replaceRefusal(graph, { node_id: "", node })).toBe("workflow_replace_node: missing node id");
    expect(replaceRefusal(graph, { node_id: "a", node: null })).toBe("workflow_replace_node: missing node");
    expect(replaceRefusal(graph, { node_id: "__proto__", node })).toBe(
      "workflow_replace_node: node id is a reserved name",
    );
  });

  it("[W-15.1] rewire replaces all edges of one branch", () => {
    const plain = valueOf(rewire(graph, { from: "a", to: "a" }, testContext()));
    expect(plain.edges).toEqual([
      { from: "a", to: "b", branch: "failed", label: null },
      { from: "a", to: "a", branch: null, label: null },
    ]);
    expect(plain.audit_log).toMatchObject([{ op: "rewire", node_id: "a" }]);
    const failed = valueOf(rewire(graph, { from: "a", to: "a", branch: "failed" }, testContext()));
    expect(failed.edges).toMatchObject([
      { to: "b", branch: null },
      { to: "a", branch: "failed" },
    ]);
    expect(valueOf(rewire(graph, { from: "a", to: "a", branch: null }, testContext())).edges).toEqual(plain.edges);
    expect(valueOf(rewire(graph, { from: "z", to: "a" }, testContext())).edges).toHaveLength(3);
  });

  it("[W-15.1] rewire refuses missing arguments and ids that cannot be keys", () => {
    expect(rewireRefusal(null, { from: "a", to: "b" })).toBe("workflow_rewire: missing workflow");
    expect(rewireRefusal(graph, { from: null, to: "b" })).toBe("workflow_rewire: missing from");
    expect(rewireRefusal(graph, { from: "a", to: "" })).toBe("workflow_rewire: missing to");
    expect(rewireRefusal(graph, { from: "a\n", to: "b" })).toMatch(
      /^workflow_rewire: node id must not contain control/,
    );
    expect(rewireRefusal(graph, { from: "a", to: "b\n" })).toMatch(
      /^workflow_rewire: node id must not contain control/,
    );
  });
});

describe("policy setters", () => {
  it("[W-15.1] replace the whole policy", () => {
    const settings = [
      { set: "model_policy", value: modelPolicySchema.parse({ model: "m" }) },
      { set: "context_policy", value: contextPolicySchema.parse({ max_artifacts: 2 }) },
      { set: "auto_compact", value: autoCompactPolicySchema.parse({ enabled: true }) },
      { set: "retry_policy", value: retryPolicySchema.parse({ max_attempts: 3 }) },
      { set: "capability_policy", value: policyOf({ tools: ["t"] }) },
      { set: "approval_policy", value: approvalOf({ require_approval: ["t"] }) },
      { set: "output_visibility", value: "public" },
    ] as const;
    for (const setting of settings) {
      const result = valueOf(setNodeSetting(graph, "a", setting, testContext()));
      expect(result.nodes["a"]?.[setting.set]).toEqual(setting.value);
      expect(result.audit_log).toMatchObject([{ op: "set_policy", node_id: "a", metadata: { setting: setting.set } }]);
      expect(result.nodes["b"]).toEqual(cloneGraph(graph, testContext()).nodes["b"]);
    }
    const cleared = valueOf(setNodeSetting(graph, "a", { set: "output_visibility", value: undefined }, testContext()));
    expect(cleared.nodes["a"]?.output_visibility).toBeNull();
  });

  it("[W-15.1] leave a normal graph: a retry policy without attempts has one", () => {
    const value = retryPolicySchema.parse({ backoff_ms: 5 });
    const result = valueOf(setNodeSetting(graph, "a", { set: "retry_policy", value }, testContext()));
    expect(result.nodes["a"]?.retry_policy).toMatchObject({ max_attempts: 1, backoff_ms: 5 });
  });

  it("[W-15.1] refuse missing arguments, unknown nodes and wrong values", () => {
    const value = contextPolicySchema.parse({});
    const set = "context_policy";
    const refusal = (
      ...[target, id, setting]: [typeof graph | null, string | null, Parameters<typeof setNodeSetting>[2]]
    ) => errorOf(setNodeSetting(target, id, setting, testContext()));
    expect(refusal(null, "a", { set, value })).toBe("workflow policy update: missing workflow");
    expect(refusal(graph, null, { set, value })).toBe("workflow policy update: missing node id");
    expect(refusal(graph, "a", { set, value: null })).toBe("workflow policy update: missing policy");
    expect(refusal(graph, "ghost", { set, value })).toBe("unknown workflow node: ghost");
    expect(refusal(graph, "a", { set: "output_visibility", value: 5 })).toBe(
      "workflow_set_output_visibility: value must be a string or nil",
    );
  });
});

describe("commit, diff and reports", () => {
  it("[W-15.1] commit records the reason", () => {
    const result = valueOf(commitGraph(graph, "ship it", testContext()));
    expect(result.audit_log).toMatchObject([{ op: "commit", reason: "ship it" }]);
    expect(result.version).toBe(1);
  });

  it("[W-15.1] commit refuses an invalid graph with all its errors", () => {
    const broken = decoded({ entry: "x", nodes: { a: { kind: "fork" } }, edges: [] });
    expect(errorOf(commitGraph(broken, null, testContext()))).toBe(
      "workflow_commit: invalid workflow: entry node does not exist: x; node a: fork nodes require at least two outgoing edges",
    );
  });

  it("[W-15.1] diff compares normal graphs; without an id they always differ", () => {
    const context = testContext();
    const metadata = { x: [1, { a: 1, b: null }] };
    const left = decoded({ id: "wf", nodes: { a: {} }, metadata });
    const same = decoded({
      metadata: { x: [1, { b: null, a: 1 }] },
      nodes: { a: { kind: "stage" } },
      id: "wf",
      entry: "a",
    });
    expect(diffGraphs(left, same, context)).toMatchObject({ changed: false, left: { id: "wf" }, right: { id: "wf" } });
    const changes = [
      { x: [1] },
      { x: [1, { a: 1 }] },
      { x: [1, { a: 1, c: null }] },
      { x: 1 },
      { y: [1, { a: 1, b: null }] },
    ];
    for (const other of changes) {
      expect(diffGraphs(left, { ...left, metadata: other }, context).changed).toBe(true);
    }
    const anonymous = decoded({ nodes: { a: {} } });
    expect(diffGraphs(anonymous, anonymous, context).changed).toBe(true);
  });

  it("[W-15.1] inspect counts nodes and edges", () => {
    expect(inspectGraph(graph, null, testContext())).toMatchObject({
      graph: { id: "wf" },
      validation: { valid: true },
      node_count: 2,
      edge_count: 2,
    });
    const narrow = decoded({ nodes: { a: { capability_policy: { tools: ["x"] } } } });
    expect(inspectGraph(narrow, policyOf({ tools: ["y"] }), testContext()).validation.valid).toBe(false);
  });

  it("[W-15.1] the policy report lists policies and tool names", () => {
    const node = { tools: [{ name: "t" }], capability_policy: { tools: ["t"] } };
    const report = policyReport(decoded({ nodes: { b: {}, a: node } }), null, testContext());
    expect(report.ceiling).toEqual(BUILTIN_CEILING);
    expect(report.workflow_policy).toEqual(policyOf({}));
    expect(report.nodes).toEqual([
      { node_id: "a", policy: policyOf({ tools: ["t"] }), tools: ["t"] },
      { node_id: "b", policy: policyOf({}), tools: [] },
    ]);
    const ceiling = policyOf({ tools: ["y"] });
    const limited = policyReport(decoded({ nodes: { a: node } }), ceiling, testContext());
    expect([limited.ceiling, limited.validation.valid]).toEqual([ceiling, false]);
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import type { EditOp } from "../../src/schema/api-workflow.ts";
import { clientFor, migrateDatabase, post, refusal, TWO_STAGES } from "./http-setup.ts";

const client = clientFor();

/** The text of a refused edit. */
const refused = async (op: EditOp, body: object): Promise<string> =>
  (await refusal(post("/v1/workflows/edit", { op, ...body }))).detail;

const graph = TWO_STAGES;

beforeAll(migrateDatabase);

describe("POST /v1/workflows/edit", () => {
  it("[W-15.1] makes every edit and tells the entry it left in the log", async () => {
    const edits: readonly (readonly [EditOp, Parameters<typeof client.editWorkflow>[1], object])[] = [
      ["clone", {}, { op: "clone" }],
      ["insert_node", { node: { id: "c" }, edge: { from: "b", to: "c" } }, { op: "insert_node", node_id: "c" }],
      ["replace_node", { node_id: "b", node: { kind: "verify" } }, { op: "replace_node", node_id: "b" }],
      ["rewire", { from: "a", to: "a", branch: "failed" }, { op: "rewire", node_id: "a" }],
      ["set_model_policy", { node_id: "a", policy: { model: "m" } }, { metadata: { setting: "model_policy" } }],
      ["set_context_policy", { node_id: "a", policy: {} }, { metadata: { setting: "context_policy" } }],
      ["set_auto_compact", { node_id: "a", policy: { enabled: true } }, { metadata: { setting: "auto_compact" } }],
      ["set_retry_policy", { node_id: "a", policy: {} }, { metadata: { setting: "retry_policy" } }],
      ["set_capability_policy", { node_id: "a", policy: {} }, { metadata: { setting: "capability_policy" } }],
      ["set_approval_policy", { node_id: "a", policy: {} }, { metadata: { setting: "approval_policy" } }],
      ["set_output_visibility", { node_id: "a", value: "public" }, { op: "set_policy", node_id: "a" }],
      ["commit", { reason: "ready" }, { op: "commit", reason: "ready" }],
    ];
    for (const [op, body, entry] of edits) {
      const edited = await client.editWorkflow(op, { graph, ...body });
      expect(edited.audit_entry, op).toMatchObject(entry);
      expect(edited.graph.audit_log, op).toEqual([edited.audit_entry]);
      expect(edited.graph.version, op).toBe(op === "clone" ? 2 : 1);
    }
  });

  it("[W-15.1] refuses with the texts of the specification", async () => {
    const texts: readonly (readonly [EditOp, object, string])[] = [
      ["clone", {}, "workflow_clone: missing workflow"],
      ["insert_node", {}, "workflow_insert_node: missing workflow"],
      ["insert_node", { graph }, "workflow_insert_node: missing node"],
      ["replace_node", {}, "workflow_replace_node: missing workflow"],
      ["replace_node", { graph }, "workflow_replace_node: missing node id"],
      ["replace_node", { graph, node_id: "a" }, "workflow_replace_node: missing node"],
      ["rewire", {}, "workflow_rewire: missing workflow"],
      ["rewire", { graph }, "workflow_rewire: missing from"],
      ["rewire", { graph, from: "a" }, "workflow_rewire: missing to"],
      ["set_model_policy", {}, "workflow policy update: missing workflow"],
      ["set_context_policy", { graph }, "workflow policy update: missing node id"],
      ["set_auto_compact", { graph, node_id: "a" }, "workflow policy update: missing policy"],
      ["set_retry_policy", { graph, node_id: "z", policy: {} }, "unknown workflow node: z"],
      [
        "set_output_visibility",
        { graph, node_id: "a", value: 5 },
        "workflow_set_output_visibility: value must be a string or nil",
      ],
      ["commit", {}, "workflow_commit: missing workflow"],
      [
        "commit",
        { graph: { ...graph, entry: "z" } },
        "workflow_commit: invalid workflow: entry node does not exist: z",
      ],
    ];
    for (const [op, body, text] of texts) expect(await refused(op, body), op).toBe(text);
    const wrong = { graph, node_id: "a", policy: { max_attempts: "x", tools: 5, auto_deny: 5 } };
    for (const op of ["set_retry_policy", "set_capability_policy", "set_approval_policy"] as const) {
      expect(await refused(op, wrong)).toMatch(new RegExp(`^workflow_${op}: `));
    }
    expect(await refused("insert_node", { graph, node: { kind: 5 } })).toMatch(
      /^workflow_insert_node parse error at kind: /,
    );
  });

  it("[W-15.1] stores nothing", async () => {
    const before = await client.listWorkflows();
    await client.editWorkflow("commit", { graph });
    expect(await client.listWorkflows()).toEqual(before);
  });
});

describe("reports about a graph", () => {
  it("[W-15.1] normalize, inspect, policy_report and diff", async () => {
    expect((await client.normalizeWorkflow()).graph).toMatchObject({
      _type: "workflow_graph",
      entry: "act",
      nodes: {},
    });
    const { graph: normal } = await client.normalizeWorkflow(graph);
    expect(normal.nodes["a"]).toMatchObject({ id: "a", retry_policy: { max_attempts: 1 } });
    expect(await client.inspectWorkflow(graph)).toMatchObject({
      graph: normal,
      validation: { valid: true, reachable_nodes: ["a", "b"] },
      node_count: 2,
      edge_count: 1,
    });
    const tools = {
      ...graph,
      nodes: { ...graph.nodes, a: { tools: [{ name: "t" }], capability_policy: { tools: ["t"] } } },
    };
    expect(await client.reportPolicy(tools, { tools: ["other"] })).toMatchObject({
      workflow_policy: { tools: [] },
      ceiling: { tools: ["other"] },
      validation: { valid: false },
      nodes: [
        { node_id: "a", policy: { tools: ["t"] }, tools: ["t"] },
        { node_id: "b", tools: [] },
      ],
    });
    expect(await client.diffWorkflows(graph, normal)).toMatchObject({ changed: false, left: normal, right: normal });
    expect(await client.diffWorkflows(graph, tools)).toMatchObject({
      changed: true,
      summary: {
        nodes_changed: [{ node_id: "a", fields: ["capability_policy", "mode", "prompt", "tools"] }],
        edges_added: [],
      },
    });
  });

  it("[W-15.1] refuse a ceiling and graphs that cannot be read", async () => {
    for (const report of ["validate", "inspect", "policy_report"]) {
      const bad = await refusal(post(`/v1/workflows/${report}`, { graph, ceiling: { tools: 5 } }));
      expect(bad).toMatchObject({
        status: 400,
        detail: expect.stringMatching(/^policy parse error: tools: /) as string,
      });
    }
    const bad = await refusal(post("/v1/workflows/diff", { left: graph, right: { nodes: null } }));
    expect(bad).toMatchObject({ status: 400, details: { issues: [{ path: "right.nodes" }] } });
  });
});

describe("versions", () => {
  it("[api] a graph that was there before keeps its version, a changed one gets the next, and no version ever changes", async () => {
    const changed = { ...graph, nodes: { ...graph.nodes, b: { kind: "stage", mode: "external", prompt: "third" } } };
    const first = await client.defineWorkflow("kept", graph);
    expect(first.version).toBe(1);
    expect(await client.defineWorkflow("kept", { ...graph, version: 7 })).toEqual(first);
    const second = await client.defineWorkflow("kept", changed);
    expect(second).toMatchObject({ version: 2 });
    expect(second.hash).not.toBe(first.hash);
    expect((await client.getWorkflow("kept")).version).toBe(2);
    // The older graph is current again, under the version it always had.
    expect(await client.defineWorkflow("kept", graph)).toEqual(first);
    expect((await client.getWorkflow("kept")).version).toBe(1);
    const one = await client.getWorkflow("kept", 1);
    expect([one.hash, one.graph.nodes["b"]?.prompt]).toEqual([first.hash, "second"]);
    const two = await client.getWorkflow("kept", 2);
    expect([two.hash, two.graph.nodes["b"]?.prompt, two.graph.version]).toEqual([second.hash, "third", 2]);
    const { items } = await client.listVersions("kept");
    expect(items.map(({ version }) => version)).toEqual([2, 1]);
  });

  it("[W-4.10] a run keeps the version it was created with, whatever is defined later", async () => {
    await client.defineWorkflow("pinned", graph);
    const old = await client.createRun({ workflow_id: "pinned", task: "t", drive: "manual" });
    const other = { ...graph, nodes: { ...graph.nodes, b: { kind: "stage", mode: "external", prompt: "newer" } } };
    await client.defineWorkflow("pinned", other);
    const fresh = await client.createRun({ workflow_id: "pinned", task: "t", drive: "manual" });
    const named = await client.createRun({ workflow_id: "pinned", version: 1, task: "t", drive: "manual" });
    const prompts = [];
    for (const { run_id: run } of [old, fresh, named]) {
      const step = await client.advanceRun(run);
      const token = step.next?.attempt_token ?? "";
      const next = await client.advanceRun(run, {
        complete: { attempt_token: token, result: { status: "completed", text: "a" } },
      });
      const { metadata } = await client.getRun(run);
      prompts.push([metadata["workflow_version"], String(next.next?.prompt).includes("newer")]);
    }
    expect(prompts).toEqual([
      [1, false],
      [2, true],
      [1, false],
    ]);
  });
});

import { describe, expect, it } from "vitest";
import { diffGraphs } from "../../../src/engine/graph/diff.ts";
import { decoded, testContext } from "./fixture.ts";

const left = decoded({
  id: "wf",
  entry: "a",
  nodes: { a: { system: "s" }, b: {}, c: { kind: "verify" } },
  edges: [
    { from: "a", to: "b" },
    { from: "a", to: "b" },
    { from: "b", to: "c", branch: "success" },
  ],
});

const summaryOf = (document: unknown) => diffGraphs(left, decoded(document), testContext()).summary;

const SAME = {
  fields: [],
  nodes_added: [],
  nodes_removed: [],
  nodes_changed: [],
  edges_added: [],
  edges_removed: [],
  edges_reordered: false,
};

describe("the summary of a diff", () => {
  it("[W-15.1] says nothing about graphs that are the same once normal", () => {
    const same = { ...left, nodes: { ...left.nodes, b: { kind: "stage" } }, version: 1 };
    expect(diffGraphs(left, decoded(same), testContext())).toMatchObject({ changed: false, summary: SAME });
  });

  it("[W-15.1] names nodes that came, went and changed, with the fields that differ", () => {
    const nodes = { a: { system: "other", prompt: "p" }, b: {}, d: {} };
    expect(summaryOf({ ...left, nodes, edges: left.edges })).toEqual({
      ...SAME,
      nodes_added: ["d"],
      nodes_removed: ["c"],
      nodes_changed: [{ node_id: "a", fields: ["prompt", "system"] }],
    });
  });

  it("[W-15.1] counts a field that only one of two nodes has", () => {
    const nodes = { ...left.nodes, a: { system: "s", timeout_ms: 5 } };
    expect(summaryOf({ ...left, nodes }).nodes_changed).toEqual([{ node_id: "a", fields: ["timeout_ms"] }]);
  });

  it("[W-15.1] names edges that came and went; one that is there twice counts twice", () => {
    const [ab, , bc] = left.edges;
    const back = { from: "c", to: "a", branch: null, label: "again" };
    expect(summaryOf({ ...left, edges: [ab, bc, back] })).toEqual({
      ...SAME,
      edges_added: [back],
      edges_removed: [ab],
    });
    expect(summaryOf({ ...left, edges: [...left.edges, ab] }).edges_added).toEqual([ab]);
    expect(summaryOf({ ...left, edges: [{ ...ab, branch: "failed" }, ab, bc] })).toMatchObject({
      edges_added: [{ branch: "failed" }],
      edges_removed: [ab],
    });
  });

  it("[W-15.1] tells the order of edges from the edges", () => {
    const edges = left.edges.toReversed();
    const diff = diffGraphs(left, decoded({ ...left, edges }), testContext());
    expect(diff.changed).toBe(true);
    expect(diff.summary).toEqual({ ...SAME, edges_reordered: true });
  });

  it("[W-15.1] names the graph's own fields, and the invented ids of graphs without one", () => {
    expect(summaryOf({ ...left, entry: "b", metadata: { x: 1 } }).fields).toEqual(["entry", "metadata"]);
    const anonymous = decoded({ nodes: { a: {} } });
    expect(diffGraphs(anonymous, anonymous, testContext()).summary.fields).toEqual(["id"]);
  });
});

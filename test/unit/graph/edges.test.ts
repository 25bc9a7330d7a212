import { describe, expect, it } from "vitest";
import {
  incomingEdges,
  joinIsReady,
  joinReadiness,
  nextEdges,
  nextNodeFor,
  outgoingEdges,
} from "../../../src/engine/graph/edges.ts";
import { graphOf } from "./fixture.ts";

const graph = graphOf({
  entry: "a",
  nodes: { a: {}, b: {}, c: {}, d: {}, e: {} },
  edges: [
    { from: "a", to: "b", branch: "success" },
    { from: "a", to: "c" },
    { from: "a", to: "d", branch: "failed" },
    { from: "a", to: "e", branch: "success" },
    { from: "b", to: "c", branch: "retry" },
  ],
});

const targets = (node: string, branch: string | null) => nextEdges(graph, node, branch).map((edge) => edge.to);

describe("nextEdges", () => {
  it("[W-5.1] exact branch edges win over default edges, in edge order", () => {
    expect(targets("a", "success")).toEqual(["b", "e"]);
    expect(targets("b", "retry")).toEqual(["c"]);
  });

  it("[W-5.1] a branch without an edge of its own follows the default edges", () => {
    expect(targets("a", "error")).toEqual(["c"]);
  });

  it("[W-5.1] no branch follows only default edges", () => {
    expect(targets("a", null)).toEqual(["c"]);
    expect(targets("b", null)).toEqual([]);
  });

  it("[W-5.1] without any fitting edge the path ends", () => {
    expect(targets("b", "success")).toEqual([]);
    expect(targets("unknown", "success")).toEqual([]);
  });

  it("[W-5.4] the next node is the target of the first edge", () => {
    expect(nextNodeFor(graph, "a", "success")).toBe("b");
    expect(nextNodeFor(graph, "b", "success")).toBeNull();
  });

  it("[W-5.1] edges are found by either end", () => {
    expect(outgoingEdges(graph, "a")).toHaveLength(4);
    expect(incomingEdges(graph, "c").map((edge) => edge.from)).toEqual(["a", "b"]);
    expect(incomingEdges(graph, "a")).toEqual([]);
  });
});

describe("joinReadiness", () => {
  const edges = ["a", "b", "c"].map((from) => ({ from, to: "j" }));

  it.each([
    [{ strategy: "all" }, ["a", "b"], { ready: false, required: 3, completed_inputs: 2 }],
    [{ strategy: "all" }, ["a", "b", "c"], { ready: true, required: 3, completed_inputs: 3 }],
    [{ strategy: "first" }, ["c"], { ready: true, required: 1, completed_inputs: 1 }],
    [{ strategy: "quorum", min_completed: 2 }, ["c"], { ready: false, required: 2, completed_inputs: 1 }],
    [{ strategy: "all", min_completed: 2 }, ["a", "c"], { ready: true, required: 2, completed_inputs: 2 }],
    [{ strategy: "first", require_all_inputs: true }, ["a"], { ready: false, required: 3, completed_inputs: 1 }],
    [{ strategy: "first" }, [], { ready: false, required: 1, completed_inputs: 0 }],
    [{}, ["a"], { ready: false, required: 3, completed_inputs: 1 }],
  ])("[W-5.2] %j with %j", (join_policy, completed_nodes, expected) => {
    expect(joinReadiness({ node: "j", join_policy, edges, completed_nodes })).toEqual(expected);
  });

  it("[W-5.2] counts edges, not distinct nodes, and ignores edges to other nodes", () => {
    const doubled = [
      { from: "a", to: "j" },
      { from: "a", to: "j" },
      { from: "a", to: "k" },
    ];
    const question = { node: "j", join_policy: { strategy: "all" }, edges: doubled };
    expect(joinReadiness({ ...question, completed_nodes: new Set(["a"]) })).toEqual({
      ready: true,
      required: 2,
      completed_inputs: 2,
    });
  });

  it("[W-5.2] the join of a graph is judged by its own policy", () => {
    const nodes = { a: {}, b: {}, all: { kind: "join" }, any: { kind: "join", join_policy: { strategy: "first" } } };
    const pairs = [
      ["a", "all"],
      ["b", "all"],
      ["a", "any"],
      ["b", "any"],
    ];
    const joined = graphOf({ nodes, edges: pairs.map(([from, to]) => ({ from, to })) });
    expect(joinIsReady(joined, "all", new Set(["a"]))).toBe(false);
    expect(joinIsReady(joined, "all", new Set(["a", "b"]))).toBe(true);
    expect(joinIsReady(joined, "any", new Set(["b"]))).toBe(true);
    expect(joinIsReady(joined, "ghost", new Set())).toBe(true);
  });
});

import { byCodePoint, isObject } from "../../lib/json.ts";
import type { DecodedGraph, WorkflowEdge, WorkflowGraph } from "../../schema/graph.ts";
import type { Context } from "../machine.ts";
import { nodeIds, nodeOf, normalizeGraph } from "./normalize.ts";

/** What of two graphs is different: what the right one has more, less and otherwise. */
export interface GraphDiffSummary {
  /** Fields of the graphs themselves, such as `entry`; nodes and edges are told apart. */
  readonly fields: readonly string[];
  readonly nodes_added: readonly string[];
  readonly nodes_removed: readonly string[];
  readonly nodes_changed: readonly { readonly node_id: string; readonly fields: readonly string[] }[];
  readonly edges_added: readonly WorkflowEdge[];
  readonly edges_removed: readonly WorkflowEdge[];
  /** True where both have the same edges in another order: the order decides what is scheduled first. */
  readonly edges_reordered: boolean;
}

/** Two normal graphs side by side, whether they differ and in what. */
export interface GraphDiff {
  readonly changed: boolean;
  readonly left: WorkflowGraph;
  readonly right: WorkflowGraph;
  readonly summary: GraphDiffSummary;
}

/** Equality of JSON values, whatever the order of their keys. Decoded documents are nested shallowly enough to recurse. */
const sameJson = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
  );
};

/** The keys whose values differ, by code point; a key that only one has differs. */
const differingKeys = (a: object, b: object): readonly string[] => {
  const left = new Map<string, unknown>(Object.entries(a));
  const right = new Map<string, unknown>(Object.entries(b));
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((key) => left.has(key) !== right.has(key) || !sameJson(left.get(key), right.get(key)))
    .toSorted(byCodePoint);
};

const edgeKey = ({ from, to, branch, label }: WorkflowEdge): string => JSON.stringify([from, to, branch, label]);

/** The edges of one list that the other has not, in their order; an edge that is there twice counts twice. */
const edgesWithout = (edges: readonly WorkflowEdge[], others: readonly WorkflowEdge[]): readonly WorkflowEdge[] => {
  const left = new Map<string, number>();
  for (const edge of others) left.set(edgeKey(edge), (left.get(edgeKey(edge)) ?? 0) + 1);
  return edges.filter((edge) => {
    const count = left.get(edgeKey(edge)) ?? 0;
    left.set(edgeKey(edge), count - 1);
    return count <= 0;
  });
};

const summaryOf = (left: WorkflowGraph, right: WorkflowGraph): GraphDiffSummary => {
  const [before, after] = [nodeIds(left), nodeIds(right)];
  const nodesChanged = before.flatMap((id) => {
    const [a, b] = [nodeOf(left, id), nodeOf(right, id)];
    const fields = a === undefined || b === undefined ? [] : differingKeys(a, b);
    return fields.length === 0 ? [] : [{ node_id: id, fields }];
  });
  const added = edgesWithout(right.edges, left.edges);
  const removed = edgesWithout(left.edges, right.edges);
  return {
    fields: differingKeys(left, right).filter((key) => key !== "nodes" && key !== "edges"),
    nodes_added: after.filter((id) => nodeOf(left, id) === undefined),
    nodes_removed: before.filter((id) => nodeOf(right, id) === undefined),
    nodes_changed: nodesChanged,
    edges_added: added,
    edges_removed: removed,
    edges_reordered: added.length === 0 && removed.length === 0 && !sameJson(left.edges, right.edges),
  };
};

/** Two graphs side by side, whether they differ once normal and in what; graphs without an id always do (spec/workflow 15.1). */
export const diffGraphs = (left: DecodedGraph, right: DecodedGraph, context: Pick<Context, "nextId">): GraphDiff => {
  const a = normalizeGraph(left, context);
  const b = normalizeGraph(right, context);
  return { changed: !sameJson(a, b), left: a, right: b, summary: summaryOf(a, b) };
};

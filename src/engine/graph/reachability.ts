import { byCodePoint } from "../../lib/json.ts";
import type { WorkflowGraph } from "../../schema/graph.ts";
import { outgoingEdges } from "./edges.ts";

/**
 * Everything that can be reached from the entry over any edge, sorted (spec/workflow 3). Unknown ids that edges or the
 * entry name are included, because edges to them are followed too.
 */
export const reachableNodes = (graph: Pick<WorkflowGraph, "entry" | "edges">): readonly string[] => {
  const reached = new Set([graph.entry]);
  // A set visits what is added while it is walked, so this is a breadth-first search without a queue.
  for (const id of reached) for (const edge of outgoingEdges(graph, id)) reached.add(edge.to);
  return [...reached].toSorted(byCodePoint);
};

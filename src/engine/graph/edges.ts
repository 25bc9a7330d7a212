import type { WorkflowEdge, WorkflowGraph } from "../../schema/graph.ts";
import type { JoinPolicy } from "../../schema/policy.ts";
import { nodeOf } from "./normalize.ts";

interface Adjacency {
  readonly outgoing: ReadonlyMap<string, readonly WorkflowEdge[]>;
  readonly incoming: ReadonlyMap<string, readonly WorkflowEdge[]>;
}

// Memoisation only: graphs are never changed in place, so the answer for one object is always the same.
const adjacencies = new WeakMap<readonly WorkflowEdge[], Adjacency>();

const groupBy = (edges: readonly WorkflowEdge[], end: "from" | "to"): ReadonlyMap<string, readonly WorkflowEdge[]> => {
  const groups = new Map<string, WorkflowEdge[]>();
  for (const edge of edges) {
    const group = groups.get(edge[end]);
    if (group === undefined) groups.set(edge[end], [edge]);
    else group.push(edge);
  }
  return groups;
};

const adjacencyOf = (edges: readonly WorkflowEdge[]): Adjacency => {
  const known = adjacencies.get(edges);
  if (known !== undefined) return known;
  const built = { outgoing: groupBy(edges, "from"), incoming: groupBy(edges, "to") };
  adjacencies.set(edges, built);
  return built;
};

/** The edges that leave a node, in edge order. The graph is indexed once, so this does not scan it. */
export const outgoingEdges = (graph: Pick<WorkflowGraph, "edges">, nodeId: string): readonly WorkflowEdge[] =>
  adjacencyOf(graph.edges).outgoing.get(nodeId) ?? [];

/** The edges that enter a node, in edge order. The graph is indexed once, so this does not scan it. */
export const incomingEdges = (graph: Pick<WorkflowGraph, "edges">, nodeId: string): readonly WorkflowEdge[] =>
  adjacencyOf(graph.edges).incoming.get(nodeId) ?? [];

/**
 * The edges to follow after a stage with this branch: those with exactly the branch, or else the default edges, in edge
 * order (spec/workflow 5.1). When an exact edge exists, default edges are not taken as well.
 */
export const nextEdges = (
  graph: Pick<WorkflowGraph, "edges">,
  nodeId: string,
  branch: string | null,
): readonly WorkflowEdge[] => {
  const edges = outgoingEdges(graph, nodeId);
  const exact = edges.filter((edge) => edge.branch === branch);
  return exact.length > 0 || branch === null ? exact : edges.filter((edge) => edge.branch === null);
};

/** The target of the first edge to follow, or null (spec/workflow 5.4). */
export const nextNodeFor = (
  graph: Pick<WorkflowGraph, "edges">,
  nodeId: string,
  branch: string | null,
): string | null => nextEdges(graph, nodeId, branch)[0]?.to ?? null;

/** A set of node ids that can only be asked. */
export interface NodeSet {
  readonly has: (nodeId: string) => boolean;
}

/** What `joinReadiness` looks at. */
export interface JoinQuestion {
  readonly node: string;
  /** Missing fields have the defaults of a normal graph. */
  readonly join_policy: Partial<JoinPolicy>;
  /** All edges of the graph, or only those that enter the join: `incomingEdges` spares the scan. */
  readonly edges: readonly Pick<WorkflowEdge, "from" | "to">[];
  readonly completed_nodes: NodeSet | readonly string[];
}

/** How many inputs a join needs and has. */
export interface JoinReadiness {
  readonly ready: boolean;
  readonly required: number;
  readonly completed_inputs: number;
}

/**
 * Whether a join may run (spec/workflow 5.2). It counts edges, not distinct nodes; a node counts once it has been
 * executed, whatever came of it.
 */
export const joinReadiness = (question: JoinQuestion): JoinReadiness => {
  const { completed_nodes: nodes } = question;
  const completed = "has" in nodes ? nodes : new Set(nodes);
  const incoming = question.edges.filter((edge) => edge.to === question.node);
  const { strategy = "", require_all_inputs: requireAll = false, min_completed: minimum = null } = question.join_policy;
  const required = minimum ?? (requireAll || strategy === "" || strategy === "all" ? incoming.length : 1);
  const count = incoming.filter((edge) => completed.has(edge.from)).length;
  return { ready: count >= required, required, completed_inputs: count };
};

/** Whether a join of a normal graph may run; a step costs no more than the edges that enter the join (spec/workflow 5.2). */
export const joinIsReady = (
  graph: Pick<WorkflowGraph, "nodes" | "edges">,
  nodeId: string,
  completed: NodeSet,
): boolean =>
  joinReadiness({
    node: nodeId,
    join_policy: nodeOf(graph, nodeId)?.join_policy ?? {},
    edges: incomingEdges(graph, nodeId),
    completed_nodes: completed,
  }).ready;

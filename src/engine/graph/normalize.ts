import { byCodePoint } from "../../lib/json.ts";
import type { DecodedGraph, WorkflowEdge, WorkflowGraph, WorkflowNode } from "../../schema/graph.ts";
import type { Context } from "../machine.ts";
import { upgradeLegacyShape } from "./legacy.ts";

const sortedIds = new WeakMap<WorkflowGraph["nodes"], readonly string[]>();

/**
 * The ids of a graph's nodes in code point order, the only order to walk nodes in (spec/workflow 0.1): the keys of a
 * JavaScript object are no substitute, because whole numbers come first there.
 */
export const nodeIds = (graph: Pick<WorkflowGraph, "nodes">): readonly string[] => {
  const known = sortedIds.get(graph.nodes);
  if (known !== undefined) return known;
  const ids = Object.keys(graph.nodes).toSorted(byCodePoint);
  sortedIds.set(graph.nodes, ids);
  return ids;
};

/** The node with this id; never a property that every object has. */
export const nodeOf = (graph: Pick<WorkflowGraph, "nodes">, id: string): WorkflowNode | undefined =>
  Object.hasOwn(graph.nodes, id) ? graph.nodes[id] : undefined;

const defaultOutputKind = (node: WorkflowNode, kind: string): string => {
  switch (kind) {
    case "verify":
      return "verification_result";
    case "reduce":
      return node.reduce_policy.output_kind ?? "summary";
    case "map":
      return node.map_policy.output_kind ?? "artifact";
    case "escalation":
      return "plan";
    default:
      return "artifact";
  }
};

/** A node with its defaults filled in (spec/workflow 2, step 4). */
export const normalizeNode = (node: WorkflowNode, key: string): WorkflowNode => {
  const kind = node.kind || "stage";
  const { join_policy: join, reduce_policy: reduce, output_contract: output, retry_policy: retry } = node;
  return {
    ...node,
    id: node.id ?? key,
    kind,
    join_policy: { ...join, strategy: join.strategy || "all" },
    reduce_policy: { ...reduce, strategy: reduce.strategy || "concat" },
    output_contract:
      output.output_kinds.length > 0 ? output : { ...output, output_kinds: [defaultOutputKind(node, kind)] },
    retry_policy: { ...retry, max_attempts: retry.max_attempts || 1 },
  };
};

const withAllFields = (edge: WorkflowEdge): WorkflowEdge => ({
  from: edge.from,
  to: edge.to,
  branch: edge.branch,
  label: edge.label,
});

/**
 * Fills every default of a graph and upgrades the older act/verify/repair shape (spec/workflow 2). Normalising twice is
 * the same as once; only a missing id is minted from the context.
 */
export const normalizeGraph = (graph: DecodedGraph, context: Pick<Context, "nextId">): WorkflowGraph => {
  const current = upgradeLegacyShape(graph);
  const ids = nodeIds(current);
  const nodes = Object.fromEntries(
    ids.flatMap((id) => {
      const node = nodeOf(current, id);
      return node === undefined ? [] : [[id, normalizeNode(node, id)] as const];
    }),
  );
  return {
    _type: current._type || "workflow_graph",
    id: current.id || context.nextId("workflow"),
    name: current.name,
    version: current.version || 1,
    entry: current.entry || (ids[0] ?? "act"),
    nodes,
    edges: current.edges.map(withAllFields),
    capability_policy: current.capability_policy,
    approval_policy: current.approval_policy,
    metadata: current.metadata,
    audit_log: current.audit_log,
  };
};

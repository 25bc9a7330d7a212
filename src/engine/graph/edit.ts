import type { Json } from "../../lib/json.ts";
import { nodeIdProblem } from "../../lib/node-id.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { rfc3339 } from "../../lib/time.ts";
import type { DecodedGraph, ValidationReport, WorkflowEdge, WorkflowGraph, WorkflowNode } from "../../schema/graph.ts";
import type {
  AutoCompactPolicy,
  CapabilityPolicy,
  ContextPolicy,
  ModelPolicy,
  RetryPolicy,
  ToolApprovalPolicy,
} from "../../schema/policy.ts";
import type { Context } from "../machine.ts";
import { BUILTIN_CEILING } from "../policy/capability.ts";
import { toolNames } from "../policy/tools.ts";
import { nodeIds, nodeOf, normalizeGraph, normalizeNode } from "./normalize.ts";
import { validateGraph } from "./validate.ts";

// Edits of a graph (spec/workflow 15.1): graph in, new graph out, with an entry in its audit log. A missing argument is a
// refusal with the text the specification gives it.

type Missing = null | undefined;

/** An edited graph or the text of the refusal. */
export type Edited = Result<WorkflowGraph, string>;

interface Audit {
  readonly op: string;
  readonly node_id?: string;
  readonly reason?: string | null;
  readonly metadata?: Readonly<Record<string, Json>>;
}

const withAudit = (graph: WorkflowGraph, audit: Audit, context: Context): WorkflowGraph => ({
  ...graph,
  audit_log: [
    ...graph.audit_log,
    {
      id: context.nextId("audit"),
      op: audit.op,
      node_id: audit.node_id ?? null,
      timestamp: rfc3339(context.now),
      reason: audit.reason ?? null,
      metadata: audit.metadata ?? {},
    },
  ],
});

/** A copy under the id `{id}_clone` and the next version; the only edit that changes the version. */
export const cloneGraph = (graph: DecodedGraph, context: Context): WorkflowGraph => {
  const normal = normalizeGraph(graph, context);
  const copy = { ...normal, id: `${normal.id}_clone`, version: normal.version + 1 };
  return withAudit(copy, { op: "clone" }, context);
};

const withNode = (graph: WorkflowGraph, id: string, node: WorkflowNode): WorkflowGraph => ({
  ...graph,
  nodes: Object.fromEntries([
    ...Object.entries(graph.nodes).filter(([key]) => key !== id),
    [id, normalizeNode({ ...node, id }, id)],
  ]),
});

const freeId = (graph: WorkflowGraph): string => {
  let number = nodeIds(graph).length + 1;
  // A taken number is passed over, so that a node without an id never overwrites another.
  while (nodeOf(graph, `node_${number}`) !== undefined) number += 1;
  return `node_${number}`;
};

/** Adds a node, or replaces the one with its id, and appends an edge if one is given. */
export const insertNode = (
  graph: DecodedGraph | Missing,
  change: { readonly node: WorkflowNode | Missing; readonly edge?: WorkflowEdge | Missing },
  context: Context,
): Edited => {
  const { node, edge } = change;
  if (!graph) return err("workflow_insert_node: missing workflow");
  if (!node) return err("workflow_insert_node: missing node");
  const normal = normalizeGraph(graph, context);
  const id = node.id ?? freeId(normal);
  const inserted = withNode(normal, id, node);
  const edges = edge ? [...normal.edges, edge] : normal.edges;
  const sorted = normalizeGraph({ ...inserted, edges }, context);
  return ok(withAudit(sorted, { op: "insert_node", node_id: id }, context));
};

/** Puts a node under an id, whether or not there was one. */
export const replaceNode = (
  graph: DecodedGraph | Missing,
  change: { readonly node_id: string | Missing; readonly node: WorkflowNode | Missing },
  context: Context,
): Edited => {
  const { node_id: id, node } = change;
  if (!graph) return err("workflow_replace_node: missing workflow");
  if (!id) return err("workflow_replace_node: missing node id");
  if (!node) return err("workflow_replace_node: missing node");
  const problem = nodeIdProblem(id);
  if (problem !== null) return err(`workflow_replace_node: node id ${problem}`);
  const replaced = withNode(normalizeGraph(graph, context), id, node);
  return ok(withAudit(normalizeGraph(replaced, context), { op: "replace_node", node_id: id }, context));
};

/** Replaces all edges from a node on one branch by a single edge; without a branch, the default edges. */
export const rewire = (
  graph: DecodedGraph | Missing,
  change: { readonly from: string | Missing; readonly to: string | Missing; readonly branch?: string | Missing },
  context: Context,
): Edited => {
  const { from, to } = change;
  if (!graph) return err("workflow_rewire: missing workflow");
  if (!from) return err("workflow_rewire: missing from");
  if (!to) return err("workflow_rewire: missing to");
  const problem = nodeIdProblem(from) ?? nodeIdProblem(to);
  if (problem !== null) return err(`workflow_rewire: node id ${problem}`);
  const branch = change.branch ?? null;
  const normal = normalizeGraph(graph, context);
  const kept = normal.edges.filter((edge) => edge.from !== from || edge.branch !== branch);
  const edges = [...kept, { from, to, branch, label: null }];
  return ok(withAudit({ ...normal, edges }, { op: "rewire", node_id: from }, context));
};

/** One setting of a node, replaced as a whole. */
export type NodeSetting =
  | { readonly set: "model_policy"; readonly value: ModelPolicy | Missing }
  | { readonly set: "context_policy"; readonly value: ContextPolicy | Missing }
  | { readonly set: "auto_compact"; readonly value: AutoCompactPolicy | Missing }
  | { readonly set: "retry_policy"; readonly value: RetryPolicy | Missing }
  | { readonly set: "capability_policy"; readonly value: CapabilityPolicy | Missing }
  | { readonly set: "approval_policy"; readonly value: ToolApprovalPolicy | Missing }
  | { readonly set: "output_visibility"; readonly value: Json | undefined };

const settingPatch = (setting: NodeSetting): Result<Partial<WorkflowNode>, string> => {
  if (setting.set === "output_visibility") {
    const value = setting.value ?? null;
    if (value === null || typeof value === "string") return ok({ output_visibility: value });
    return err("workflow_set_output_visibility: value must be a string or nil");
  }
  return setting.value ? ok({ [setting.set]: setting.value }) : err("workflow policy update: missing policy");
};

/** Replaces one policy of a node, or its output visibility. */
export const setNodeSetting = (
  graph: DecodedGraph | Missing,
  nodeId: string | Missing,
  setting: NodeSetting,
  context: Context,
): Edited => {
  if (!graph) return err("workflow policy update: missing workflow");
  if (!nodeId) return err("workflow policy update: missing node id");
  const patch = settingPatch(setting);
  if (!patch.ok) return patch;
  const normal = normalizeGraph(graph, context);
  const node = nodeOf(normal, nodeId);
  if (node === undefined) return err(`unknown workflow node: ${nodeId}`);
  const nodes = { ...normal.nodes, [nodeId]: normalizeNode({ ...node, ...patch.value }, nodeId) };
  const audit = { op: "set_policy", node_id: nodeId, metadata: { setting: setting.set } };
  return ok(withAudit({ ...normal, nodes }, audit, context));
};

/** Marks a graph as committed, if it is valid under the builtin ceiling; it changes no version and stores nothing. */
export const commitGraph = (graph: DecodedGraph, reason: string | null, context: Context): Edited => {
  const normal = normalizeGraph(graph, context);
  const { valid, errors } = validateGraph(normal, BUILTIN_CEILING);
  if (!valid) return err(`workflow_commit: invalid workflow: ${errors.join("; ")}`);
  return ok(withAudit(normal, { op: "commit", reason }, context));
};

/** A graph with its validation and its size. */
export interface GraphInspection {
  readonly graph: WorkflowGraph;
  readonly validation: ValidationReport;
  readonly node_count: number;
  readonly edge_count: number;
}

/** A graph with its validation and its size, under the builtin ceiling unless another is given. */
export const inspectGraph = (
  graph: DecodedGraph,
  ceiling: CapabilityPolicy | null,
  context: Pick<Context, "nextId">,
): GraphInspection => {
  const normal = normalizeGraph(graph, context);
  return {
    graph: normal,
    validation: validateGraph(normal, ceiling ?? BUILTIN_CEILING),
    node_count: nodeIds(normal).length,
    edge_count: normal.edges.length,
  };
};

/** The policies of a graph and its nodes under a ceiling. */
export interface PolicyReport {
  readonly workflow_policy: CapabilityPolicy;
  readonly ceiling: CapabilityPolicy;
  readonly validation: ValidationReport;
  readonly nodes: readonly {
    readonly node_id: string;
    readonly policy: CapabilityPolicy;
    readonly tools: readonly string[];
  }[];
}

/** The policies of a graph and its nodes, under the builtin ceiling unless another is given. */
export const policyReport = (
  graph: DecodedGraph,
  ceiling: CapabilityPolicy | null,
  context: Pick<Context, "nextId">,
): PolicyReport => {
  const normal = normalizeGraph(graph, context);
  const limit = ceiling ?? BUILTIN_CEILING;
  const nodes = nodeIds(normal).flatMap((id) => {
    const node = nodeOf(normal, id);
    return node === undefined ? [] : [{ node_id: id, policy: node.capability_policy, tools: toolNames(node.tools) }];
  });
  return { workflow_policy: normal.capability_policy, ceiling: limit, validation: validateGraph(normal, limit), nodes };
};

import {
  cloneGraph,
  commitGraph,
  insertNode,
  type NodeSetting,
  replaceNode,
  rewire,
  setNodeSetting,
} from "../../../src/engine/graph/edit.ts";
import { joinReadiness, nextEdges } from "../../../src/engine/graph/edges.ts";
import { normalizeGraph } from "../../../src/engine/graph/normalize.ts";
import { validateGraph } from "../../../src/engine/graph/validate.ts";
import type { Context } from "../../../src/engine/machine.ts";
import { collectContracts } from "../../../src/engine/verification/contracts.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { decodeEdge, decodeGraph, decodeNode, type WorkflowGraph } from "../../../src/schema/graph.ts";
import { decodeCapabilityPolicy, decodeContextPolicy } from "../../../src/schema/policy.ts";
import { listArg, type Operations, textArg, valueOf } from "../operation.ts";
import type { System } from "../system.ts";

const graphOf = (args: JsonObject, context: Context): WorkflowGraph =>
  normalizeGraph(valueOf(decodeGraph(args["graph"])), context);

const optionalText = (args: JsonObject, name: string): string | null => {
  const value = args[name];
  return typeof value === "string" ? value : null;
};

const contextPolicySetting = (value: Json | undefined): NodeSetting => ({
  set: "context_policy",
  value: (value ?? null) === null ? null : valueOf(decodeContextPolicy(value, "workflow_set_context_policy")),
});

const edit = (system: System, args: JsonObject): WorkflowGraph => {
  const { context } = system.clock;
  const graph = valueOf(decodeGraph(args["graph"]));
  const nodeUnder = (label: string) =>
    (args["node"] ?? null) === null ? null : valueOf(decodeNode(args["node"], label));
  switch (args["edit"]) {
    case "clone":
      return cloneGraph(graph, context);
    case "insert_node": {
      const edge = args["edge"] ?? null;
      const added = edge === null ? null : valueOf(decodeEdge(edge, "workflow_insert_node edge"));
      return valueOf(insertNode(graph, { node: nodeUnder("workflow_insert_node"), edge: added }, context));
    }
    case "replace_node": {
      const change = { node_id: optionalText(args, "node_id"), node: nodeUnder("workflow_replace_node") };
      return valueOf(replaceNode(graph, change, context));
    }
    case "rewire": {
      const [from, to] = [optionalText(args, "from"), optionalText(args, "to")];
      return valueOf(rewire(graph, { from, to, branch: optionalText(args, "branch") }, context));
    }
    case "set_context_policy":
      return valueOf(
        setNodeSetting(graph, optionalText(args, "node_id"), contextPolicySetting(args["policy"]), context),
      );
    case "commit":
      return valueOf(commitGraph(graph, optionalText(args, "reason"), context));
    default:
      throw new Error(`unknown edit ${JSON.stringify(args["edit"])}`);
  }
};

const edgesAfter = (system: System, args: JsonObject): unknown => {
  const graph = (args["graph"] ?? null) === null ? system.latestRun?.run.graph : graphOf(args, system.clock.context);
  if (graph === undefined) throw new Error("next_edges needs a graph or a run");
  return nextEdges(graph, textArg(args, "node"), optionalText(args, "branch"));
};

/** Graphs (spec/workflow 2, 3, 5.1, 5.2, 7.2 and 15.1). */
export const graphOperations: Operations = {
  normalize_graph: (system, args) => graphOf(args, system.clock.context),
  validate_graph: (system, args) => {
    const ceiling = (args["ceiling"] ?? null) === null ? null : valueOf(decodeCapabilityPolicy(args["ceiling"]));
    return validateGraph(graphOf(args, system.clock.context), ceiling);
  },
  graph_edit: edit,
  next_edges: edgesAfter,
  join_readiness: (_system, args) =>
    joinReadiness({
      node: textArg(args, "node"),
      join_policy: (args["join_policy"] ?? {}) as JsonObject,
      edges: listArg(args, "edges") as unknown as readonly { readonly from: string; readonly to: string }[],
      completed_nodes: listArg(args, "completed_nodes") as readonly string[],
    }),
  verification_contracts: (system, args) => valueOf(collectContracts(graphOf(args, system.clock.context))),
};

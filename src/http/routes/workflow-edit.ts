import {
  cloneGraph,
  commitGraph,
  type Edited,
  insertNode,
  type NodeSetting,
  replaceNode,
  rewire,
  setNodeSetting,
} from "../../engine/graph/edit.ts";
import type { Context } from "../../engine/machine.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { uuidIds } from "../../ports/ids.ts";
import { editedWorkflowSchema, type EditWorkflow, editWorkflowSchema } from "../../schema/api-workflow.ts";
import type { DecodeError } from "../../schema/decode.ts";
import { type DecodedGraph, decodeEdge, decodeNode } from "../../schema/graph.ts";
import {
  decodeAutoCompactPolicy,
  decodeContextPolicy,
  decodeModelPolicy,
  decodeNodeApproval,
  decodeNodeCapabilities,
  decodeRetryPolicy,
} from "../../schema/policy.ts";
import { decodeProblem, graphOf } from "../graph-input.ts";
import { invalid, problem, type Problem } from "../problem.ts";
import { done, type Router } from "../router.ts";

/** A part of the body, decoded where it is there: a missing one is the edit's own refusal. */
const part = <T>(
  field: string,
  value: unknown,
  decode: (value: unknown) => Result<T, DecodeError>,
): Result<T | null, Problem> => {
  if (value === undefined || value === null) return ok(null);
  const decoded = decode(value);
  return decoded.ok ? decoded : err(decodeProblem(field, decoded.error));
};

type Edit = Result<Edited, Problem>;

const insert = (graph: DecodedGraph | null, body: EditWorkflow, context: Context): Edit => {
  const node = part("node", body.node, (value) => decodeNode(value, "workflow_insert_node"));
  if (!node.ok) return node;
  const edge = part("edge", body.edge, (value) => decodeEdge(value, "workflow_insert_node edge"));
  return edge.ok ? ok(insertNode(graph, { node: node.value, edge: edge.value }, context)) : edge;
};

const replace = (graph: DecodedGraph | null, body: EditWorkflow, context: Context): Edit => {
  const node = part("node", body.node, (value) => decodeNode(value, "workflow_replace_node"));
  return node.ok ? ok(replaceNode(graph, { node_id: body.node_id, node: node.value }, context)) : node;
};

const settingOf = (body: EditWorkflow): Result<NodeSetting, Problem> => {
  const label = `workflow_${body.op}`;
  switch (body.op) {
    case "set_model_policy": {
      const value = part("policy", body.policy, (policy) => decodeModelPolicy(policy, label));
      return value.ok ? ok({ set: "model_policy", value: value.value }) : value;
    }
    case "set_context_policy": {
      const value = part("policy", body.policy, (policy) => decodeContextPolicy(policy, label));
      return value.ok ? ok({ set: "context_policy", value: value.value }) : value;
    }
    case "set_auto_compact": {
      const value = part("policy", body.policy, (policy) => decodeAutoCompactPolicy(policy, label));
      return value.ok ? ok({ set: "auto_compact", value: value.value }) : value;
    }
    case "set_retry_policy": {
      const value = part("policy", body.policy, (policy) => decodeRetryPolicy(policy, label));
      return value.ok ? ok({ set: "retry_policy", value: value.value }) : value;
    }
    case "set_capability_policy": {
      const value = part("policy", body.policy, (policy) => decodeNodeCapabilities(policy, label));
      return value.ok ? ok({ set: "capability_policy", value: value.value }) : value;
    }
    case "set_approval_policy": {
      const value = part("policy", body.policy, (policy) => decodeNodeApproval(policy, label));
      return value.ok ? ok({ set: "approval_policy", value: value.value }) : value;
    }
    default:
      return ok({ set: "output_visibility", value: body.value });
  }
};

const edit = (graph: DecodedGraph | null, body: EditWorkflow, context: Context): Edit => {
  switch (body.op) {
    case "clone":
      return ok(graph === null ? err("workflow_clone: missing workflow") : ok(cloneGraph(graph, context)));
    case "insert_node":
      return insert(graph, body, context);
    case "replace_node":
      return replace(graph, body, context);
    case "rewire":
      return ok(rewire(graph, { from: body.from, to: body.to, branch: body.branch }, context));
    case "commit":
      return ok(
        graph === null ? err("workflow_commit: missing workflow") : commitGraph(graph, body.reason ?? null, context),
      );
    default: {
      const setting = settingOf(body);
      return setting.ok ? ok(setNodeSetting(graph, body.node_id, setting.value, context)) : setting;
    }
  }
};

/** Edits of a graph: a pure function behind an address, so that repeating one changes nothing (spec/workflow 15.1). */
export const addWorkflowEditRoutes = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/workflows/edit",
      operation: "edit_workflow",
      tag: "Workflows",
      summary: "Edit a graph",
      description: "Takes a graph and gives the edited one with an entry in its audit log. Nothing is stored.",
      access: "runs:read",
      body: { name: "EditWorkflow", schema: editWorkflowSchema },
      reply: { status: 200, description: "The edited graph", name: "EditedWorkflow", schema: editedWorkflowSchema },
      problems: ["graph_invalid"],
    },
    ({ body }) => {
      const graph = body.graph == null ? ok(null) : graphOf(body.graph);
      if (!graph.ok) return graph.error;
      const edited = edit(graph.value, body, { now: Date.now(), nextId: uuidIds });
      if (!edited.ok) return edited.error;
      const { value } = edited;
      if (value.ok) return done({ graph: value.value, audit_entry: value.value.audit_log.at(-1) ?? null });
      if (body.op === "commit" && graph.value !== null)
        return problem("graph_invalid", value.error, { errors: [value.error] });
      return invalid([{ path: ".", message: value.error }], value.error);
    },
  );

import * as z from "zod";
import { anyJson, id, pageOf, time } from "./api.ts";
import { validationReportSchema, workflowAuditEntrySchema, workflowEdgeSchema, workflowGraphSchema } from "./graph.ts";
import { capabilityPolicySchema } from "./policy.ts";

/** A graph in a body. Its own decoder reads it, so that errors carry the texts of the specification. */
export const graphField = anyJson.describe("A workflow graph, see the schema WorkflowGraph");

// Made anew for each body, because the description of the API knows a schema by one name.
const graphUnderCeiling = () =>
  z
    .object({
      graph: graphField,
      ceiling: anyJson.optional().describe("A capability policy; the builtin ceiling without it"),
    })
    .readonly();

/** Body of `POST /v1/workflows/validate`. */
export const validateWorkflowSchema = graphUnderCeiling();

/** Body of `POST /v1/workflows/inspect`. */
export const inspectWorkflowSchema = graphUnderCeiling();

/** Body of `POST /v1/workflows/policy_report`. */
export const reportPolicySchema = graphUnderCeiling();

/** Body of `PUT /v1/workflows/{workflow_id}`. */
export const defineWorkflowSchema = z.object({ graph: graphField }).readonly();

/** Which version of a workflow a graph became. */
export const definedWorkflowSchema = z
  .object({ workflow_id: z.string(), version: z.int(), hash: z.string().describe("SHA-256 of the normal graph") })
  .readonly();

/** A version of a workflow in lists. */
export const workflowVersionRowSchema = z
  .object({
    workflow_id: z.string(),
    version: z.int(),
    name: z.string().nullable(),
    hash: z.string(),
    created_at: time,
  })
  .readonly();

/** A version of a workflow in lists. */
export type WorkflowVersionRow = z.output<typeof workflowVersionRowSchema>;

/** A version of a workflow with its normal graph. */
export const workflowVersionSchema = workflowVersionRowSchema
  .unwrap()
  .extend({ graph: workflowGraphSchema })
  .readonly();

/** A page of workflows, each with its current version. */
export const workflowPageSchema = pageOf(workflowVersionRowSchema);

/** The edits of a graph (spec/workflow 15.1). */
export const EDIT_OPS = [
  "clone",
  "insert_node",
  "replace_node",
  "rewire",
  "set_model_policy",
  "set_context_policy",
  "set_auto_compact",
  "set_retry_policy",
  "set_capability_policy",
  "set_approval_policy",
  "set_output_visibility",
  "commit",
] as const;

/** The name of an edit. */
export type EditOp = (typeof EDIT_OPS)[number];

/** Body of `POST /v1/workflows/edit`; which of the further fields count depends on `op`. */
export const editWorkflowSchema = z
  .object({
    op: z.enum(EDIT_OPS),
    graph: graphField.optional(),
    node: anyJson.optional().describe("insert_node, replace_node"),
    edge: anyJson.optional().describe("insert_node: an edge to append"),
    node_id: id.nullable().optional().describe("replace_node, set_*"),
    from: id.nullable().optional().describe("rewire"),
    to: id.nullable().optional().describe("rewire"),
    branch: z.string().nullable().optional().describe("rewire: the default edges without it"),
    policy: anyJson.optional().describe("set_*_policy, set_auto_compact: the whole new policy"),
    value: anyJson.optional().describe("set_output_visibility: a text or null"),
    reason: z.string().nullable().optional().describe("commit"),
  })
  .readonly();

/** Body of `POST /v1/workflows/edit`. */
export type EditWorkflow = z.output<typeof editWorkflowSchema>;

/** The edited graph and the entry the edit left in its log. */
export const editedWorkflowSchema = z
  .object({ graph: workflowGraphSchema, audit_entry: workflowAuditEntrySchema.nullable() })
  .readonly();

/** Body of `POST /v1/workflows/normalize`; without a graph the empty one. */
export const normalizeWorkflowSchema = z.object({ graph: graphField.optional() }).readonly();

/** Answer of `POST /v1/workflows/normalize`. */
export const normalizedWorkflowSchema = z.object({ graph: workflowGraphSchema }).readonly();

/** Body of `POST /v1/workflows/diff`. */
export const diffWorkflowsSchema = z.object({ left: graphField, right: graphField }).readonly();

const names = z.array(z.string()).readonly();
const edges = z.array(workflowEdgeSchema).readonly();

/** Answer of `POST /v1/workflows/diff`. */
export const workflowDiffSchema = z
  .object({
    changed: z.boolean(),
    left: workflowGraphSchema,
    right: workflowGraphSchema,
    summary: z
      .object({
        fields: names.describe("Fields of the graphs themselves that differ"),
        nodes_added: names,
        nodes_removed: names,
        nodes_changed: z.array(z.object({ node_id: z.string(), fields: names }).readonly()).readonly(),
        edges_added: edges,
        edges_removed: edges,
        edges_reordered: z.boolean().describe("The same edges in another order, which decides what is scheduled first"),
      })
      .readonly(),
  })
  .readonly();

/** Answer of `POST /v1/workflows/inspect`. */
export const graphInspectionSchema = z
  .object({
    graph: workflowGraphSchema,
    validation: validationReportSchema,
    node_count: z.int(),
    edge_count: z.int(),
  })
  .readonly();

/** Answer of `POST /v1/workflows/policy_report`. */
export const policyReportSchema = z
  .object({
    workflow_policy: capabilityPolicySchema,
    ceiling: capabilityPolicySchema,
    validation: validationReportSchema,
    nodes: z
      .array(z.object({ node_id: z.string(), policy: capabilityPolicySchema, tools: names }).readonly())
      .readonly(),
  })
  .readonly();

import { diffGraphs } from "../../engine/graph/diff.ts";
import { inspectGraph, policyReport } from "../../engine/graph/edit.ts";
import { normalizeGraph } from "../../engine/graph/normalize.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { uuidIds } from "../../ports/ids.ts";
import {
  diffWorkflowsSchema,
  graphInspectionSchema,
  inspectWorkflowSchema,
  normalizedWorkflowSchema,
  normalizeWorkflowSchema,
  policyReportSchema,
  reportPolicySchema,
  workflowDiffSchema,
} from "../../schema/api-workflow.ts";
import type { DecodedGraph } from "../../schema/graph.ts";
import { type CapabilityPolicy, decodeCapabilityPolicy } from "../../schema/policy.ts";
import { decodeProblem, graphOf } from "../graph-input.ts";
import type { Problem } from "../problem.ts";
import { done, type Router } from "../router.ts";

const IDS = { nextId: uuidIds };

interface Inspected {
  readonly graph: DecodedGraph;
  readonly ceiling: CapabilityPolicy | null;
}

/** A graph and the ceiling it is looked at under; without one it is the builtin ceiling. */
const inspected = (body: { readonly graph?: unknown; readonly ceiling?: unknown }): Result<Inspected, Problem> => {
  const graph = graphOf(body.graph ?? null);
  if (!graph.ok) return graph;
  if (body.ceiling == null) return ok({ graph: graph.value, ceiling: null });
  const ceiling = decodeCapabilityPolicy(body.ceiling);
  return ceiling.ok ? ok({ graph: graph.value, ceiling: ceiling.value }) : err(decodeProblem("ceiling", ceiling.error));
};

const addComparisons = (router: Router): void => {
  router.add(
    {
      method: "post",
      path: "/v1/workflows/normalize",
      operation: "normalize_workflow",
      tag: "Workflows",
      summary: "Get a graph with every default filled in",
      access: "runs:read",
      body: { name: "NormalizeWorkflow", schema: normalizeWorkflowSchema },
      reply: { status: 200, description: "The graph", name: "NormalizedWorkflow", schema: normalizedWorkflowSchema },
    },
    ({ body }) => {
      const graph = graphOf(body.graph ?? {});
      return graph.ok ? done({ graph: normalizeGraph(graph.value, IDS) }) : graph.error;
    },
  );
  router.add(
    {
      method: "post",
      path: "/v1/workflows/diff",
      operation: "diff_workflows",
      tag: "Workflows",
      summary: "Compare two graphs",
      description: "Graphs without an id differ from every other.",
      access: "runs:read",
      body: { name: "DiffWorkflows", schema: diffWorkflowsSchema },
      reply: { status: 200, description: "Both graphs", name: "WorkflowDiff", schema: workflowDiffSchema },
    },
    ({ body }) => {
      const left = graphOf(body.left ?? null, "left");
      if (!left.ok) return left.error;
      const right = graphOf(body.right ?? null, "right");
      return right.ok ? done(diffGraphs(left.value, right.value, IDS)) : right.error;
    },
  );
};

/** What a graph is, looked at from several sides: functions of the graph alone (spec/workflow 15.1). */
export const addWorkflowReportRoutes = (router: Router): void => {
  addComparisons(router);
  router.add(
    {
      method: "post",
      path: "/v1/workflows/inspect",
      operation: "inspect_workflow",
      tag: "Workflows",
      summary: "Get a normal graph with its validation and its size",
      access: "runs:read",
      body: { name: "InspectWorkflow", schema: inspectWorkflowSchema },
      reply: { status: 200, description: "The graph", name: "WorkflowInspection", schema: graphInspectionSchema },
    },
    ({ body }) => {
      const given = inspected(body);
      return given.ok ? done(inspectGraph(given.value.graph, given.value.ceiling, IDS)) : given.error;
    },
  );
  router.add(
    {
      method: "post",
      path: "/v1/workflows/policy_report",
      operation: "report_workflow_policy",
      tag: "Workflows",
      summary: "Get the policies of a graph and of its nodes",
      access: "runs:read",
      body: { name: "ReportWorkflowPolicy", schema: reportPolicySchema },
      reply: { status: 200, description: "The policies", name: "PolicyReport", schema: policyReportSchema },
    },
    ({ body }) => {
      const given = inspected(body);
      return given.ok ? done(policyReport(given.value.graph, given.value.ceiling, IDS)) : given.error;
    },
  );
};

import { validateGraph } from "../../engine/graph/validate.ts";
import { normalizeGraph } from "../../engine/graph/normalize.ts";
import { collectContracts } from "../../engine/verification/contracts.ts";
import { BUILTIN_CEILING } from "../../engine/policy/capability.ts";
import { canonicalJson, isObject, type Json } from "../../lib/json.ts";
import { uuidIds } from "../../ports/ids.ts";
import { pageOf, pageQuery } from "../../schema/api.ts";
import {
  definedWorkflowSchema,
  defineWorkflowSchema,
  validateWorkflowSchema,
  workflowPageSchema,
  workflowVersionRowSchema,
  workflowVersionSchema,
} from "../../schema/api-workflow.ts";
import { decodeGraph, validationReportSchema } from "../../schema/graph.ts";
import { decodeCapabilityPolicy } from "../../schema/policy.ts";
import { assetsFor } from "../asset-rows.ts";
import { type Call, nowText } from "../call.ts";
import { asVersion, decodeProblem, graphOf, validGraph } from "../graph-input.ts";
import { CURSOR_ISSUE, decodeCursor, pageFrom } from "../page.ts";
import { invalid, problem, type Problem } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { sha256 } from "../secret.ts";
import { defineVersion, findVersion, listVersions, listWorkflows, type StoredVersion } from "../workflow-rows.ts";

const notFound = (workflowId: string): Problem => problem("workflow_not_found", `there is no workflow ${workflowId}`);

/** A stored version with its graph in the normal form. */
const shown = ({ graph, ...row }: StoredVersion) => {
  const decoded = decodeGraph(JSON.parse(graph));
  if (!decoded.ok) return decodeProblem("graph", decoded.error);
  return done({
    ...row,
    graph: normalizeGraph(asVersion(decoded.value, row.workflow_id, row.version), { nextId: uuidIds }),
  });
};

const define = async (call: Call, workflowId: string, document: unknown) => {
  const decoded = graphOf(document);
  if (!decoded.ok) return decoded.error;
  // The server counts versions: a document that was read from here and is put back is the same version again.
  const assets = await assetsFor(call.env.DB, call.tenant, decoded.value);
  const graph = validGraph(asVersion(decoded.value, workflowId, 1), assets);
  if (!graph.ok) return graph.error;
  // The graph as it was given is kept: with every default filled in it would be several times as large.
  const source = isObject(document) ? { ...document, id: workflowId } : graph.value;
  const hash = await sha256(canonicalJson(graph.value as unknown as Json));
  const { name } = graph.value;
  const row = {
    tenant: call.tenant,
    workflow_id: workflowId,
    hash,
    name,
    graph: JSON.stringify(source),
    at: nowText(),
  };
  const version = await defineVersion(call.env.DB, row);
  return done({ workflow_id: workflowId, version, hash });
};

/** A version as it is written in a path; null for what cannot be one. */
const versionNumber = (text: string): number | null => (/^[1-9]\d{0,8}$/.test(text) ? Number(text) : null);

const addDefinition = (router: Router): void => {
  router.add(
    {
      method: "post",
      path: "/v1/workflows/validate",
      operation: "validate_workflow",
      tag: "Workflows",
      summary: "Check a graph without storing it",
      access: "runs:read",
      body: { name: "ValidateWorkflow", schema: validateWorkflowSchema },
      reply: { status: 200, description: "What was found", name: "ValidationReport", schema: validationReportSchema },
    },
    async ({ body, call }) => {
      const graph = graphOf(body.graph ?? null);
      if (!graph.ok) return graph.error;
      const ceiling = body.ceiling == null ? null : decodeCapabilityPolicy(body.ceiling);
      if (ceiling !== null && !ceiling.ok) return decodeProblem("ceiling", ceiling.error);
      const normal = normalizeGraph(graph.value, { nextId: uuidIds });
      const report = validateGraph(normal, ceiling?.value ?? BUILTIN_CEILING);
      const contracts = collectContracts(normal, await assetsFor(call.env.DB, call.tenant, graph.value));
      return done(contracts.ok ? report : { ...report, valid: false, errors: [...report.errors, contracts.error] });
    },
  );
  router.add(
    {
      method: "put",
      path: "/v1/workflows/{workflow_id}",
      operation: "define_workflow",
      tag: "Workflows",
      summary: "Define a workflow",
      description:
        "Makes the graph the workflow's current version. A graph the workflow had before keeps its version; versions never change. The graph gets the id of the workflow.",
      access: "runs:write",
      body: { name: "DefineWorkflow", schema: defineWorkflowSchema },
      reply: { status: 200, description: "The version", name: "DefinedWorkflow", schema: definedWorkflowSchema },
      problems: ["graph_invalid"],
    },
    ({ params, body, call }) => define(call, params.workflow_id, body.graph ?? null),
  );
};

const tag = "Workflows";
const reply = { status: 200, description: "The version", name: "WorkflowVersion", schema: workflowVersionSchema };

const addReads = (router: Router): void => {
  router.add(
    {
      method: "get",
      path: "/v1/workflows",
      operation: "list_workflows",
      tag,
      summary: "List workflows with their current versions",
      access: "runs:read",
      query: pageQuery,
      reply: { status: 200, description: "A page", name: "WorkflowPage", schema: workflowPageSchema },
    },
    async ({ query, call }) => {
      const after = query.cursor === undefined ? [""] : decodeCursor(query.cursor, 1);
      if (after === null) return invalid([CURSOR_ISSUE]);
      const rows = await listWorkflows(call.env.DB, call.tenant, { after: after[0] ?? "", limit: query.limit + 1 });
      return done(pageFrom(rows, query.limit, (row) => [row.workflow_id]));
    },
  );
  router.add(
    {
      method: "get",
      path: "/v1/workflows/{workflow_id}",
      operation: "get_workflow",
      tag,
      summary: "Get the current version of a workflow",
      access: "runs:read",
      reply,
      problems: ["workflow_not_found"],
    },
    async ({ params, call }) => {
      const found = await findVersion(call.env.DB, {
        tenant: call.tenant,
        workflow_id: params.workflow_id,
        version: null,
      });
      return found === null ? notFound(params.workflow_id) : shown(found);
    },
  );
};

const addVersionReads = (router: Router): void => {
  router.add(
    {
      method: "get",
      path: "/v1/workflows/{workflow_id}/versions",
      operation: "list_workflow_versions",
      tag,
      summary: "List the versions of a workflow, newest first",
      access: "runs:read",
      query: pageQuery,
      reply: {
        status: 200,
        description: "A page",
        name: "WorkflowVersionPage",
        schema: pageOf(workflowVersionRowSchema),
      },
      problems: ["workflow_not_found"],
    },
    async ({ params, query, call }) => {
      const position = query.cursor === undefined ? null : decodeCursor(query.cursor, 1);
      const below = position === null ? Number.MAX_SAFE_INTEGER : versionNumber(position[0] ?? "");
      if ((query.cursor !== undefined && position === null) || below === null) return invalid([CURSOR_ISSUE]);
      const workflow = { tenant: call.tenant, workflow_id: params.workflow_id };
      const rows = await listVersions(call.env.DB, workflow, { below, limit: query.limit + 1 });
      if (rows.length === 0 && query.cursor === undefined) return notFound(params.workflow_id);
      return done(pageFrom(rows, query.limit, (row) => [String(row.version)]));
    },
  );
  router.add(
    {
      method: "get",
      path: "/v1/workflows/{workflow_id}/versions/{version}",
      operation: "get_workflow_version",
      tag,
      summary: "Get a version of a workflow",
      access: "runs:read",
      reply,
      problems: ["workflow_not_found"],
    },
    async ({ params, call }) => {
      const version = versionNumber(params.version);
      if (version === null) return invalid([{ path: "version", message: "must be a whole number above zero" }]);
      const found = await findVersion(call.env.DB, { tenant: call.tenant, workflow_id: params.workflow_id, version });
      if (found !== null) return shown(found);
      return problem("workflow_not_found", `there is no version ${version} of a workflow ${params.workflow_id}`);
    },
  );
};

/** Workflows and their versions. */
export const addWorkflowRoutes = (router: Router): void => {
  addDefinition(router);
  addReads(router);
  addVersionReads(router);
};

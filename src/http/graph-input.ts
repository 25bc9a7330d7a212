import { collectContracts, type ContractAssets } from "../engine/verification/contracts.ts";
import { normalizeGraph } from "../engine/graph/normalize.ts";
import { validateGraph } from "../engine/graph/validate.ts";
import { BUILTIN_CEILING } from "../engine/policy/capability.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { uuidIds } from "../ports/ids.ts";
import type { DecodeError } from "../schema/decode.ts";
import { type DecodedGraph, decodeGraph, type WorkflowGraph } from "../schema/graph.ts";
import { invalid, problem, type Problem } from "./problem.ts";

const below = (field: string, path: string): string => {
  if (field === "") return path;
  if (path === ".") return field;
  return path.startsWith("[") ? `${field}${path}` : `${field}.${path}`;
};

/**
 * A document that could not be decoded: the specification's text and each bad place. Paths are put below the body's field;
 * with an empty field they are paths within the body already.
 */
export const decodeProblem = (field: string, error: DecodeError): Problem => {
  const issues = error.issues.map(({ path, message }) => ({ path: below(field, path), message }));
  return invalid(issues.length === 0 ? [{ path: field, message: error.message }] : issues, error.message);
};

/** The graph of a body's field. */
export const graphOf = (value: unknown, field = "graph"): Result<DecodedGraph, Problem> => {
  const graph = decodeGraph(value);
  return graph.ok ? graph : err(decodeProblem(field, graph.error));
};

/** A graph as a version of a stored workflow: its id and version are the workflow's, whatever the document says. */
export const asVersion = (graph: DecodedGraph, workflowId: string, version: number): DecodedGraph => ({
  ...graph,
  id: workflowId,
  version,
});

/** The graph in its normal form, if a run could be prepared from it. */
export const validGraph = (graph: DecodedGraph, assets: ContractAssets): Result<WorkflowGraph, Problem> => {
  const normal = normalizeGraph(graph, { nextId: uuidIds });
  const { valid, errors, warnings } = validateGraph(normal, BUILTIN_CEILING);
  if (!valid) return err(problem("graph_invalid", `invalid workflow: ${errors.join("; ")}`, { errors, warnings }));
  const contracts = collectContracts(normal, assets);
  return contracts.ok
    ? ok(normal)
    : err(problem("graph_invalid", contracts.error, { errors: [contracts.error], warnings }));
};

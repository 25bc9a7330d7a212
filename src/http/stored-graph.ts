import { err, ok, type Result } from "../lib/result.ts";
import { type DecodedGraph, decodeGraph } from "../schema/graph.ts";
import type { Call } from "./call.ts";
import { asVersion, decodeProblem } from "./graph-input.ts";
import { problem, type Problem } from "./problem.ts";
import { findVersion } from "./workflow-rows.ts";

/** The graph of a stored workflow, of its current version when none is named. */
export const storedGraph = async (
  call: Call,
  workflowId: string,
  version: number | null,
): Promise<Result<DecodedGraph, Problem>> => {
  const found = await findVersion(call.env.DB, { tenant: call.tenant, workflow_id: workflowId, version });
  if (found === null) {
    const what = version === null ? `workflow ${workflowId}` : `version ${version} of a workflow ${workflowId}`;
    return err(problem("workflow_not_found", `there is no ${what}; define it with PUT /v1/workflows/{workflow_id}`));
  }
  const graph = decodeGraph(JSON.parse(found.graph));
  if (!graph.ok) return err(decodeProblem("graph", graph.error));
  return ok(asVersion(graph.value, workflowId, found.version));
};

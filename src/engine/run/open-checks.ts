import type { Json, JsonObject } from "../../lib/json.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import { textChecks } from "../verification/body-evidence.ts";
import { openByToken } from "./open.ts";
import { stageNode, unitNode } from "./stage-node.ts";
import type { Run, RunState } from "./state.ts";

/** The node of a completed attempt; that of its map for a branch. */
const completedNode = (run: Run, attemptToken: string): WorkflowNode | undefined => {
  const nodeId = run.completions.get(attemptToken)?.node_id;
  if (nodeId === undefined) return undefined;
  return stageNode(run, nodeId, {}) ?? stageNode(run, nodeId.replace(/_map_\d+$/, ""), {});
};

/**
 * What the texts of an attempt's result are checked for; null for nothing, and for an attempt the run does not know. A
 * completed attempt is answered like an open one, so that a repeated completion is handed in like the first (I5).
 */
export const openChecks = (state: RunState, attemptToken: string): JsonObject | null => {
  if (state === null) return null;
  const unit = openByToken(state, attemptToken);
  const node = unit === undefined ? completedNode(state, attemptToken) : unitNode(state, unit);
  return node === undefined ? null : textChecks(node.verify as Json);
};

import type { Json, JsonObject } from "../../lib/json.ts";
import { textChecks } from "../verification/evidence.ts";
import { stageNode } from "./stage-node.ts";
import type { RunState } from "./state.ts";

/**
 * What the texts of an attempt's result are checked for; null for nothing, and for an attempt the run does not know. A
 * completed attempt is answered like an open one, so that a repeated completion is handed in like the first (I5).
 */
export const openChecks = (state: RunState, attemptToken: string): JsonObject | null => {
  if (state === null) return null;
  const { prepared } = state;
  const nodeId =
    prepared?.attempt_token === attemptToken ? prepared.node_id : state.completions.get(attemptToken)?.node_id;
  const node = nodeId === undefined ? undefined : stageNode(state, nodeId, {});
  return node === undefined ? null : textChecks(node.verify as Json);
};

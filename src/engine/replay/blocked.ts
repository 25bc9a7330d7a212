import type { JsonObject } from "../../lib/json.ts";

/** The option of a fork that names the nodes whose effects it must not repeat. */
export const BLOCKED_NODES = "blocked_nodes";

/** Why a fork does not execute a node, or null when it may: its effect took place in the run it was forked from. */
export const blockedInFork = (options: JsonObject, nodeId: string): string | null => {
  const blocked = options[BLOCKED_NODES];
  return Array.isArray(blocked) && blocked.includes(nodeId)
    ? `the effect of node ${nodeId} took place in the run this one was forked from and may not be repeated; give the stage's result with edits.stage_results`
    : null;
};

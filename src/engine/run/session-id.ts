import type { WorkflowNode } from "../../schema/graph.ts";

const OWN = "workflow_stage";

/** True for the session that a stage has for itself; it ends with the stage (spec/workflow 8.1). */
export const isOwnSession = (sessionId: string): boolean => sessionId.startsWith(`${OWN}_`);

/** The session a node shares with others; undefined for one of its own. */
export const nodeSessionId = (node: WorkflowNode): string | undefined => {
  for (const id of [node.model_policy.session_id, node.metadata["worker_session_id"]])
    if (typeof id === "string" && id.trim() !== "") return id;
  return undefined;
};

/** A fresh id for the session of a stage alone. */
export const newSessionId = (nextId: (prefix: string) => string): string => nextId(OWN);

import type { WorkflowNode } from "../../schema/graph.ts";
import { sessionExists } from "../transcript/session.ts";
import type { Draft } from "./draft.ts";
import type { StagePrepared } from "./event.ts";
import { newSessionId, nodeSessionId } from "./session-id.ts";
import { stageMode } from "./stage-node.ts";

/**
 * The session of a stage that talks to a model (spec/workflow 8.1): the one its node names, opened with its first use, or one
 * of its own, which only an agent keeps anything in.
 */
export const sessionOf = (draft: Draft, node: WorkflowNode): Pick<StagePrepared, "session_id" | "own_session"> => {
  const shared = nodeSessionId(node);
  if (shared === undefined) {
    const session_id = newSessionId(draft.context.nextId);
    return stageMode(node) === "agent" ? { session_id, own_session: true } : { session_id };
  }
  if (!sessionExists(draft.run.sessions, shared)) draft.emit({ type: "session_opened", session_id: shared });
  return { session_id: shared };
};

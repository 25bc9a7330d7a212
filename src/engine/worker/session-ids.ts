import type { WorkflowNode } from "../../schema/graph.ts";
import { nodeIds, nodeOf } from "../graph/normalize.ts";
import { nodeSessionId } from "../run/session-id.ts";
import type { WorkerConfig } from "./state.ts";

const withSession = (node: WorkflowNode, id: string): WorkflowNode =>
  nodeSessionId(node) === undefined
    ? {
        ...node,
        model_policy: { ...node.model_policy, session_id: id },
        metadata: { ...node.metadata, worker_session_id: id },
      }
    : node;

/** Gives every node that names no session one of this worker's; a sub-agent always has its own (spec/workers 10.2). */
export const withSessionIds = (config: WorkerConfig, workerId: string): WorkerConfig => {
  const sessionOf = (node: string): string => `worker_session_${workerId}_${node}`;
  switch (config.mode) {
    case "stage":
      return { ...config, node: withSession(config.node, sessionOf(config.node.id || "stage")) };
    case "workflow": {
      const nodes = Object.fromEntries(
        nodeIds(config.graph).flatMap((id) => {
          const node = nodeOf(config.graph, id);
          return node === undefined ? [] : [[id, withSession(node, sessionOf(id))] as const];
        }),
      );
      return { ...config, graph: { ...config.graph, nodes } };
    }
    case "sub_agent":
      return config;
  }
};

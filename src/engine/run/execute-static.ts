import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { Context } from "../machine.ts";
import { executeCondition } from "../node/condition.ts";
import { executeEscalation } from "../node/escalation.ts";
import type { StaticExecution } from "../node/execution.ts";
import { executeFork, executeJoin } from "../node/fork-join.ts";
import { executeReduce } from "../node/reduce.ts";
import type { ExecutedStage } from "./state.ts";

const execution = (node: WorkflowNode, selected: readonly ArtifactRecord[], context: Context): StaticExecution => {
  switch (node.kind) {
    case "fork":
      return executeFork();
    case "join":
      return executeJoin();
    case "condition":
      return executeCondition(node, selected);
    case "reduce":
      return executeReduce(node, selected, context);
    default:
      return executeEscalation(node, selected, context);
  }
};

/** Executes a node of a static kind; the transcript passes through (spec/workflow 6). */
export const executeStatic = (
  node: WorkflowNode,
  selected: readonly ArtifactRecord[],
  context: Context,
): ExecutedStage => ({
  status: "completed",
  verification: null,
  usage: null,
  error: null,
  ...execution(node, selected, context),
});

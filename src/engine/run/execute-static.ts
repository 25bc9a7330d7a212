import type { Result } from "../../lib/result.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { Context } from "../machine.ts";
import { executeCondition } from "../node/condition.ts";
import { executeEscalation } from "../node/escalation.ts";
import type { StaticExecution } from "../node/execution.ts";
import { executeFork, executeJoin } from "../node/fork-join.ts";
import { executeReduce } from "../node/reduce.ts";
import { failedStage } from "./executed-stage.ts";
import type { ExecutedStage } from "./state.ts";

const execution = (
  node: WorkflowNode,
  selected: readonly ArtifactRecord[],
  context: Context,
): StaticExecution | Result<StaticExecution, string> => {
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
): ExecutedStage => {
  const executed = execution(node, selected, context);
  if ("ok" in executed && !executed.ok) return failedStage(executed.error);
  const done = "ok" in executed ? executed.value : executed;
  return { status: "completed", verification: null, usage: null, error: null, ...done };
};

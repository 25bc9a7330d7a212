import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import { completed, type NodeMetadata, type StaticExecution } from "./execution.ts";

/** Whether artifacts meet a condition: by text, else by kind, else by being there at all (spec/workflow 6.1). */
export const conditionHolds = (metadata: NodeMetadata, artifacts: readonly ArtifactRecord[]): boolean => {
  const { contains_text: text, artifact_kind: kind } = metadata;
  if (typeof text === "string") return artifacts.some((artifact) => artifact.text?.includes(text) ?? false);
  if (typeof kind === "string") return artifacts.some((artifact) => artifact.kind === kind);
  return artifacts.length > 0;
};

/** What a condition comes to once it is known whether it holds (spec/workflow 6.1). */
export const conditionBranch = (holds: boolean): StaticExecution =>
  completed(String(holds), `condition_${holds}`, String(holds));

/** Branches `true` or `false` on the selected artifacts (spec/workflow 6.1). */
export const executeCondition = (
  node: Pick<WorkflowNode, "metadata">,
  selected: readonly ArtifactRecord[],
): StaticExecution => conditionBranch(conditionHolds(node.metadata, selected));

import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import { artifactFromValue } from "../artifact/from-value.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";
import { completed, type StaticExecution } from "./execution.ts";

/** Records that a person should look at this, where and why; it neither pauses nor notifies (spec/workflow 6.3). */
export const executeEscalation = (
  node: Pick<WorkflowNode, "id" | "escalation_policy" | "output_contract">,
  selected: readonly ArtifactRecord[],
  context: ArtifactContext,
): StaticExecution => {
  const id = node.id ?? "";
  const { queue, level, reason: given } = node.escalation_policy;
  const reason = given ?? "manual review required";
  const artifact = artifactFromValue(
    {
      node: id,
      kind: node.output_contract.output_kinds[0] ?? "plan",
      index: 0,
      value: { queue, level, reason },
      lineage: selected.map((input) => input.id),
      title: `escalation ${id}`,
    },
    context,
  );
  return completed(reason, "escalated", "escalated", [artifact]);
};

import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import { artifactFromValue } from "../artifact/from-value.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";
import { completed, type StaticExecution } from "./execution.ts";

const DEFAULT_SEPARATOR = "\n\n";

/** Joins the texts of the selected artifacts, in their order, into one artifact (spec/workflow 6.2). */
export const executeReduce = (
  node: Pick<WorkflowNode, "id" | "reduce_policy" | "output_contract">,
  selected: readonly ArtifactRecord[],
  context: ArtifactContext,
): StaticExecution => {
  const id = node.id ?? "";
  const texts: string[] = [];
  for (const { text } of selected) if (text !== null) texts.push(text);
  const joined = texts.join(node.reduce_policy.separator ?? DEFAULT_SEPARATOR);
  const artifact = artifactFromValue(
    {
      node: id,
      kind: node.output_contract.output_kinds[0] ?? "summary",
      index: 0,
      value: joined,
      lineage: selected.map((input) => input.id),
      title: `reduce ${id} output`,
    },
    context,
  );
  return completed(joined, "reduced", "reduced", [artifact]);
};

import { hasMarker } from "../../lib/body-marker.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { ConditionCall } from "../../schema/plan.ts";
import { conditionHolds } from "./condition.ts";

/**
 * What a condition asks for when the engine cannot decide it, because a text to look into is kept as a body; null when
 * it can (spec/workflow 6.1). Texts that are there are looked into first.
 */
export const needsBodies = (
  node: Pick<WorkflowNode, "kind" | "metadata">,
  selected: readonly ArtifactRecord[],
): ConditionCall | null => {
  const wanted = node.metadata["contains_text"];
  if (node.kind !== "condition" || typeof wanted !== "string") return null;
  const marked = selected.flatMap(({ text }) => (text !== null && hasMarker(text) ? [text] : []));
  if (marked.length === 0) return null;
  const plain = selected.filter(({ text }) => text === null || !hasMarker(text));
  return conditionHolds(node.metadata, plain) ? null : { contains_text: wanted, texts: marked };
};

/** The result of a condition whose texts have been put in place; its text is the branch (spec/workflow 6.1). */
export const decideCondition = ({ contains_text: wanted, texts }: ConditionCall): JsonObject => ({
  status: "completed",
  text: String(texts.some((text) => text.includes(wanted))),
});

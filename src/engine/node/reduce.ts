import { err, ok, type Result } from "../../lib/result.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import { artifactFromValue } from "../artifact/from-value.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";
import { completed, type StaticExecution } from "./execution.ts";
import { joinBounded, MAX_JOINED_LENGTH } from "./joined-text.ts";

const DEFAULT_SEPARATOR = "\n\n";

type ReduceNode = Pick<WorkflowNode, "id" | "reduce_policy" | "output_contract">;

/** The one artifact of a reduce node: text and data of what was put together, and every input as its lineage. */
const reduced = (
  node: ReduceNode,
  made: { readonly text: string; readonly value: Json; readonly lineage: readonly string[] },
  context: ArtifactContext,
): ArtifactRecord =>
  artifactFromValue(
    {
      ...made,
      node: node.id ?? "",
      kind: node.output_contract.output_kinds[0] ?? "summary",
      index: 0,
      title: `reduce ${node.id ?? ""} output`,
    },
    context,
  );

/** Joins the texts of the selected artifacts, in their order, into one artifact (spec/workflow 6.2). */
export const executeReduce = (
  node: ReduceNode,
  selected: readonly ArtifactRecord[],
  context: ArtifactContext,
): Result<StaticExecution, string> => {
  const texts = selected.flatMap(({ text }) => (text === null ? [] : [text]));
  const text = joinBounded(texts, node.reduce_policy.separator ?? DEFAULT_SEPARATOR);
  if (text === null)
    return err(
      `workflow stage ${node.id ?? ""} joins texts to more than ${MAX_JOINED_LENGTH} characters: bound its inputs with input_contract.input_kinds or context_policy`,
    );
  const artifact = reduced(node, { text, value: text, lineage: selected.map(({ id }) => id) }, context);
  return ok(completed(text, "reduced", "reduced", [artifact]));
};

/** What the result of a registered reducer makes of its node (spec/workflow 6.2). */
export const reducedByFunction = (
  node: ReduceNode,
  { result, lineage }: { readonly result: JsonObject; readonly lineage: readonly string[] },
  context: ArtifactContext,
): Omit<StaticExecution, "result"> & { readonly result: JsonObject } => {
  const text = typeof result["text"] === "string" ? result["text"] : "";
  const artifact = reduced(node, { text, value: result["data"] ?? text, lineage }, context);
  return { result, outcome: "reduced", branch: "reduced", artifacts: [artifact] };
};

import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";

/** Most that a reducer is given, as JSON in UTF-16 units; long texts are bodies and count with their markers. */
const MAX_INPUT_LENGTH = 16 * 1024 * 1024;

/** What a stage answered, where the artifact is a stage's output; whatever else it holds otherwise. */
const dataOf = ({ data, metadata }: ArtifactRecord): Json =>
  metadata["node_kind"] !== undefined && isObject(data) ? (data["data"] ?? null) : (data ?? null);

/** The input of a reducer: the artifacts it puts together, in the order of their selection. */
export const reducerInput = (selected: readonly ArtifactRecord[]): JsonObject => ({
  inputs: selected.map((artifact, index) => ({ text: artifact.text, data: dataOf(artifact), index })),
});

/** Why a reducer cannot be given all this; null when it can. */
export const reducerInputExcess = (nodeId: string, selected: readonly ArtifactRecord[]): string | null => {
  let length = 0;
  for (const { text, data } of (reducerInput(selected)["inputs"] ?? []) as readonly JsonObject[]) {
    length += JSON.stringify([text, data]).length;
    if (length > MAX_INPUT_LENGTH)
      return `workflow stage ${nodeId} would give its reducer more than ${MAX_INPUT_LENGTH} characters: bound its inputs with context_policy`;
  }
  return null;
};

import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { ArtifactInput } from "./normalize.ts";

const TEXT_FIELDS = ["id", "title", "text", "source", "stage", "freshness"] as const;

const textsOf = (value: Json | undefined): readonly string[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter((entry) => typeof entry === "string") : [];

const isCount = (value: Json | undefined): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const texts = (options: JsonObject): ArtifactInput =>
  Object.fromEntries(
    TEXT_FIELDS.flatMap((field) => (typeof options[field] === "string" ? [[field, options[field]]] : [])),
  );

const numbers = ({ priority, relevance, estimated_tokens: tokens }: JsonObject): ArtifactInput => ({
  ...(Number.isSafeInteger(priority) ? { priority: priority as number } : {}),
  ...(typeof relevance === "number" ? { relevance } : {}),
  ...(isCount(tokens) ? { estimated_tokens: tokens } : {}),
});

/** Options of a helper: the fields of an artifact that they set; one of the wrong type sets nothing (spec/workflow 15.2). */
export const helperOptions = (value: Json | undefined): Result<ArtifactInput, string> => {
  if (value === undefined || value === null) return ok({});
  if (!isObject(value)) return err("artifact helper options must be a dict or nil");
  return ok({
    ...texts(value),
    ...numbers(value),
    lineage: textsOf(value["lineage"]),
    metadata: isObject(value["metadata"]) ? value["metadata"] : {},
    ...(value["data"] === undefined ? {} : { data: value["data"] }),
  });
};

/** Data of a helper with the data of its options: objects are merged, the options win (spec/workflow 15.2). */
export const mergedData = (own: JsonObject, given: Json | undefined): Json => {
  if (given === undefined) return own;
  return isObject(given) ? { ...own, ...given } : given;
};

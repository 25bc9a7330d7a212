import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { regexFrom } from "../../lib/regex.ts";

/** Whether a reference leads to a schema within the same document. */
const leadsSomewhere = (root: JsonObject, reference: string): boolean => {
  if (reference === "#") return true;
  if (!reference.startsWith("#/")) return false;
  const steps = reference
    .slice(2)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  let at: Json | undefined = root;
  for (const step of steps) at = isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  return isObject(at);
};

const problemIn = (root: JsonObject, value: Json): string | null => {
  if (Array.isArray(value)) return first(root, value);
  if (!isObject(value)) return null;
  const { pattern, $ref: reference } = value;
  if (typeof pattern === "string" && regexFrom(pattern) === null)
    return `person.schema: ${JSON.stringify(pattern)} is not a regular expression`;
  if (typeof reference === "string" && !leadsSomewhere(root, reference))
    return `person.schema: ${JSON.stringify(reference)} leads to nothing within the schema`;
  return first(root, Object.values(value));
};

const first = (root: JsonObject, values: readonly Json[]): string | null => {
  for (const value of values) {
    const problem = problemIn(root, value);
    if (problem !== null) return problem;
  }
  return null;
};

/** Why no answer could be held to a schema; null when one can. Better before the run than when somebody answers. */
export const schemaProblem = (schema: Json | undefined): string | null => {
  if (schema === undefined || schema === null) return null;
  return isObject(schema) ? problemIn(schema, schema) : "person.schema must be a JSON schema";
};

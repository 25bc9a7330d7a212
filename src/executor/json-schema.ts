import { type Schema, Validator } from "@cfworker/json-schema";
import type { Json, JsonObject } from "../lib/json.ts";

/** How many errors are told: the first ones explain the rest. */
const MAX_ERRORS = 8;

/** Why a value does not match a JSON schema, as `path: reason`; none when it does. It interprets, so it runs where code cannot be made from text. */
export const schemaErrors = (schema: JsonObject, value: Json): readonly string[] => {
  const { valid, errors } = new Validator(schema as Schema, "2020-12", false).validate(value);
  if (valid) return [];
  // An error of a whole subtree only says that there are errors below it.
  const precise = errors.filter((error) => !["properties", "items", "prefixItems", "$ref"].includes(error.keyword));
  return (precise.length > 0 ? precise : errors)
    .slice(0, MAX_ERRORS)
    .map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`);
};

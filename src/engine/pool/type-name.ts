import type { Json } from "../../lib/json.ts";

/** What a value is called in refusals: the names of the original's script types (spec/workers 26.1). */
export const typeName = (value: Json | undefined): string => {
  if (value === null || value === undefined) return "nil";
  if (Array.isArray(value)) return "list";
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "number":
      return Number.isInteger(value) ? "int" : "float";
    case "string":
      return "string";
    default:
      return "dict";
  }
};

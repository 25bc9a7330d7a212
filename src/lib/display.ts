import type { Json } from "./json.ts";

/** A value where a text is expected: a text as it is, `nil` for nothing, anything else as JSON (spec/workers 0.2). */
export const displayed = (value: Json | undefined): string => {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "nil" : JSON.stringify(value);
};

/** The display form of what is given; null where nothing is given or nothing is left of it (spec/workers 0.2). */
export const givenText = (value: Json | undefined): string | null => {
  if (value === undefined || value === null) return null;
  const text = displayed(value);
  return text === "" ? null : text;
};

/** The name of a value's kind, as error texts of workers write it. */
export const kindName = (value: Json | undefined): string => {
  if (value === undefined || value === null) return "nil";
  if (Array.isArray(value)) return "list";
  switch (typeof value) {
    case "string":
      return "string";
    case "boolean":
      return "bool";
    case "number":
      return Number.isInteger(value) ? "int" : "float";
    default:
      return "dict";
  }
};

import { displayed } from "../../lib/display.ts";
import { isObject, type Json } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";

/** The id of the worker that a value refers to: an id, or a handle with one (spec/workers 1.6). */
export const workerIdOf = (value: Json | undefined): Result<string, string> => {
  if (typeof value === "string") return ok(value);
  if (!isObject(value)) return err("expected agent handle or worker id");
  const id = value["id"] ?? null;
  return id === null ? err("agent handle dict is missing an id field") : ok(displayed(id));
};

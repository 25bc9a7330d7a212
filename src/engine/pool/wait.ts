import { isObject, type Json } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { typeName } from "./type-name.ts";

/** The ids of the tasks that are waited for: of one handle, or of a list; an id stands for its handle (spec/workers 26.4). */
export const waitedTaskIds = (given: Json): Result<readonly string[], string> => {
  const ids: string[] = [];
  for (const handle of Array.isArray(given) ? (given as readonly Json[]) : [given]) {
    const id = isObject(handle) ? handle["id"] : handle;
    if (typeof id !== "string" || id === "")
      return err(`pool_wait: expected pool task handle (got ${typeName(handle)})`);
    ids.push(id);
  }
  return ok(ids);
};

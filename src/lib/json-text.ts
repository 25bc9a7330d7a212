import type { Json } from "./json.ts";
import { err, ok, type Result } from "./result.ts";

/** Reads JSON from outside; a text that is none is an expected error with the parser's reason. */
export const parseJson = (text: string): Result<Json, string> => {
  // JSON.parse has no form that returns its refusal, so it is turned into a value here.
  try {
    return ok(JSON.parse(text) as Json);
  } catch (error) {
    return err(String(error));
  }
};

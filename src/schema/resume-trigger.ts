import * as z from "zod";
import type { JsonObject } from "../lib/json.ts";
import { decodeAt } from "./decode.ts";

const NO_PROVIDER = "trigger table missing provider";

// A trigger of a suspension hears events that came in elsewhere: it needs no secret, path or schedule, and keys of other
// triggers do no harm.
const schema = z.looseObject({
  provider: z.string({ error: NO_PROVIDER }).min(1, NO_PROVIDER),
  kind: z.string().nullish(),
  match: z.looseObject({ events: z.array(z.string()).nullish() }).nullish(),
});

/** Why a definition cannot be that of a trigger which wakes a worker, or null when it can (spec/workers 18.1). */
export const resumeTriggerProblem = (definition: JsonObject): string | null => {
  const decoded = decodeAt(schema, definition);
  if (decoded.ok) return null;
  const [first] = decoded.error;
  if (first === undefined) return "invalid trigger";
  return first.message === NO_PROVIDER ? NO_PROVIDER : `${first.path}: ${first.message}`;
};

import * as z from "zod";
import { isObject, type JsonObject } from "../lib/json.ts";
import { err, type Result } from "../lib/result.ts";
import { decodeAt } from "./decode.ts";
import { type TriggerDefinition, triggerDefinitionSchema } from "./trigger-definition.ts";

const NO_PROVIDER = "trigger table missing provider";

// A trigger of a suspension hears events that came in elsewhere: it needs no secret, path or schedule, and keys of other
// triggers do no harm.
const schema = z.looseObject({
  provider: z.string({ error: NO_PROVIDER }).min(1, NO_PROVIDER),
  kind: z.string().nullish(),
  match: z.looseObject({ events: z.array(z.string()).nullish() }).nullish(),
});

/** Why a definition cannot be that of a trigger which wakes a worker, or null when it can (spec/workers 18.1). */
const resumeTriggerProblem = (definition: JsonObject): string | null => {
  const decoded = decodeAt(schema, definition);
  if (decoded.ok) return null;
  const [first] = decoded.error;
  if (first === undefined) return "invalid trigger";
  return first.message === NO_PROVIDER ? NO_PROVIDER : `${first.path}: ${first.message}`;
};

/** Why a key of other triggers is not one of a trigger that wakes a worker. */
const NOT_HERE: Readonly<Record<string, string>> = {
  secret: "would be kept with the worker as it is: name one with `secret_ref`",
  path: "the trigger has the address of its hook, which `suspension` shows",
  shards: "one event wakes the worker: leave it out",
  state: "the trigger listens while the worker is suspended: leave it out",
};

/** What kind of trigger a definition may name; every other kind is one of events. */
const TRIGGER_KINDS: ReadonlySet<unknown> = new Set(["webhook", "a2a-push", "cron", "manual"]);

/**
 * The trigger that wakes a worker, as it is put: its handler is the resumption, whatever the condition says, and a kind of events
 * that is given in place of `match.events` is what it hears (spec/workers 18.2). Otherwise the first thing that is wrong with it.
 */
export const resumeTrigger = (
  condition: JsonObject,
  auto_resume: { readonly worker_id: string; readonly suspended_at: string },
): Result<TriggerDefinition, string> => {
  const wrong = Object.keys(NOT_HERE).find((key) => condition[key] !== undefined);
  if (wrong !== undefined) return err(`${wrong}: ${NOT_HERE[wrong]}`);
  const { kind, match, ...rest } = condition;
  const isEventKind = typeof kind === "string" && !TRIGGER_KINDS.has(kind);
  const given = isObject(match) ? match : {};
  if (given["path"] !== undefined) return err(`match.path: ${NOT_HERE["path"]}`);
  const events = Array.isArray(given["events"]) && given["events"].length > 0 ? given["events"] : undefined;
  const heard = events ?? (isEventKind ? [kind] : undefined);
  const definition = {
    ...rest,
    ...(kind === undefined || kind === null || isEventKind ? {} : { kind }),
    match: { ...given, ...(heard === undefined ? {} : { events: heard }) },
    handler: { auto_resume },
  };
  const decoded = decodeAt(triggerDefinitionSchema, definition);
  if (decoded.ok) return decoded;
  const [first] = decoded.error;
  if (first === undefined) return err("invalid trigger");
  return err(first.path === "." ? first.message : `${first.path}: ${first.message}`);
};

/** Stands in for the suspension that a definition is judged without. */
const ANY = { worker_id: "worker", suspended_at: "" };

/** Why a definition is not one of a trigger that wakes a worker; null when it is (spec/workers 18.1). */
export const checkTrigger = (definition: JsonObject): string | null => {
  const problem = resumeTriggerProblem(definition);
  if (problem !== null) return problem;
  const trigger = resumeTrigger(definition, ANY);
  return trigger.ok ? null : trigger.error;
};

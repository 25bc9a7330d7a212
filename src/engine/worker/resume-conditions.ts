import { byCodePoint, isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { displayed, kindName } from "../../lib/display.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { ResumeConditions } from "./state.ts";

/** Why a definition cannot be that of a trigger, or null when it can. */
export type TriggerCheck = (definition: JsonObject) => string | null;

type Timeout = NonNullable<ResumeConditions["timeout"]>;

/** Stands in for the handler that a trigger of a suspension does not name (spec/workers 18.1). */
const STAND_IN = "worker://__resume_auto_resume__";

const ACTIONS: readonly string[] = [
  "resume_with_summary",
  "fail",
  "resume_with_input",
] satisfies readonly Timeout["on_timeout"][];

const isAction = (text: string): text is Timeout["on_timeout"] => ACTIONS.includes(text);

const refusal = (field: string, reason: string): Result<never, string> =>
  err(`HARN-SUS-002: invalid ResumeConditions.${field}: ${reason}`);

const unknownKey = (value: JsonObject, known: readonly string[]): string | undefined =>
  Object.keys(value)
    .toSorted(byCodePoint)
    .find((key) => !known.includes(key));

const readTrigger = (value: Json, check: TriggerCheck): Result<JsonObject, string> => {
  if (!isObject(value)) return refusal("trigger", `expected dict or nil, got ${kindName(value)}`);
  const handled = (value["handler"] ?? null) === null ? { ...value, handler: STAND_IN } : value;
  const problem = check(handled);
  return problem === null ? ok(value) : refusal("trigger", problem);
};

const readTimeout = (value: Json): Result<Timeout, string> => {
  if (!isObject(value)) return refusal("timeout", `expected dict or nil, got ${kindName(value)}`);
  const unknown = unknownKey(value, ["duration_minutes", "on_timeout"]);
  if (unknown !== undefined)
    return refusal(`timeout.${unknown}`, "unknown field; expected duration_minutes or on_timeout");
  const minutes = value["duration_minutes"];
  if (typeof minutes !== "number" || !Number.isSafeInteger(minutes) || minutes <= 0)
    return refusal("timeout.duration_minutes", "must be a positive int");
  const action = value["on_timeout"] ?? "resume_with_summary";
  if (typeof action !== "string") return refusal("timeout.on_timeout", `expected string, got ${kindName(action)}`);
  if (!isAction(action))
    return refusal(
      "timeout.on_timeout",
      `unsupported action \`${displayed(action)}\`; expected one of: ${ACTIONS.join(", ")}`,
    );
  return ok({ duration_minutes: minutes, on_timeout: action });
};

const readChannel = (value: Json): Result<string, string> => {
  if (typeof value !== "string") return refusal("on_event", `expected string or nil, got ${kindName(value)}`);
  const channel = value.trim();
  if (channel === "") return refusal("on_event", "must be a non-empty string");
  if (!/^[A-Za-z0-9._-]+$/.test(channel))
    return refusal(
      "on_event",
      `invalid runtime event channel: '${channel}' contains unsupported characters; use ASCII letters, numbers, '.', '_' or '-'`,
    );
  return ok(channel);
};

/** The value read, or nothing at all where none is given. */
const optional = <Value>(
  value: Json | undefined,
  read: (value: Json) => Result<Value, string>,
): Result<Value | undefined, string> => (value === undefined || value === null ? ok(undefined) : read(value));

/**
 * What wakes a suspended worker, with only the fields that are given; null where nothing is said (spec/workers 18.1).
 * Whether a definition is one of a trigger is for the caller to know.
 */
export const parseResumeConditions = (
  value: Json | undefined,
  check: TriggerCheck,
): Result<ResumeConditions | null, string> => {
  if (value === undefined || value === null) return ok(null);
  if (!isObject(value)) return refusal("root", `expected dict or nil, got ${kindName(value)}`);
  const unknown = unknownKey(value, ["trigger", "timeout", "on_event"]);
  if (unknown !== undefined) return refusal(unknown, "unknown field; expected trigger, timeout, or on_event");
  const trigger = optional(value["trigger"], (given) => readTrigger(given, check));
  if (!trigger.ok) return trigger;
  const timeout = optional(value["timeout"], readTimeout);
  if (!timeout.ok) return timeout;
  const channel = optional(value["on_event"], readChannel);
  if (!channel.ok) return channel;
  return ok({
    ...(trigger.value === undefined ? {} : { trigger: trigger.value }),
    ...(timeout.value === undefined ? {} : { timeout: timeout.value }),
    ...(channel.value === undefined ? {} : { on_event: channel.value }),
  });
};

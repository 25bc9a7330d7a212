import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { microcompact } from "../artifact/microcompact.ts";
import { hookMatcher } from "./hook-pattern.ts";

/** A hook around tool calls (spec/workflow 17.1). Functions cannot be stored: a text names a registered one. */
export interface ToolHook {
  readonly pattern: string;
  /** Refuses every call it matches, with this reason. */
  readonly deny?: string;
  /** Longest result in characters; what is longer is snipped. */
  readonly max_output?: number;
  readonly pre?: PreToolHook | string;
  readonly post?: PostToolHook | string;
}

export type PreToolHook =
  | { readonly action: "allow" }
  | { readonly action: "deny"; readonly reason: string }
  | { readonly action: "modify"; readonly args: Json };

export interface PostToolHook {
  readonly when_contains: string;
  readonly replace_with: string;
}

/** The functions hooks may name. They answer null, `{deny}` or `{args}` before, and null, a text or `{result}` after. */
export type HookFunctions = Readonly<Record<string, (payload: JsonObject) => Json>>;

/** A call with the hooks around it. */
export interface HookedCall {
  readonly hooks: readonly ToolHook[];
  readonly functions?: HookFunctions;
  readonly tool: string;
  readonly args: Json;
}

/** What the hooks before a call decided. */
export type PreToolVerdict =
  | { readonly decision: "allow" | "modify"; readonly args: Json }
  | { readonly decision: "deny"; readonly args: Json; readonly reason: string };

const typeName = (value: Json): string => {
  if (value === null) return "nil";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  if (typeof value === "string") return "string";
  return Array.isArray(value) ? "list" : "dict";
};

const payloadOf = (event: string, call: HookedCall, args: Json): JsonObject => ({
  event,
  tool: { name: call.tool, args },
});

/** What a named function says; an unknown one is an error, for a hook that is not there guards nothing. */
const answerOf = (call: HookedCall, name: string, payload: JsonObject): Result<Json, string> => {
  const { functions = {} } = call;
  const known = Object.hasOwn(functions, name) ? functions[name] : undefined;
  return known === undefined ? err(`tool hook '${name}' is not registered`) : ok(known(payload));
};

const preAnswer = (call: HookedCall, hook: ToolHook, payload: JsonObject): Result<PreToolHook, string> => {
  if (hook.deny !== undefined) return ok({ action: "deny", reason: hook.deny });
  if (hook.pre === undefined) return ok({ action: "allow" });
  if (typeof hook.pre !== "string") return ok(hook.pre);
  const answer = answerOf(call, hook.pre, payload);
  if (!answer.ok) return answer;
  const { value } = answer;
  if (value === null) return ok({ action: "allow" });
  if (!isObject(value)) return err(`PreToolUse hook must return nil or {deny, args}, got ${typeName(value)}`);
  const { deny = null, args } = value;
  if (deny !== null && deny !== false)
    return ok({ action: "deny", reason: typeof deny === "string" ? deny : JSON.stringify(deny) });
  return ok(args === undefined || args === null ? { action: "allow" } : { action: "modify", args });
};

/**
 * Runs the hooks before a call in the order of their registration (spec/workflow 17.1): the first refusal ends it, later
 * hooks see what earlier ones made of the arguments. Arguments that were rewritten have to pass `recheckAfter`.
 */
export const preToolHooks = (call: HookedCall): Result<PreToolVerdict, string> => {
  let args = call.args;
  let decision: "allow" | "modify" = "allow";
  for (const hook of call.hooks) {
    const matches = hookMatcher(hook.pattern);
    if (!matches.ok) return matches;
    const payload = payloadOf("PreToolUse", call, args);
    if (!matches.value(payload)) continue;
    const answer = preAnswer(call, hook, payload);
    if (!answer.ok) return answer;
    if (answer.value.action === "deny") return ok({ decision: "deny", args, reason: answer.value.reason });
    if (answer.value.action !== "modify") continue;
    decision = "modify";
    args = answer.value.args;
  }
  return ok({ decision, args });
};

const textOf = (result: Json): string => (typeof result === "string" ? result : JSON.stringify(result));

const postAnswer = (call: HookedCall, hook: ToolHook, payload: JsonObject): Result<Json, string> => {
  const result = payload["result"] ?? null;
  if (hook.post === undefined) return ok(result);
  if (typeof hook.post !== "string")
    return ok(textOf(result).includes(hook.post.when_contains) ? hook.post.replace_with : result);
  const answer = answerOf(call, hook.post, payload);
  if (!answer.ok) return answer;
  const { value } = answer;
  if (value === null) return ok(result);
  if (typeof value === "string") return ok(value);
  if (isObject(value)) return ok(value["result"] ?? result);
  return err(`PostToolUse hook must return nil, string, or {result}, got ${typeName(value)}`);
};

const snipped = (result: Json, limit: number | undefined): Json => {
  if (limit === undefined) return result;
  const text = textOf(result);
  return text.length > limit ? microcompact(text, limit) : result;
};

/** Runs the hooks after a call in the order of their registration; each sees what the ones before made of the result (spec/workflow 17.1). */
export const postToolHooks = (call: HookedCall, result: Json): Result<Json, string> => {
  let current = result;
  for (const hook of call.hooks) {
    const matches = hookMatcher(hook.pattern);
    if (!matches.ok) return matches;
    const payload = { ...payloadOf("PostToolUse", call, call.args), result: current };
    if (!matches.value(payload)) continue;
    const answer = postAnswer(call, hook, payload);
    if (!answer.ok) return answer;
    current = snipped(answer.value, hook.max_output);
  }
  return ok(current);
};

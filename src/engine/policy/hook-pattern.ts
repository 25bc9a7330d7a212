import { type Json, type JsonObject, isObject, valueAt } from "../../lib/json.ts";
import { regexFrom } from "../../lib/regex.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { globMatch } from "./glob.ts";

/** A pattern of a hook, ready to be held against payloads. */
export type HookMatcher = (payload: JsonObject) => boolean;

const COMPARISON = /^([\p{L}_][\p{L}\p{N}_.]*)\s*(=~|==|!=)\s*(.*)$/su;
const DOTTED_PATH = /^[\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}\p{N}_]+)+$/u;

const displayed = (value: Json | undefined): string =>
  value === undefined || value === null ? "nil" : typeof value === "string" ? value : JSON.stringify(value);

const isTruthy = (value: Json | undefined): boolean => {
  if (value === undefined || value === null || value === false || value === 0 || value === "") return false;
  return !(Array.isArray(value) && value.length === 0) && !(isObject(value) && Object.keys(value).length === 0);
};

const unquoted = (text: string): string => /^(["'])(.*)\1$/s.exec(text)?.[2] ?? text;

const toolName = (payload: JsonObject): string => {
  const name = valueAt(payload, "tool.name");
  return typeof name === "string" ? name : "";
};

const comparison = (path: string, operator: string, text: string): Result<HookMatcher, string> => {
  const expected = unquoted(text.trim());
  if (operator === "==") return ok((payload) => displayed(valueAt(payload, path)) === expected);
  if (operator === "!=") return ok((payload) => displayed(valueAt(payload, path)) !== expected);
  const regex = regexFrom(expected);
  if (regex === null) return err(`hook pattern has an invalid regular expression: ${expected}`);
  return ok((payload) => {
    const value = valueAt(payload, path);
    return value !== undefined && regex.test(displayed(value));
  });
};

/**
 * Reads the pattern of a hook (spec/workflow 17.1): empty and `*` always match; `path =~ regex`, `path == value` and
 * `path != value` look into the payload; a dotted path alone asks whether it holds something; anything else is a glob on
 * the tool's name. A name with dots matches by itself too.
 */
export const hookMatcher = (pattern: string): Result<HookMatcher, string> => {
  const text = pattern.trim();
  if (text === "" || text === "*") return ok(() => true);
  const [, path = "", operator = "", value = ""] = COMPARISON.exec(text) ?? [];
  if (operator !== "") return comparison(path, operator, value);
  if (DOTTED_PATH.test(text)) return ok((payload) => toolName(payload) === text || isTruthy(valueAt(payload, text)));
  return ok((payload) => globMatch(text, toolName(payload)));
};

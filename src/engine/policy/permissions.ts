import { isObject, type Json } from "../../lib/json.ts";
import { globMatch } from "./glob.ts";

/** What the dynamic permissions of a node say about a tool (spec/workflow 10.7). */
export type PermissionVerdict =
  | { readonly type: "allowed" }
  | { readonly type: "asks"; readonly reason: string }
  | { readonly type: "refused"; readonly reason: string };

const isTexts = (value: Json | undefined): value is readonly string[] =>
  value === undefined || value === null || (Array.isArray(value) && value.every((entry) => typeof entry === "string"));

const UNREADABLE =
  "permissions must be {allow?, deny?, on_escalation?} with lists of tool patterns and on_escalation 'ask' or 'deny'";

/**
 * Judges a tool by `model_policy.permissions` (spec/workflow 10.7): `deny` refuses; where `allow` is not empty a tool that
 * it does not name escalates, which is a question to a person for `on_escalation: "ask"` and else a refusal. Permissions
 * that cannot be read refuse every call.
 */
export const judgePermissions = (permissions: Json | undefined, tool: string): PermissionVerdict => {
  if (permissions === undefined || permissions === null) return { type: "allowed" };
  if (!isObject(permissions)) return { type: "refused", reason: `tool '${tool}' is refused: ${UNREADABLE}` };
  const { allow, deny, on_escalation: onEscalation = null } = permissions;
  const known = onEscalation === null || onEscalation === "ask" || onEscalation === "deny";
  if (!isTexts(allow) || !isTexts(deny) || !known)
    return { type: "refused", reason: `tool '${tool}' is refused: ${UNREADABLE}` };
  const refusal = (deny ?? []).find((pattern) => globMatch(pattern, tool));
  if (refusal !== undefined)
    return { type: "refused", reason: `tool '${tool}' is denied by permission pattern '${refusal}'` };
  const patterns = allow ?? [];
  if (patterns.length === 0 || patterns.some((pattern) => globMatch(pattern, tool))) return { type: "allowed" };
  const reason = `tool '${tool}' is not among the permitted tools`;
  return { type: onEscalation === "ask" ? "asks" : "refused", reason };
};

import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { parseJson } from "../../lib/json-text.ts";
import type { CapabilityPolicy, ToolAnnotations, ToolApprovalPolicy } from "../../schema/policy.ts";
import { mutationClass } from "./annotations.ts";
import { evaluateApproval } from "./approval.ts";
import { argumentFinding } from "./arg-constraints.ts";
import { declaredPaths } from "./paths.ts";
import { judgePermissions } from "./permissions.ts";
import { effectiveAnnotations, toolExcess } from "./tool-check.ts";

/** A tool call before the gate, with the policies of its stage (`stagePolicies`). */
export interface GateQuestion {
  readonly policy: CapabilityPolicy;
  readonly approval: ToolApprovalPolicy;
  /** The stage's `tools` value: tools say here what they do. */
  readonly tools: Json;
  /** Arguments as the model gave them: an object, the text of one, or nothing. */
  readonly call: { readonly name: string; readonly arguments: Json };
  /** `model_policy.permissions` of the node. */
  readonly permissions?: Json;
  /** Directories to which relative paths of arguments belong. */
  readonly workspace_roots?: readonly string[];
}

/** What a person is asked about a call, in canonical form (spec/workflow 10.4). */
export interface ApprovalRequest {
  readonly tool: string;
  readonly arguments: JsonObject;
  readonly declared_paths: readonly string[];
  readonly side_effect_level: ToolAnnotations["side_effect_level"] | null;
  readonly mutation_class: string;
  /** Which rule asks. */
  readonly reason: string;
}

/** What becomes of a tool call. A rejection goes back to the model as `permission_denied`; the run goes on. */
export type GateVerdict =
  | {
      readonly type: "allowed";
      readonly arguments: JsonObject;
      /** Constraints that name the tool but none of its arguments (`policy.constraint_unresolved`). */
      readonly unresolved_constraints: readonly string[];
    }
  | { readonly type: "rejected"; readonly category: "tool_rejected"; readonly reason: string }
  | ({ readonly type: "needs_approval" } & ApprovalRequest);

const rejected = (reason: string): GateVerdict => ({ type: "rejected", category: "tool_rejected", reason });

const argumentsOf = (value: Json): JsonObject | null => {
  const read = typeof value === "string" ? parseJson(value) : { ok: true as const, value };
  if (!read.ok) return null;
  return read.value === null ? {} : isObject(read.value) ? read.value : null;
};

/**
 * Judges a tool call in the order of spec/workflow 10.7: the shape of its arguments, the execution policy, the argument
 * constraints, the dynamic permissions, the approval policy. Pure; hooks and the question to a person follow outside.
 */
export const gateToolCall = (question: GateQuestion): GateVerdict => {
  const { policy, approval, tools, call, workspace_roots: roots } = question;
  const tool = call.name;
  const args = argumentsOf(call.arguments);
  if (args === null) return rejected(`the arguments of tool '${tool}' are not a JSON object`);
  const annotations = effectiveAnnotations(policy, tools, tool);
  const excess = toolExcess(policy, tool, annotations);
  if (excess !== null) return rejected(excess);
  const { violation, unresolved } = argumentFinding(policy, { tool, args, annotations });
  if (violation !== null) return rejected(violation);
  const permission = judgePermissions(question.permissions, tool);
  if (permission.type === "refused") return rejected(permission.reason);
  const verdict = evaluateApproval({
    policy: approval,
    tool,
    args,
    annotations,
    ...(roots === undefined ? {} : { workspace_roots: roots }),
  });
  if (verdict.decision === "auto_denied") return rejected(verdict.reason);
  if (verdict.decision === "auto_approved" && permission.type === "allowed")
    return { type: "allowed", arguments: args, unresolved_constraints: unresolved };
  return {
    type: "needs_approval",
    tool,
    arguments: args,
    declared_paths: declaredPaths(args, annotations),
    side_effect_level: annotations?.side_effect_level ?? null,
    mutation_class: mutationClass(annotations?.kind ?? "other"),
    reason: permission.type === "asks" ? permission.reason : `tool '${tool}' requires approval`,
  };
};

/** Who changed the arguments of a call that had passed the gate. */
export interface Rewrite {
  readonly arguments: Json;
  /** A person who approves a call approves the arguments it is given back with; a hook's are asked about again. */
  readonly by: "approver" | "hook";
}

/**
 * Judges a call again whose arguments were rewritten (spec/workflow 10.7: the original lets them pass unseen). Only the
 * question that the approver has just answered is not asked a second time.
 */
export const recheckAfter = (question: GateQuestion, rewrite: Rewrite): GateVerdict => {
  const verdict = gateToolCall({ ...question, call: { ...question.call, arguments: rewrite.arguments } });
  if (verdict.type !== "needs_approval" || rewrite.by !== "approver") return verdict;
  return { type: "allowed", arguments: verdict.arguments, unresolved_constraints: [] };
};

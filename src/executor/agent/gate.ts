import { evaluateApproval } from "../../engine/policy/approval.ts";
import { allowsOperation, allowsTool } from "../../engine/policy/capability.ts";
import { sideEffectRank } from "../../engine/policy/side-effect.ts";
import { declaredAnnotations, declaredTools } from "../../engine/policy/tools.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import type { StageErrorCategory } from "../../ports/stage-failure.ts";
import type { CapabilityPolicy, ToolAnnotations, ToolApprovalPolicy } from "../../schema/policy.ts";

/** A tool call before it is made. */
export interface GateQuestion {
  readonly policy: CapabilityPolicy;
  readonly approval: ToolApprovalPolicy;
  /** The tools of the stage as a `tools` value: each says in `policy` what it does. */
  readonly tools: Json;
  readonly call: { readonly name: string; readonly arguments: JsonObject };
  /** `model_policy.permissions` of the node. */
  readonly permissions?: Json;
  readonly workspace_roots?: readonly string[];
}

/** What becomes of it; what a call that needs approval says besides is told to whoever is asked. */
export type GateVerdict =
  | { readonly type: "allowed"; readonly arguments: JsonObject }
  | { readonly type: "rejected"; readonly category: StageErrorCategory; readonly reason: string }
  | { readonly type: "needs_approval"; readonly reason?: string };

/** Judges a tool call; pure (spec/workflow 10.7). */
export type ToolGate = (question: GateQuestion) => GateVerdict;

const rejected = (reason: string): GateVerdict => ({ type: "rejected", category: "tool_rejected", reason });

/** Why the call exceeds the ceiling, with the texts of spec/workflow 10.6. */
const excess = (policy: CapabilityPolicy, name: string, annotations: ToolAnnotations | null): string | undefined => {
  if (!allowsTool(policy, name)) return `tool '${name}' exceeds tool ceiling`;
  if (annotations === null) return undefined;
  for (const [capability, operations] of Object.entries(annotations.capabilities)) {
    const refused = operations.find((operation) => !allowsOperation(policy, capability, operation));
    if (refused !== undefined) return `tool '${name}' exceeds capability ceiling: ${capability}.${refused}`;
  }
  const level = annotations.side_effect_level;
  const ceiling = policy.side_effect_level;
  if (ceiling === null || sideEffectRank(level) <= sideEffectRank(ceiling)) return undefined;
  return `tool '${name}' exceeds side-effect ceiling: ${level}`;
};

/** The ceiling first, then the approval rules; a policy with rules it does not know is refused as a whole. */
export const defaultGate: ToolGate = ({ policy, approval, tools, call, permissions = null }) => {
  const tool = declaredTools(tools).find(({ name }) => name === call.name);
  const annotations = tool === undefined ? null : declaredAnnotations(tool);
  const reason = excess(policy, call.name, annotations);
  if (reason !== undefined) return rejected(reason);
  if (policy.tool_arg_constraints.length > 0 || permissions !== null) {
    return rejected(`tool '${call.name}' has rules about arguments or permissions that nobody checks`);
  }
  const verdict = evaluateApproval({
    policy: approval,
    tool: call.name,
    args: call.arguments,
    annotations,
    workspace_roots: policy.workspace_roots,
  });
  if (verdict.decision === "auto_denied") return rejected(verdict.reason);
  if (verdict.decision === "requires_host_approval") return { type: "needs_approval" };
  return { type: "allowed", arguments: call.arguments };
};

/** The policy with the tools of every server it names: a policy covers a tool server by its name. */
export const coveringServers = (
  policy: CapabilityPolicy,
  tools: readonly { readonly name: string; readonly server?: string }[],
): CapabilityPolicy => {
  const covered = tools.filter(({ server }) => server !== undefined && policy.tools.includes(server));
  return { ...policy, tools: [...new Set([...policy.tools, ...covered.map(({ name }) => name)])] };
};

import { evaluateApproval } from "../../engine/policy/approval.ts";
import { allowsOperation, allowsTool, sideEffectRank } from "../../engine/policy/capability.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { StageErrorCategory } from "../../ports/stage-failure.ts";
import type { CapabilityPolicy, ToolAnnotations, ToolApprovalPolicy } from "../../schema/policy.ts";

/** A tool as the gate knows it. */
export interface GatedTool {
  readonly name: string;
  /** The tool server it comes from: a policy that names the server covers its tools. */
  readonly server?: string;
  readonly annotations: ToolAnnotations | null;
}

/** A tool call before it is made. */
export interface GateQuestion {
  readonly policy: CapabilityPolicy;
  readonly approval: ToolApprovalPolicy;
  readonly tools: readonly GatedTool[];
  readonly call: { readonly name: string; readonly arguments: JsonObject };
}

/** What becomes of it. */
export type GateVerdict =
  | { readonly type: "allowed"; readonly arguments: JsonObject }
  | { readonly type: "rejected"; readonly category: StageErrorCategory; readonly reason: string }
  | { readonly type: "needs_approval"; readonly reason?: string; readonly request?: JsonObject };

/** Judges a tool call; pure (spec/workflow 10.7). */
export type ToolGate = (question: GateQuestion) => GateVerdict;

const rejected = (reason: string): GateVerdict => ({ type: "rejected", category: "tool_rejected", reason });

/** Why the call exceeds the ceiling, with the texts of spec/workflow 10.6. */
const excess = ({ policy, call }: GateQuestion, tool: GatedTool | undefined): string | undefined => {
  const { name } = call;
  const covered = allowsTool(policy, name) || (tool?.server !== undefined && allowsTool(policy, tool.server));
  if (!covered) return `tool '${name}' exceeds tool ceiling`;
  const annotations = tool?.annotations ?? null;
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

/** The ceiling first, then the approval rules; a policy with a rule about arguments needs a gate that knows them. */
export const defaultGate: ToolGate = (question) => {
  const { call, policy, approval } = question;
  const tool = question.tools.find(({ name }) => name === call.name);
  const reason = excess(question, tool);
  if (reason !== undefined) return rejected(reason);
  if (policy.tool_arg_constraints.length > 0) return rejected(`tool '${call.name}' has arguments that nobody checks`);
  const verdict = evaluateApproval({
    policy: approval,
    tool: call.name,
    args: call.arguments,
    annotations: tool?.annotations ?? null,
    workspace_roots: policy.workspace_roots,
  });
  if (verdict.decision === "auto_denied") return rejected(verdict.reason);
  if (verdict.decision === "requires_host_approval") return { type: "needs_approval" };
  return { type: "allowed", arguments: call.arguments };
};

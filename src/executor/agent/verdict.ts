import { type ApprovalAnswer, readApprovalAnswer } from "../../engine/policy/approval-answer.ts";
import { gateToolCall, type GateVerdict, recheckAfter } from "../../engine/policy/tool-gate.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { ToolCallRecord } from "../../schema/agent-step.ts";
import { gateQuestion } from "./gate.ts";
import { beforeCall } from "./hooks.ts";
import type { AgentLoop } from "./loop.ts";
import type { AskedCall } from "./messages.ts";
import type { AgentTool } from "./tools/tool.ts";

/** What is decided about a call before anything happens. */
export type Verdict =
  | { readonly type: "allowed"; readonly tool: AgentTool; readonly arguments: JsonObject }
  | { readonly type: "answered"; readonly answer: Refusal }
  | {
      readonly type: "pending";
      readonly reason: "client_tool" | "approval" | "worker";
      readonly arguments: JsonObject;
      readonly request?: JsonObject;
    };

/** The answer to a call that is not made. */
export interface Refusal {
  readonly status: Extract<ToolCallRecord["status"], "error" | "rejected">;
  readonly result: Json;
  readonly category: string;
}

const denied = (tool: string, category: string, reason: string): Verdict => ({
  type: "answered",
  answer: { status: "rejected", category, result: { error: "permission_denied", tool, reason } },
});

const unreadable = (category: string, message: string): Verdict => ({
  type: "answered",
  answer: { status: "error", category, result: { error: category, message } },
});

type Allowed = Extract<GateVerdict, { readonly type: "allowed" | "needs_approval" }>;

/** The call as the gate and the hooks before it leave it, or why it is refused. */
const admitted = async (
  loop: AgentLoop,
  call: AskedCall,
  approved: Json | undefined,
): Promise<Result<Allowed, { readonly category: string; readonly reason: string }>> => {
  const question = gateQuestion(loop, call);
  const by = approved === undefined ? "hook" : "approver";
  const first = approved === undefined ? gateToolCall(question) : recheckAfter(question, { arguments: approved, by });
  if (first.type === "rejected") return err(first);
  const hooked = await beforeCall(loop, { tool: call.name, args: first.arguments });
  // A hook that is not there, or does not work, guards nothing: the call is not made.
  if (!hooked.ok) return err({ category: "tool_rejected", reason: hooked.error });
  const { value } = hooked;
  if (value.decision === "deny") return err({ category: "tool_rejected", reason: value.reason });
  const verdict = value.decision === "modify" ? recheckAfter(question, { arguments: value.args, by }) : first;
  return verdict.type === "rejected" ? err(verdict) : ok(verdict);
};

/**
 * Judges a call in the order of spec/workflow 10.7: its arguments as text, the gate, the hooks, the answer of a person. A
 * person is asked about the arguments that the hooks have made, once; what a person makes of them passes gate and hooks
 * again.
 */
export const judge = async (loop: AgentLoop, call: AskedCall): Promise<Verdict> => {
  if (call.invalid !== undefined) return unreadable("schema_validation", "the arguments are not a JSON object");
  const answer = approvalOf(loop, call);
  if (answer?.type === "denied") return denied(call.name, "tool_rejected", answer.reason);
  const approved = answer === undefined ? undefined : (answer.arguments ?? call.arguments);
  const admission = await admitted(loop, call, approved);
  if (!admission.ok) return denied(call.name, admission.error.category, admission.error.reason);
  const verdict = admission.value;
  const { arguments: args } = verdict;
  if (verdict.type === "needs_approval") {
    const { type: _type, ...request } = verdict;
    return { type: "pending", reason: "approval", arguments: args, request: request as unknown as JsonObject };
  }
  const tool = loop.toolset.tools.get(call.name);
  if (tool === undefined) {
    const known = [...loop.toolset.tools.keys()].join(", ") || "none";
    return unreadable("not_found", `there is no tool "${call.name}"; there are: ${known}`);
  }
  const flaw = tool.flaw_for_worker?.(args);
  if (typeof flaw === "string") return unreadable("schema_validation", flaw);
  if (flaw === null) return { type: "pending", reason: "worker", arguments: args };
  if (tool.execute === undefined) return { type: "pending", reason: "client_tool", arguments: args };
  return { type: "allowed", tool, arguments: args };
};

/** What a person has said to this call; undefined when nobody was asked. */
const approvalOf = ({ plan }: AgentLoop, call: AskedCall): ApprovalAnswer | undefined => {
  const approvals = plan.progress?.approvals ?? {};
  const given = Object.hasOwn(approvals, call.id) ? approvals[call.id] : undefined;
  if (given === undefined) return undefined;
  const { approved, reason = null, arguments: args = null } = given;
  return readApprovalAnswer({ granted: approved, reason, args });
};

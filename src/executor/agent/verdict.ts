import type { Json, JsonObject } from "../../lib/json.ts";
import type { ToolCallRecord } from "../../schema/agent-step.ts";
import type { GateVerdict } from "./gate.ts";
import type { AgentLoop } from "./loop.ts";
import type { AskedCall } from "./messages.ts";
import type { AgentTool } from "./tools/tool.ts";

/** What is decided about a call before anything happens. */
export type Verdict =
  | { readonly type: "allowed"; readonly tool: AgentTool; readonly arguments: JsonObject }
  | { readonly type: "answered"; readonly answer: Refusal }
  | {
      readonly type: "pending";
      readonly reason: "client_tool" | "approval";
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

/**
 * Judges a call in the order of spec/workflow 10.7: its arguments as text, the gate, the answer of a person. Arguments
 * that a person replaced are judged again.
 */
export const judge = (loop: AgentLoop, call: AskedCall): Verdict => {
  if (call.invalid !== undefined) return unreadable("schema_validation", "the arguments are not a JSON object");
  const given = loop.plan.progress?.approvals?.[call.id];
  if (given !== undefined && !given.approved) {
    return denied(call.name, "tool_rejected", given.reason ?? "host did not grant approval");
  }
  const asked = given?.arguments === undefined ? call : { ...call, arguments: given.arguments };
  const verdict = ask(loop, asked);
  if (verdict.type === "rejected") return denied(call.name, verdict.category, verdict.reason);
  if (verdict.type === "needs_approval" && given === undefined) {
    const { type: _type, ...request } = verdict as unknown as JsonObject;
    const asksMore = Object.keys(request).length > 0 ? { request } : {};
    return { type: "pending", reason: "approval", arguments: asked.arguments, ...asksMore };
  }
  const args = verdict.type === "allowed" ? verdict.arguments : asked.arguments;
  const tool = loop.toolset.tools.get(call.name);
  if (tool === undefined) {
    const known = [...loop.toolset.tools.keys()].join(", ") || "none";
    return unreadable("not_found", `there is no tool "${call.name}"; there are: ${known}`);
  }
  if (tool.execute === undefined) return { type: "pending", reason: "client_tool", arguments: args };
  return { type: "allowed", tool, arguments: args };
};

const ask = ({ plan, hooks, policy, approval, toolset }: AgentLoop, call: AskedCall): GateVerdict => {
  const permissions = plan.agent_loop_options?.["permissions"] ?? null;
  return hooks.gate({
    policy,
    approval,
    tools: [...toolset.tools.values()].map(declarationOf),
    call: { name: call.name, arguments: call.arguments },
    ...(permissions === null ? {} : { permissions }),
    ...(policy.workspace_roots.length === 0 ? {} : { workspace_roots: policy.workspace_roots }),
  });
};

const declarationOf = ({ name, annotations }: AgentTool): JsonObject =>
  annotations === null ? { name } : { name, policy: annotations as unknown as Json };

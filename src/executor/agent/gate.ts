import type { GateQuestion } from "../../engine/policy/tool-gate.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import type { AgentLoop } from "./loop.ts";
import type { AskedCall } from "./messages.ts";
import type { AgentTool } from "./tools/tool.ts";

/**
 * The policy with the tools of every server it names: a policy covers a tool server by its name. Delegating is covered too: what
 * a worker may do follows from the same policy.
 */
export const coveringServers = (
  policy: CapabilityPolicy,
  tools: readonly Pick<AgentTool, "name" | "server" | "flaw_for_worker">[],
): CapabilityPolicy => {
  if (policy.tools.length === 0) return policy;
  const covered = tools.filter(
    ({ server, flaw_for_worker: flaw }) =>
      flaw !== undefined || (server !== undefined && policy.tools.includes(server)),
  );
  return { ...policy, tools: [...new Set([...policy.tools, ...covered.map(({ name }) => name)])] };
};

const declarationOf = ({ name, annotations }: AgentTool): JsonObject =>
  annotations === null ? { name } : { name, policy: annotations as unknown as Json };

/** What the gate is asked about a call: the policies of its stage, and what its tools say they do. */
export const gateQuestion = (
  { plan, policy, approval, toolset }: Pick<AgentLoop, "plan" | "policy" | "approval" | "toolset">,
  call: Pick<AskedCall, "name" | "arguments">,
): GateQuestion => {
  const permissions = plan.agent_loop_options?.["permissions"] ?? null;
  return {
    policy,
    approval,
    tools: [...toolset.tools.values()].map(declarationOf),
    call: { name: call.name, arguments: call.arguments },
    ...(permissions === null ? {} : { permissions }),
    ...(policy.workspace_roots.length === 0 ? {} : { workspace_roots: policy.workspace_roots }),
  };
};

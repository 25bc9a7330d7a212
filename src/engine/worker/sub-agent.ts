import { err, ok, type Result } from "../../lib/result.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import type { SubAgentRequest } from "../../schema/worker-spawn.ts";
import type { Context } from "../machine.ts";
import { intersectPolicies, UNRESTRICTED } from "../policy/capability.ts";
import { filterTools } from "../policy/tools.ts";
import type { SubAgentSpec } from "./state.ts";

/** What a list of allowed tools is as a policy; an empty one allows none. */
const toolsPolicy = (tools: readonly string[]): CapabilityPolicy =>
  tools.length === 0 ? { ...UNRESTRICTED, denied_all: ["tools"] } : { ...UNRESTRICTED, tools };

/** The policy that a sub-agent asks for: its own, narrowed by the tools it is allowed (spec/workers 15.1). */
const requestedPolicy = ({
  policy,
  allowed_tools: tools,
}: SubAgentRequest): Result<CapabilityPolicy | null, string> => {
  if (tools === null) return ok(policy);
  return policy === null ? ok(toolsPolicy(tools)) : intersectPolicies(policy, toolsPolicy(tools));
};

const loopOptions = (request: SubAgentRequest, policy: CapabilityPolicy | null, sessionId: string): JsonObject => {
  const { allowed_tools: allowed, options } = request;
  const { tools } = options;
  const filtered =
    allowed === null || tools === undefined ? {} : { tools: filterTools(tools, (name) => allowed.includes(name)) };
  return {
    ...options,
    ...filtered,
    ...(policy === null ? {} : { policy: policy as unknown as JsonObject }),
    session_id: sessionId,
  };
};

/** A sub-agent as it is asked for, and the policy it asks for (spec/workers 15.1). */
export interface ResolvedSubAgent {
  readonly spec: SubAgentSpec;
  readonly policy: CapabilityPolicy | null;
}

/** The sub-agent of a request; its session is new unless it names one (spec/workers 15.1). */
export const subAgentOf = (
  request: SubAgentRequest,
  asked: { readonly task: string; readonly name: string | null; readonly parent_session_id: string | null },
  context: Pick<Context, "nextId">,
): Result<ResolvedSubAgent, string> => {
  const policy = requestedPolicy(request);
  if (!policy.ok) return err(policy.error);
  const sessionId = request.session_id ?? context.nextId("sub_agent_session");
  return ok({
    policy: policy.value,
    spec: {
      name: request.name ?? asked.name ?? "sub-agent",
      task: asked.task,
      system: request.system,
      options: loopOptions(request, policy.value, sessionId),
      returns_schema: request.returns_schema,
      session_id: sessionId,
      parent_session_id: asked.parent_session_id,
    },
  });
};

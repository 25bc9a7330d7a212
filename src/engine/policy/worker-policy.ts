import type { Json } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import { intersectPolicies, UNRESTRICTED } from "./capability.ts";

/** What a worker asks for, and what the scope that starts it may do. */
export interface WorkerPolicyRequest {
  /** `carry.policy` or `policy`; null for none. */
  readonly explicit: CapabilityPolicy | null;
  /** `carry.tools` or `tools`; absent where neither is given, which null is not. */
  readonly tools?: Json;
  /** The effective policy of the parent's stage; null where none is active. */
  readonly parent: CapabilityPolicy | null;
}

const prefixed = <Value>(result: Result<Value, string>): Result<Value, string> =>
  result.ok ? result : err(`spawn_agent: ${result.error}`);

const shorthandPolicy = (tools: Json | undefined): Result<CapabilityPolicy | null, string> => {
  if (tools === undefined) return ok(null);
  if (!Array.isArray(tools) || !tools.every((name) => typeof name === "string"))
    return err("tools shorthand must be a list of strings");
  const names = [...new Set(tools.map((name) => name.trim()))].filter((name) => name !== "");
  if (names.length === 0) return err("tools shorthand must include at least one tool name");
  return ok({ ...UNRESTRICTED, tools: names });
};

/**
 * What remains of a worker's request under a ceiling, or why it is refused; null stands for no opinion. Workspace roots of which
 * none is the ceiling's are refused too: nothing could be done with what remains (spec/workers 3.3, 30 no. 11).
 */
export const meetWorkerPolicies = (
  ceiling: CapabilityPolicy | null,
  requested: CapabilityPolicy | null,
): Result<CapabilityPolicy | null, string> => {
  if (ceiling === null || requested === null) return ok(requested ?? ceiling);
  const met = intersectPolicies(ceiling, requested);
  if (!met.ok || requested.workspace_roots.length === 0 || met.value.workspace_roots.length > 0) return met;
  return err(`requested workspace roots exceed host ceiling: ${requested.workspace_roots.join(", ")}`);
};

/**
 * The capability policy of a worker (spec/workflow 11.3, spec/workers 3.2): its explicit policy, narrowed by the tools shorthand, under the
 * parent's; null when nobody has an opinion. A child never gets more than its parent. Errors begin with `spawn_agent: `.
 */
export const resolveWorkerPolicy = (request: WorkerPolicyRequest): Result<CapabilityPolicy | null, string> => {
  const shorthand = shorthandPolicy(request.tools);
  if (!shorthand.ok) return prefixed(shorthand);
  const requested = meetWorkerPolicies(request.explicit, shorthand.value);
  return prefixed(requested.ok ? meetWorkerPolicies(request.parent, requested.value) : requested);
};

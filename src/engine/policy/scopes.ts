import type { JsonObject } from "../../lib/json.ts";
import { ok, type Result } from "../../lib/result.ts";
import type { WorkflowGraph, WorkflowNode } from "../../schema/graph.ts";
import type { CapabilityPolicy, ToolApprovalPolicy } from "../../schema/policy.ts";
import { intersectApprovalPolicies, NO_APPROVAL_RULES } from "./approval.ts";
import { BUILTIN_CEILING, deniesAll, intersectPolicies, meetPolicies, UNRESTRICTED } from "./capability.ts";
import { effectiveApprovalPolicy, effectiveNodePolicy } from "./effective.ts";
import { filterTools } from "./tools.ts";

/** What a run may do at most: the builtin ceiling under its option, and its approval rules; null for none. */
export interface RunPolicies {
  readonly policy: CapabilityPolicy;
  readonly approval_policy: ToolApprovalPolicy | null;
}

/** The scopes around a stage, which a run has. */
export interface PolicyScopes extends RunPolicies {
  readonly graph: Pick<WorkflowGraph, "capability_policy" | "approval_policy">;
}

/** What a stage may use, and which of its tool calls are approved, refused or asked about. */
export interface StagePolicies {
  readonly policy: CapabilityPolicy;
  readonly approval: ToolApprovalPolicy;
}

/** What a new run is given: by its option, by the session that starts it, and by the record it continues. */
export interface RunPolicyRequest {
  readonly continued: CapabilityPolicy | null;
  readonly capability_policy: CapabilityPolicy | null;
  readonly approval_policies: readonly (ToolApprovalPolicy | null)[];
}

/** The policies of a new run: builtin ceiling, continued run and option, each under the one before (spec/workflow 10.1, 10.4). */
export const runPolicies = (request: RunPolicyRequest): Result<RunPolicies, string> => {
  const base = intersectPolicies(BUILTIN_CEILING, request.continued ?? UNRESTRICTED);
  if (!base.ok) return base;
  const policy = intersectPolicies(base.value, request.capability_policy ?? UNRESTRICTED);
  if (!policy.ok) return policy;
  const given = request.approval_policies.filter((approval) => approval !== null);
  const approval = given.reduce(intersectApprovalPolicies, NO_APPROVAL_RULES);
  return ok({ policy: policy.value, approval_policy: given.length === 0 ? null : approval });
};

/**
 * The policies a stage was narrowed to when it was prepared (`narrowStage` wrote them into its options). Whoever writes
 * them has decoded them.
 */
export const narrowedTo = (options: JsonObject): Partial<StagePolicies> => {
  const { capability_policy: policy, approval_policy: approval } = options;
  return {
    ...(policy === undefined ? {} : { policy: policy as unknown as CapabilityPolicy }),
    ...(approval === undefined ? {} : { approval: approval as unknown as ToolApprovalPolicy }),
  };
};

const ofScopes = (scopes: PolicyScopes, node: WorkflowNode): Result<StagePolicies, string> => {
  const policy = effectiveNodePolicy(scopes.graph, node, scopes.policy);
  if (!policy.ok) return policy;
  return ok({
    policy: policy.value,
    approval: effectiveApprovalPolicy(scopes.approval_policy, scopes.graph, node),
  });
};

// Memoisation only: nodes, graphs and policies are never changed in place.
const known = new WeakMap<WorkflowNode, { readonly scopes: PolicyScopes; readonly of: ReturnType<typeof ofScopes> }>();

const isSame = (a: PolicyScopes, b: PolicyScopes): boolean =>
  a.graph === b.graph && a.policy === b.policy && a.approval_policy === b.approval_policy;

const memoised = (scopes: PolicyScopes, node: WorkflowNode): Result<StagePolicies, string> => {
  const earlier = known.get(node);
  if (earlier !== undefined && isSame(earlier.scopes, scopes)) return earlier.of;
  const { graph, policy, approval_policy } = scopes;
  const of = ofScopes(scopes, node);
  known.set(node, { scopes: { graph, policy, approval_policy }, of });
  return of;
};

/**
 * What a stage may do: builtin ∩ run ∩ graph ∩ node ∩ tools, and what it was narrowed to when it was prepared
 * (spec/workflow 10.3); approval rules of run, graph, node and preparation together (10.4). `node` is the node as the run
 * executes it. The error is the text of the first refusal.
 */
export const stagePolicies = (
  scopes: PolicyScopes,
  node: WorkflowNode,
  options: JsonObject,
): Result<StagePolicies, string> => {
  const whole = memoised(scopes, node);
  const narrowed = narrowedTo(options);
  if (!whole.ok || (narrowed.policy === undefined && narrowed.approval === undefined)) return whole;
  return ok({
    policy: meetPolicies(whole.value.policy, narrowed.policy ?? UNRESTRICTED),
    approval: intersectApprovalPolicies(whole.value.approval, narrowed.approval ?? NO_APPROVAL_RULES),
  });
};

/** The node without the tools that its stage was narrowed from. */
export const withNarrowedTools = (node: WorkflowNode, options: JsonObject): WorkflowNode => {
  const { policy } = narrowedTo(options);
  if (policy === undefined || (policy.tools.length === 0 && !deniesAll(policy, "tools"))) return node;
  const allowed = new Set(policy.tools);
  return { ...node, tools: filterTools(node.tools, (name) => allowed.has(name)) };
};

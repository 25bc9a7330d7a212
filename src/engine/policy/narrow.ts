import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { CapabilityPolicy, ToolApprovalPolicy } from "../../schema/policy.ts";
import { intersectApprovalPolicies, NO_APPROVAL_RULES } from "./approval.ts";
import { deniesAll, intersectPolicies, UNRESTRICTED } from "./capability.ts";
import { globMatch } from "./glob.ts";
import type { StagePolicies } from "./scopes.ts";
import { allowsLevel } from "./side-effect.ts";
import { policyFromTools } from "./tools.ts";

/** The options of a stage that speak about its policies, and the others. */
export interface SplitOptions {
  readonly asked: JsonObject;
  readonly rest: JsonObject;
}

const KEYS: ReadonlySet<string> = new Set(["capability_policy", "policy", "tools", "approval_policy"]);

/** Parts the options of a stage; null counts as absent (spec/workflow 0.2). */
export const splitOptions = (options: JsonObject): SplitOptions => {
  const entries = Object.entries(options);
  return {
    asked: Object.fromEntries(entries.filter(([key, value]) => KEYS.has(key) && value !== null)),
    rest: Object.fromEntries(entries.filter(([key]) => !KEYS.has(key))),
  };
};

const policyAsked = (value: Json | undefined): readonly CapabilityPolicy[] =>
  isObject(value) ? [{ ...UNRESTRICTED, ...(value as Partial<CapabilityPolicy>) }] : [];

/** The policy that a stage's own `tools` imply: declarations, or mere names. An empty list asks for none. */
const toolsAsked = (tools: Json | undefined): readonly CapabilityPolicy[] => {
  if (tools === undefined) return [];
  const names = Array.isArray(tools) ? tools.filter((entry): entry is string => typeof entry === "string") : [];
  const declared = policyFromTools(tools);
  const wanted = [...new Set([...declared.tools, ...names])];
  return [{ ...declared, tools: wanted, ...(wanted.length === 0 ? { denied_all: ["tools"] as const } : {}) }];
};

/** What an intersection would lower without a word: whoever executes a stage is told instead. */
const silentExcess = (ceiling: CapabilityPolicy, requested: CapabilityPolicy): string | null => {
  const { side_effect_level: level, recursion_limit: limit, workspace_roots: roots } = requested;
  if (level !== null && !allowsLevel(ceiling.side_effect_level, level))
    return `requested side-effect level exceeds host ceiling: ${level}`;
  if (limit !== null && ceiling.recursion_limit !== null && limit > ceiling.recursion_limit)
    return `requested recursion limit exceeds host ceiling: ${limit}`;
  const open = ceiling.workspace_roots.length === 0 && !deniesAll(ceiling, "workspace_roots");
  const outside = open ? [] : roots.filter((root) => !ceiling.workspace_roots.includes(root));
  return outside.length > 0 ? `requested workspace roots exceed host ceiling: ${outside.join(", ")}` : null;
};

const narrowedPolicy = (
  ceiling: CapabilityPolicy,
  requests: readonly CapabilityPolicy[],
): Result<CapabilityPolicy, string> => {
  let current = ceiling;
  for (const requested of requests) {
    const met = intersectPolicies(current, requested);
    if (!met.ok) return met;
    const excess = silentExcess(current, requested);
    if (excess !== null) return err(excess);
    current = met.value;
  }
  return ok(current);
};

const overlaps = (a: string, b: string): boolean => globMatch(a, b) || globMatch(b, a);

/** Patterns by which a request would approve more than the rules around it do. */
const approvalExcess = (ceiling: ToolApprovalPolicy, requested: ToolApprovalPolicy): string | null => {
  for (const list of ["auto_approve", "write_path_allowlist"] as const) {
    if (ceiling[list].length === 0 && !ceiling.denied_all?.includes(list)) continue;
    const excess = requested[list].filter((pattern) => !ceiling[list].includes(pattern));
    if (excess.length > 0) return `requested ${list} patterns exceed host ceiling: ${excess.join(", ")}`;
  }
  // Where approvals are listed already, the check above has said which may be repeated.
  const asked = ceiling.auto_approve.length > 0 ? [] : ceiling.require_approval;
  const answered = requested.auto_approve.filter((pattern) => asked.some((other) => overlaps(pattern, other)));
  return answered.length > 0 ? `requested auto_approve patterns exceed host ceiling: ${answered.join(", ")}` : null;
};

/**
 * The policies of a stage under what its executor asks for: `capability_policy`, `policy`, `tools` (names or
 * declarations) and `approval_policy`. Asking for less narrows the stage; the error says what goes beyond it, with the
 * text of the intersection (spec/workflow 10.2).
 */
export const narrowPolicies = (current: StagePolicies, asked: JsonObject): Result<StagePolicies, string> => {
  const { capability_policy: capability, policy: short, tools, approval_policy: rules } = asked;
  const requests = [...policyAsked(capability), ...policyAsked(short), ...toolsAsked(tools)];
  const policy = narrowedPolicy(current.policy, requests);
  if (!policy.ok) return policy;
  if (!isObject(rules)) return ok({ ...current, policy: policy.value });
  const wanted = { ...NO_APPROVAL_RULES, ...(rules as Partial<ToolApprovalPolicy>) };
  const excess = approvalExcess(current.approval, wanted);
  if (excess !== null) return err(excess);
  return ok({ policy: policy.value, approval: intersectApprovalPolicies(current.approval, wanted) });
};

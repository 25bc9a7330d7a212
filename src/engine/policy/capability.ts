import { byCodePoint } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { CapabilityPolicy, ToolAnnotations } from "../../schema/policy.ts";
import { policyAnnotations, strictestAnnotations } from "./annotations.ts";
import { sideEffectRank } from "./side-effect.ts";

/** A policy without any opinion. */
export const UNRESTRICTED: CapabilityPolicy = {
  tools: [],
  capabilities: {},
  workspace_roots: [],
  side_effect_level: null,
  recursion_limit: null,
  tool_arg_constraints: [],
  tool_annotations: {},
};

/** The ceiling of every run (spec/workflow 10.1). Which capabilities exist is the host's matter, so none are named. */
export const BUILTIN_CEILING: CapabilityPolicy = { ...UNRESTRICTED, side_effect_level: "network", recursion_limit: 8 };

/** A list of a policy that can be emptied by an intersection. */
export type PolicyScope = "tools" | "capabilities" | "workspace_roots";

/** True where an intersection left nothing of a list: its emptiness then means "none", not "no opinion". */
export const deniesAll = (policy: CapabilityPolicy, scope: PolicyScope): boolean =>
  policy.denied_all?.includes(scope) ?? false;

/** Null for "no opinion", an empty list for "none". */
const opinion = (policy: CapabilityPolicy, scope: "tools" | "workspace_roots"): readonly string[] | null =>
  policy[scope].length > 0 || deniesAll(policy, scope) ? policy[scope] : null;

type Capabilities = CapabilityPolicy["capabilities"];

const capabilityOpinion = (policy: CapabilityPolicy): Capabilities | null =>
  Object.keys(policy.capabilities).length > 0 || deniesAll(policy, "capabilities") ? policy.capabilities : null;

/** What both sides allow, in the order of the second. */
const meetLists = (
  ceiling: readonly string[] | null,
  requested: readonly string[] | null,
): readonly string[] | null => {
  if (ceiling === null || requested === null) return requested ?? ceiling;
  const allowed = new Set(ceiling);
  return requested.filter((entry) => allowed.has(entry));
};

const sortedKeys = (map: Readonly<Record<string, unknown>>): readonly string[] =>
  Object.keys(map).toSorted(byCodePoint);

const operationsOf = (capabilities: Capabilities, capability: string): readonly string[] | undefined =>
  Object.hasOwn(capabilities, capability) ? capabilities[capability] : undefined;

/** What a request asks for beyond a ceiling's capabilities, as the text of the refusal; null for nothing. */
const capabilityExcess = (ceiling: Capabilities | null, requested: Capabilities): string | null => {
  if (ceiling === null) return null;
  for (const capability of sortedKeys(requested)) {
    const allowed = operationsOf(ceiling, capability);
    if (allowed === undefined) return `requested capability exceeds host ceiling: ${capability}`;
    const known = new Set(allowed);
    const excess = (operationsOf(requested, capability) ?? []).filter((operation) => !known.has(operation));
    if (excess.length > 0) {
      return `requested capability operations exceed host ceiling: ${capability}.${excess.join(",")}`;
    }
  }
  return null;
};

/** The operations both sides allow; a side that lists none allows all, null when nothing is left. */
const meetOperations = (ceiling: readonly string[], requested: readonly string[]): readonly string[] | null => {
  if (ceiling.length === 0 || requested.length === 0) return requested.length === 0 ? ceiling : requested;
  const met = meetLists(ceiling, requested) ?? [];
  return met.length === 0 ? null : met;
};

const meetCapabilities = (ceiling: Capabilities | null, requested: Capabilities | null): Capabilities | null => {
  if (ceiling === null || requested === null) return requested ?? ceiling;
  return Object.fromEntries(
    sortedKeys(requested).flatMap((capability): [string, readonly string[]][] => {
      const allowed = operationsOf(ceiling, capability);
      const met = allowed === undefined ? null : meetOperations(allowed, operationsOf(requested, capability) ?? []);
      return met === null ? [] : [[capability, met]];
    }),
  );
};

const meetLevels = (ceiling: string | null, requested: string | null): string | null => {
  if (ceiling === null || requested === null) return ceiling ?? requested;
  return sideEffectRank(requested) < sideEffectRank(ceiling) ? requested : ceiling;
};

const meetLimits = (ceiling: number | null, requested: number | null): number | null =>
  ceiling === null || requested === null ? (ceiling ?? requested) : Math.min(ceiling, requested);

/** The constraints of both sides; one that is in both is kept once, so that narrowing twice changes nothing. */
const joinConstraints = (
  ceiling: CapabilityPolicy["tool_arg_constraints"],
  requested: CapabilityPolicy["tool_arg_constraints"],
): CapabilityPolicy["tool_arg_constraints"] => [
  ...new Map(
    [...ceiling, ...requested].map((constraint) => [
      JSON.stringify([constraint.tool, constraint.arg_patterns, constraint.arg_key]),
      constraint,
    ]),
  ).values(),
];

const isEmpty = (map: Readonly<Record<string, unknown>>): boolean => Object.keys(map).length === 0;

const meetAnnotations = (
  ceiling: CapabilityPolicy,
  requested: CapabilityPolicy,
  tools: readonly string[] | null,
): CapabilityPolicy["tool_annotations"] => {
  if (isEmpty(ceiling.tool_annotations) && isEmpty(requested.tool_annotations)) return {};
  const known = new Map<string, ToolAnnotations>(Object.entries(ceiling.tool_annotations));
  for (const [tool, restated] of Object.entries(requested.tool_annotations)) {
    const stated = policyAnnotations(ceiling, tool);
    known.set(tool, stated === null ? restated : strictestAnnotations(stated, restated));
  }
  // Where any tool is allowed, every annotation is kept: dropping one would lift the limits that hang on it.
  const names = new Set(tools ?? known.keys());
  return Object.fromEntries([...known].filter(([tool]) => names.has(tool)).toSorted(([a], [b]) => byCodePoint(a, b)));
};

/** Why a request goes beyond a ceiling, or null; side-effect levels, roots and limits never do (spec/workflow 10.2). */
const policyExcess = (ceiling: CapabilityPolicy, requested: CapabilityPolicy): string | null => {
  const allowedTools = opinion(ceiling, "tools");
  if (allowedTools !== null) {
    const allowed = new Set(allowedTools);
    const excess = requested.tools.filter((tool) => !allowed.has(tool));
    if (excess.length > 0) return `requested tools exceed host ceiling: ${excess.join(", ")}`;
  }
  return capabilityExcess(capabilityOpinion(ceiling), requested.capabilities);
};

/**
 * What both policies allow. In a document an empty list or map is "no opinion", and so it is here on either side. Where
 * two sides with an opinion have nothing in common the list of the result is empty too, and `denied_all` names it: the
 * marker travels with the policy, through JSON as well, so "none" never turns into "unrestricted".
 */
export const meetPolicies = (ceiling: CapabilityPolicy, requested: CapabilityPolicy): CapabilityPolicy => {
  const capabilities = meetCapabilities(capabilityOpinion(ceiling), capabilityOpinion(requested));
  const tools = meetLists(opinion(ceiling, "tools"), opinion(requested, "tools"));
  const roots = meetLists(opinion(ceiling, "workspace_roots"), opinion(requested, "workspace_roots"));
  const denied: PolicyScope[] = [];
  if (tools?.length === 0) denied.push("tools");
  if (capabilities !== null && Object.keys(capabilities).length === 0) denied.push("capabilities");
  if (roots?.length === 0) denied.push("workspace_roots");
  return {
    tools: tools ?? [],
    capabilities: capabilities ?? {},
    workspace_roots: roots ?? [],
    side_effect_level: meetLevels(ceiling.side_effect_level, requested.side_effect_level),
    recursion_limit: meetLimits(ceiling.recursion_limit, requested.recursion_limit),
    tool_arg_constraints: joinConstraints(ceiling.tool_arg_constraints, requested.tool_arg_constraints),
    tool_annotations: meetAnnotations(ceiling, requested, tools),
    ...(denied.length > 0 ? { denied_all: denied } : {}),
  };
};

/**
 * What remains of a request under a ceiling, or why the request is refused (spec/workflow 10.2). A request is never
 * refused for its side-effect level; that is lowered silently.
 */
export const intersectPolicies = (
  ceiling: CapabilityPolicy,
  requested: CapabilityPolicy,
): Result<CapabilityPolicy, string> => {
  const excess = policyExcess(ceiling, requested);
  return excess === null ? ok(meetPolicies(ceiling, requested)) : err(excess);
};

/** True when the policy lets this tool be called, by exact name (spec/workflow 1.11). */
export const allowsTool = (policy: CapabilityPolicy, tool: string): boolean =>
  opinion(policy, "tools")?.includes(tool) ?? true;

/** True when the policy lets this operation be used; a capability that lists no operation allows all (spec/workflow 1.11). */
export const allowsOperation = (policy: CapabilityPolicy, capability: string, operation: string): boolean => {
  const capabilities = capabilityOpinion(policy);
  if (capabilities === null) return true;
  const operations = operationsOf(capabilities, capability);
  return operations !== undefined && (operations.length === 0 || operations.includes(operation));
};

/** True when the policy lets some operation of this capability be used. */
export const allowsCapability = (policy: CapabilityPolicy, capability: string): boolean => {
  const capabilities = capabilityOpinion(policy);
  return capabilities === null || operationsOf(capabilities, capability) !== undefined;
};

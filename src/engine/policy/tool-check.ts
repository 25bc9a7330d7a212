import type { Json } from "../../lib/json.ts";
import type { CapabilityPolicy, ToolAnnotations } from "../../schema/policy.ts";
import { policyAnnotations, strictestAnnotations } from "./annotations.ts";
import { allowsCapability, allowsOperation, allowsTool } from "./capability.ts";
import { allowsLevel } from "./side-effect.ts";
import { declaredAnnotations, declaredTools } from "./tools.ts";

/** What is known about a tool: what the policy and its own declaration say, at their strictest; null when neither speaks. */
export const effectiveAnnotations = (policy: CapabilityPolicy, tools: Json, name: string): ToolAnnotations | null => {
  const stated = policyAnnotations(policy, name);
  const declaration = declaredTools(tools).find((tool) => tool.name === name);
  const own = declaration === undefined ? null : declaredAnnotations(declaration);
  if (stated === null || own === null) return stated ?? own;
  return strictestAnnotations(stated, own);
};

/**
 * Why the policy does not let a tool be called, or null: its name, then each capability it is known to use, then its
 * side effects (spec/workflow 10.6). A tool of which nothing is known is checked by its name only.
 */
export const toolExcess = (
  policy: CapabilityPolicy,
  tool: string,
  annotations: ToolAnnotations | null = policyAnnotations(policy, tool),
): string | null => {
  if (!allowsTool(policy, tool)) return `tool '${tool}' exceeds tool ceiling`;
  for (const [capability, operations] of Object.entries(annotations?.capabilities ?? {})) {
    if (!allowsCapability(policy, capability) && operations.length === 0)
      return `tool '${tool}' exceeds capability ceiling: ${capability}`;
    const refused = operations.find((operation) => !allowsOperation(policy, capability, operation));
    if (refused !== undefined) return `tool '${tool}' exceeds capability ceiling: ${capability}.${refused}`;
  }
  const level = annotations?.side_effect_level ?? "none";
  return allowsLevel(policy.side_effect_level, level) ? null : `tool '${tool}' exceeds side-effect ceiling: ${level}`;
};

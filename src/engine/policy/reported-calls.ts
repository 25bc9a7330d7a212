import { isObject, type Json, type JsonObject, valueAt } from "../../lib/json.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import { allowsTool } from "./capability.ts";
import { effectiveAnnotations, toolExcess } from "./tool-check.ts";

const listAt = (result: JsonObject, path: string): readonly Json[] => {
  const value = valueAt(result, path);
  return Array.isArray(value) ? (value as readonly Json[]) : [];
};

const NAMES = ["name", "tool_name", "toolName", "tool", "function.name"] as const;

const nameOf = (call: Json): string | null => {
  const names = [call, ...NAMES.map((path) => valueAt(call, path))];
  return names.find((name): name is string => typeof name === "string" && name !== "") ?? null;
};

/** A call that its own record says was rejected has had no effect. */
const wasRejected = (call: Json): boolean => isObject(call) && call["rejected"] === true;

/** The tools that a result says were called, in `tool_calls` or `tools.calls`; each once. */
const calledTools = (result: JsonObject): readonly string[] => {
  const rejected = new Set(listAt(result, "tools.rejected").map(nameOf));
  const calls = [...listAt(result, "tool_calls"), ...listAt(result, "tools.calls")];
  const names = calls.filter((call) => !wasRejected(call)).flatMap((call) => nameOf(call) ?? []);
  return [...new Set(names)].filter((name) => !rejected.has(name));
};

/**
 * Why a result cannot be what a stage under this policy came to: it names a tool the stage may not call. Null when it can.
 * Only names and what is known of the tools are held against the policy; what the calls did is over.
 */
export const reportedExcess = (policy: CapabilityPolicy, tools: Json, result: JsonObject): string | null => {
  const called = calledTools(result);
  const outside = called.filter((tool) => !allowsTool(policy, tool));
  if (outside.length > 0) return `requested tools exceed host ceiling: ${outside.join(", ")}`;
  for (const tool of called) {
    const excess = toolExcess(policy, tool, effectiveAnnotations(policy, tools, tool));
    if (excess !== null) return excess;
  }
  return null;
};

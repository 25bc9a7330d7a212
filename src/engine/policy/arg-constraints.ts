import type { Json } from "../../lib/json.ts";
import type { CapabilityPolicy, ToolAnnotations } from "../../schema/policy.ts";
import { globMatch, globMatcher } from "./glob.ts";
import { argumentTexts, climbs, normalizePath } from "./paths.ts";

type Constraint = CapabilityPolicy["tool_arg_constraints"][number];

/** What the argument constraints of a policy say about a call. */
export interface ConstraintFinding {
  /** Why the call is refused, or null. */
  readonly violation: string | null;
  /** Patterns of the constraints that name this tool but no argument of it (`policy.constraint_unresolved`). */
  readonly unresolved: readonly string[];
}

/** A call as the constraints see it. */
export interface ConstrainedCall {
  readonly tool: string;
  readonly args: Json;
  readonly annotations: ToolAnnotations | null;
}

const keysOf = ({ arg_key: key }: Constraint, { args, annotations }: ConstrainedCall): readonly string[] => {
  if (typeof args === "string") return ["value"];
  return key === null ? (annotations?.arg_schema.path_params ?? []) : [key];
};

const textsOf = ({ args, annotations }: ConstrainedCall, key: string): readonly string[] =>
  typeof args === "string" ? [args] : argumentTexts(args, key, annotations);

/** A path that climbs has to match by where it leads as well: `src/../x` begins with `src/` and is not there. */
const isAllowed = (constraint: Constraint, text: string, isPath: boolean): boolean => {
  const matches = globMatcher(constraint.arg_patterns);
  return matches(text) && (!isPath || !climbs(text) || matches(normalizePath(text)));
};

const violationOf = (constraint: Constraint, call: ConstrainedCall, keys: readonly string[]): string | null => {
  for (const key of keys) {
    const isPath = constraint.arg_key === null || (call.annotations?.arg_schema.path_params.includes(key) ?? false);
    const refused = textsOf(call, key).find((text) => !isAllowed(constraint, text, isPath));
    if (refused === undefined) continue;
    const patterns = constraint.arg_patterns.map((pattern) => JSON.stringify(pattern)).join(", ");
    return `tool '${call.tool}' ${key} '${refused}' does not match allowed patterns: [${patterns}]. Use a value of '${key}' that matches one of them.`;
  }
  return null;
};

/**
 * Holds the arguments of a call against the constraints of a policy (spec/workflow 10.6). Each text under a constrained
 * key or one of its aliases counts, also within a list, and each path argument, not only the first that holds a text.
 */
export const argumentFinding = (policy: CapabilityPolicy, call: ConstrainedCall): ConstraintFinding => {
  const unresolved: string[] = [];
  for (const constraint of policy.tool_arg_constraints) {
    if (constraint.arg_patterns.length === 0 || !globMatch(constraint.tool, call.tool)) continue;
    const keys = keysOf(constraint, call);
    if (keys.length === 0) unresolved.push(constraint.tool);
    const violation = violationOf(constraint, call, keys);
    if (violation !== null) return { violation, unresolved };
  }
  return { violation: null, unresolved };
};

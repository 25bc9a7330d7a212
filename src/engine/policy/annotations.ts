import { byCodePoint } from "../../lib/json.ts";
import type { CapabilityPolicy, ToolAnnotations } from "../../schema/policy.ts";
import { sideEffectRank } from "./side-effect.ts";

const READ_ONLY_KINDS: ReadonlySet<ToolAnnotations["kind"]> = new Set(["read", "search", "think", "fetch"]);

/** True for kinds of tools that change nothing; `other` is not one of them (spec/workflow 1.11). */
export const isReadOnlyKind = (kind: ToolAnnotations["kind"]): boolean => READ_ONLY_KINDS.has(kind);

const MUTATIONS: ReadonlyMap<ToolAnnotations["kind"], string> = new Map([
  ["edit", "workspace_write"],
  ["delete", "destructive"],
  ["move", "destructive"],
  ["execute", "ambient_side_effect"],
  ["other", "other"],
]);

/** What a tool of this kind does to its surroundings (spec/workflow 1.11). */
export const mutationClass = (kind: ToolAnnotations["kind"]): string => MUTATIONS.get(kind) ?? "read_only";

const union = (a: readonly string[], b: readonly string[]): readonly string[] => [...new Set([...a, ...b])];

const operationsOf = (map: ToolAnnotations["capabilities"], name: string): readonly string[] =>
  (Object.hasOwn(map, name) ? map[name] : undefined) ?? [];

const unionOf = (
  a: ToolAnnotations["capabilities"],
  b: ToolAnnotations["capabilities"],
): ToolAnnotations["capabilities"] => {
  const names = union(Object.keys(a), Object.keys(b)).toSorted(byCodePoint);
  return Object.fromEntries(names.map((name) => [name, union(operationsOf(a, name), operationsOf(b, name))]));
};

/**
 * Two declarations of the same tool together, each at its strictest: a scope further in may say more about a tool, but
 * may not restate it as milder than the scope around it does (spec/workflow 10.2, stricter than the original).
 */
export const strictestAnnotations = (known: ToolAnnotations, restated: ToolAnnotations): ToolAnnotations => {
  const kindIsMilder = isReadOnlyKind(restated.kind) && !isReadOnlyKind(known.kind);
  const levelIsMilder = sideEffectRank(restated.side_effect_level) < sideEffectRank(known.side_effect_level);
  return {
    ...restated,
    kind: kindIsMilder ? known.kind : restated.kind,
    side_effect_level: levelIsMilder ? known.side_effect_level : restated.side_effect_level,
    arg_schema: {
      path_params: union(known.arg_schema.path_params, restated.arg_schema.path_params),
      arg_aliases: { ...restated.arg_schema.arg_aliases, ...known.arg_schema.arg_aliases },
      required: union(known.arg_schema.required, restated.arg_schema.required),
    },
    capabilities: unionOf(known.capabilities, restated.capabilities),
  };
};

/** What a policy knows about a tool, or null. */
export const policyAnnotations = (policy: CapabilityPolicy, tool: string): ToolAnnotations | null =>
  (Object.hasOwn(policy.tool_annotations, tool) ? policy.tool_annotations[tool] : undefined) ?? null;

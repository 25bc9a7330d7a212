import { byCodePoint, isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { CapabilityPolicy, ToolAnnotations } from "../../schema/policy.ts";
import { UNRESTRICTED } from "./capability.ts";
import { sideEffectRank } from "./side-effect.ts";

const isRegistry = (value: JsonObject): boolean => value["_type"] === "tool_registry";

/** The name of an entry; a tool server goes by the name its tools begin with. */
const nameOf = (value: Json): string | null => {
  if (!isObject(value)) return null;
  const server = isObject(value["mcp"]) ? value["mcp"]["name"] : undefined;
  const name = value["name"] ?? server;
  return typeof name === "string" && name !== "" ? name : null;
};

/** A tool of a `tools` value: its name and its declaration. */
export interface DeclaredTool {
  readonly name: string;
  readonly declaration: JsonObject;
}

/** The named tools of a list or a single declaration, without looking into registries (spec/workflow 3.1). */
export const listedTools = (tools: Json): readonly DeclaredTool[] =>
  (Array.isArray(tools) ? (tools as readonly Json[]) : [tools]).flatMap((entry) => {
    const name = nameOf(entry);
    return name !== null && isObject(entry) ? [{ name, declaration: entry }] : [];
  });

/** The named tools of a `tools` value: a list, a registry or a single declaration (spec/workflow 2). */
export const declaredTools = (tools: Json): readonly DeclaredTool[] => {
  let current = tools;
  while (isObject(current) && isRegistry(current)) current = current["tools"] ?? null;
  return listedTools(current);
};

/** The names of the tools of a `tools` value, in their order (spec/workflow 2). */
export const toolNames = (tools: Json): readonly string[] => declaredTools(tools).map(({ name }) => name);

/** The `tools` value with only the tools that `keep` accepts; a single declaration that is refused becomes null (spec/workflow 10.5). */
export const filterTools = (tools: Json, keep: (name: string) => boolean): Json => {
  if (Array.isArray(tools)) {
    return (tools as readonly Json[]).filter((entry) => {
      const name = nameOf(entry);
      return name !== null && keep(name);
    });
  }
  if (!isObject(tools)) return tools;
  if (isRegistry(tools)) return { ...tools, tools: filterTools(tools["tools"] ?? null, keep) };
  const name = nameOf(tools);
  return name !== null && keep(name) ? tools : null;
};

const textsOf = (value: Json | undefined): readonly string[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter((entry) => typeof entry === "string") : [];

const mapOf = <Value>(
  value: Json | undefined,
  read: (entry: Json) => Value | null,
): Readonly<Record<string, Value>> => {
  if (!isObject(value)) return {};
  const entries = Object.entries(value).flatMap(([key, entry]): [string, Value][] => {
    const decoded = read(entry);
    return decoded === null ? [] : [[key, decoded]];
  });
  return Object.fromEntries(entries.toSorted(([a], [b]) => byCodePoint(a, b)));
};

const KINDS: ReadonlySet<string> = new Set<ToolAnnotations["kind"]>([
  "read",
  "edit",
  "delete",
  "move",
  "search",
  "execute",
  "think",
  "fetch",
  "other",
]);

const LEVELS: ReadonlySet<string> = new Set<ToolAnnotations["side_effect_level"]>([
  "none",
  "read_only",
  "workspace_write",
  "process_exec",
  "network",
]);

const isKind = (value: Json | undefined): value is ToolAnnotations["kind"] =>
  typeof value === "string" && KINDS.has(value);

const isLevel = (value: Json | undefined): value is ToolAnnotations["side_effect_level"] =>
  typeof value === "string" && LEVELS.has(value);

/** The annotations that a tool's `policy` object spells out; whatever it gets wrong has its default (spec/workflow 10.3). */
export const annotationsFrom = (policy: JsonObject): ToolAnnotations => {
  const { kind, side_effect_level: level, arg_schema: nested } = policy;
  const args = isObject(nested) ? nested : policy;
  return {
    kind: isKind(kind) ? kind : "other",
    side_effect_level: isLevel(level) ? level : "none",
    arg_schema: {
      path_params: textsOf(args["path_params"]),
      arg_aliases: mapOf(args["arg_aliases"], (entry) => (typeof entry === "string" ? entry : null)),
      required: textsOf(args["required"]),
    },
    capabilities: mapOf(policy["capabilities"], (entry) => (Array.isArray(entry) ? textsOf(entry) : null)),
    emits_artifacts: policy["emits_artifacts"] === true,
    result_readers: textsOf(policy["result_readers"] ?? policy["readable_result_routes"]),
    inline_result: policy["inline_result"] === true,
  };
};

/** The annotations a tool declares for itself, or null. */
export const declaredAnnotations = ({ declaration }: DeclaredTool): ToolAnnotations | null => {
  const { policy } = declaration;
  return isObject(policy) ? annotationsFrom(policy) : null;
};

/** The capabilities of all tools together. */
const unionCapabilities = (all: readonly ToolAnnotations[]): CapabilityPolicy["capabilities"] => {
  const union = new Map<string, Set<string>>();
  for (const { capabilities } of all) {
    for (const [capability, operations] of Object.entries(capabilities)) {
      const known = union.get(capability) ?? new Set();
      for (const operation of operations) known.add(operation);
      union.set(capability, known);
    }
  }
  return Object.fromEntries(
    [...union]
      .toSorted(([a], [b]) => byCodePoint(a, b))
      .map(([capability, operations]) => [capability, [...operations].toSorted(byCodePoint)]),
  );
};

/** The policy that a `tools` value implies: its names, all capabilities together, the highest side-effect level (spec/workflow 10.3). */
export const policyFromTools = (tools: Json): CapabilityPolicy => {
  const annotations = new Map<string, ToolAnnotations>();
  for (const tool of declaredTools(tools)) {
    annotations.set(tool.name, declaredAnnotations(tool) ?? annotationsFrom({}));
  }
  const all = [...annotations.values()];
  const levels = all.map((annotation) => annotation.side_effect_level).filter((level) => level !== "none");
  const highest = levels.toSorted((a, b) => sideEffectRank(b) - sideEffectRank(a))[0];
  return {
    ...UNRESTRICTED,
    tools: [...annotations.keys()],
    capabilities: unionCapabilities(all),
    side_effect_level: highest ?? null,
    tool_annotations: Object.fromEntries([...annotations].toSorted(([a], [b]) => byCodePoint(a, b))),
  };
};

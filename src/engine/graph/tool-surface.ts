import { isObject } from "../../lib/json.ts";
import type { CapabilityPolicy, ToolAnnotations, ToolApprovalPolicy } from "../../schema/policy.ts";
import { deniesAll } from "../policy/capability.ts";
import { globMatch, globMatcher } from "../policy/glob.ts";
import { sideEffectRank } from "../policy/side-effect.ts";
import { declaredAnnotations, type DeclaredTool } from "../policy/tools.ts";
import { type PromptReferences, promptReferences } from "./prompt-references.ts";

/** What the diagnostics look at: tools, the rules for them and the prompts that mention them. */
export interface ToolSurface {
  readonly tools: readonly DeclaredTool[];
  readonly policy: CapabilityPolicy;
  readonly approval: ToolApprovalPolicy;
  readonly prompts: readonly string[];
  /** Tools known only from `policy.tool_annotations` count as tools too (the graph's surface). */
  readonly includeAnnotated?: boolean;
  /** Whether each tool must name its `executor`; the tools of a workflow get theirs from the host. */
  readonly requireExecutor?: boolean;
}

/** One finding about a tool surface (spec/workflow 3.1). */
export interface ToolDiagnostic {
  readonly code: string;
  readonly severity: "error" | "warning";
  readonly message: string;
}

interface Tool {
  readonly name: string;
  readonly declaration: DeclaredTool["declaration"];
  readonly annotations: ToolAnnotations | null;
}

interface Inspection {
  readonly surface: ToolSurface;
  readonly tools: ReadonlyMap<string, Tool>;
  readonly active: ReadonlyMap<string, Tool>;
  readonly references: PromptReferences;
}

type Finding = readonly [code: string, message: string, severity?: "error"];

const policyAnnotations = (policy: CapabilityPolicy, name: string): ToolAnnotations | null =>
  (Object.hasOwn(policy.tool_annotations, name) ? policy.tool_annotations[name] : undefined) ?? null;

const inspect = (surface: ToolSurface): Inspection => {
  const { policy } = surface;
  const tools = new Map<string, Tool>();
  for (const declared of surface.tools) {
    if (tools.has(declared.name)) continue;
    const annotations = declaredAnnotations(declared) ?? policyAnnotations(policy, declared.name);
    tools.set(declared.name, { ...declared, annotations });
  }
  for (const [name, annotations] of surface.includeAnnotated ? Object.entries(policy.tool_annotations) : []) {
    if (!tools.has(name)) tools.set(name, { name, declaration: {}, annotations });
  }
  const all = policy.tools.length === 0 && !deniesAll(policy, "tools");
  const matches = globMatcher(policy.tools);
  const active = new Map([...tools].filter(([name]) => all || matches(name)));
  return { surface, tools, active, references: promptReferences(surface.prompts) };
};

const SCHEMA_KEYS = ["parameters", "input_schema", "inputSchema", "schema"] as const;

const schemaOf = (tool: Tool) => SCHEMA_KEYS.map((key) => tool.declaration[key]).find(isObject);

function* declarationFindings({ active, surface }: Inspection): Generator<Finding> {
  for (const tool of active.values()) {
    const { name, annotations } = tool;
    if (schemaOf(tool) === undefined) {
      yield ["TOOL_SURFACE_MISSING_SCHEMA", `active tool '${name}' has no parameter schema`];
    }
    if (annotations === null) {
      yield ["TOOL_SURFACE_MISSING_ANNOTATIONS", `active tool '${name}' has no ToolAnnotations`];
    } else if (annotations.side_effect_level === "none") {
      yield ["TOOL_SURFACE_MISSING_SIDE_EFFECT_LEVEL", `active tool '${name}' has no side-effect level`];
    }
    if (surface.requireExecutor && !tool.declaration["executor"]) {
      yield ["TOOL_SURFACE_MISSING_EXECUTOR", `active tool '${name}' has no declared executor`];
    }
  }
}

function* resultReaderFindings({ active }: Inspection): Generator<Finding> {
  const readable =
    active.has("read_command_output") ||
    [...active.values()].some(({ annotations }) => annotations?.kind === "read" || annotations?.kind === "search");
  for (const { name, annotations } of active.values()) {
    if (annotations === null) continue;
    const emits = annotations.kind === "execute" && annotations.emits_artifacts && !annotations.inline_result;
    if (emits && !readable && !annotations.result_readers.some((reader) => active.has(reader))) {
      const message = `execute tool '${name}' can emit output artifacts but has no active result reader`;
      yield ["TOOL_SURFACE_MISSING_RESULT_READER", message, "error"];
    }
    for (const reader of annotations.result_readers) {
      if (active.has(reader)) continue;
      const message = `tool '${name}' declares result reader '${reader}' that is not active`;
      yield ["TOOL_SURFACE_UNKNOWN_RESULT_READER", message];
    }
  }
}

/** The arguments a tool is known to take, or null when it says nothing about them. */
const knownArguments = (tool: Tool): ReadonlySet<string> | null => {
  const properties = schemaOf(tool)?.["properties"];
  const known = new Set(isObject(properties) ? Object.keys(properties) : []);
  const schema = tool.annotations?.arg_schema;
  for (const name of schema?.path_params ?? []) known.add(name);
  for (const name of schema?.required ?? []) known.add(name);
  for (const [alias, name] of Object.entries(schema?.arg_aliases ?? {})) known.add(alias).add(name);
  return known.size > 0 ? known : null;
};

function* constraintFindings({ active, surface }: Inspection): Generator<Finding> {
  const known = new Map([...active].map(([name, tool]) => [name, knownArguments(tool)]));
  for (const { tool: pattern, arg_key: key } of surface.policy.tool_arg_constraints) {
    if (!pattern.includes("*") && !active.has(pattern)) {
      const message = `ToolArgConstraint references tool '${pattern}' which is not active`;
      yield ["TOOL_SURFACE_UNKNOWN_ARG_CONSTRAINT_TOOL", message];
    }
    if (key === null) continue;
    for (const [name, names] of known) {
      if (names === null || names.has(key) || !globMatch(pattern, name)) continue;
      const message = `ToolArgConstraint for '${name}' targets unknown argument '${key}'`;
      yield ["TOOL_SURFACE_UNKNOWN_ARG_CONSTRAINT_KEY", message];
      // One tool shows the mistake; a wide pattern over many tools would repeat it for each.
      break;
    }
  }
}

const APPROVAL_LISTS = ["auto_approve", "auto_deny", "require_approval"] as const;

function* approvalFindings({ active, surface }: Inspection): Generator<Finding> {
  for (const list of APPROVAL_LISTS) {
    for (const pattern of surface.approval[list]) {
      if (pattern.includes("*") || active.has(pattern)) continue;
      const message = `approval_policy.${list} pattern '${pattern}' matches no active tool`;
      yield ["TOOL_SURFACE_APPROVAL_PATTERN_NO_MATCH", message];
    }
  }
}

const looksLikeTool = (name: string): boolean =>
  name.includes("_") || name.startsWith("tool") || name.startsWith("run");

function* promptFindings({ tools, active, references }: Inspection): Generator<Finding> {
  for (const name of references.calls) {
    const tool = tools.get(name);
    if (tool === undefined) {
      if (looksLikeTool(name)) {
        yield ["TOOL_SURFACE_UNKNOWN_PROMPT_TOOL", `prompt references tool '${name}' which is not active`];
      }
    } else if (!active.has(name)) {
      yield ["TOOL_SURFACE_PROMPT_TOOL_NOT_IN_POLICY", `prompt references tool '${name}' outside the active policy`];
    } else if (tool.declaration["defer_loading"] === true && !active.has("tool_search")) {
      const message = `prompt references deferred tool '${name}' but tool_search is not active`;
      yield ["TOOL_SURFACE_DEFERRED_TOOL_PROMPT_REFERENCE", message];
    }
    for (const [alias, canonical] of Object.entries(tool?.annotations?.arg_schema.arg_aliases ?? {})) {
      if (!references.words.has(alias)) continue;
      const message = `prompt mentions alias '${alias}' for tool '${name}'; use canonical argument '${canonical}'`;
      yield ["TOOL_SURFACE_DEPRECATED_ARG_ALIAS", message];
    }
  }
}

function* ceilingFindings({ active, surface }: Inspection): Generator<Finding> {
  const ceiling = surface.policy.side_effect_level;
  if (ceiling === null) return;
  for (const { name, annotations } of active.values()) {
    const level = annotations?.side_effect_level ?? "none";
    if (sideEffectRank(level) <= sideEffectRank(ceiling)) continue;
    const message = `tool '${name}' requires side-effect level '${level}' but policy ceiling is '${ceiling}'`;
    yield ["TOOL_SURFACE_SIDE_EFFECT_CEILING_EXCEEDED", message, "error"];
  }
}

const CHECKS = [
  declarationFindings,
  resultReaderFindings,
  constraintFindings,
  approvalFindings,
  promptFindings,
  ceilingFindings,
];

/** Everything that looks wrong about a tool surface, in the order of the specification's table (spec/workflow 3.1). */
export const toolSurfaceDiagnostics = (surface: ToolSurface): readonly ToolDiagnostic[] => {
  const inspection = inspect(surface);
  return CHECKS.flatMap((check) =>
    [...check(inspection)].map(([code, message, severity]): ToolDiagnostic => ({
      code,
      severity: severity ?? "warning",
      message,
    })),
  );
};

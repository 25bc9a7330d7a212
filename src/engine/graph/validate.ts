import type { ValidationReport, WorkflowGraph, WorkflowNode } from "../../schema/graph.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import type { JsonObject } from "../../lib/json.ts";
import { isDecidedByPeople, personProblem } from "../hitl/node.ts";
import { intersectPolicies } from "../policy/capability.ts";
import { hookMatcher } from "../policy/hook-pattern.ts";
import { listedTools } from "../policy/tools.ts";
import { incomingEdges, outgoingEdges } from "./edges.ts";
import { nodeIds, nodeOf } from "./normalize.ts";
import { reachableNodes } from "./reachability.ts";
import { type ToolDiagnostic, toolSurfaceDiagnostics } from "./tool-surface.ts";

interface Findings {
  readonly errors: string[];
  readonly warnings: string[];
}

type Entry = readonly [id: string, node: WorkflowNode];

const checkEdges = (graph: WorkflowGraph, { errors }: Findings): void => {
  for (const { from, to } of graph.edges) {
    if (nodeOf(graph, from) === undefined) errors.push(`edge.from references unknown node: ${from}`);
    if (nodeOf(graph, to) === undefined) errors.push(`edge.to references unknown node: ${to}`);
  }
};

const checkKind = (graph: WorkflowGraph, [id, node]: Entry, { errors, warnings }: Findings): void => {
  const outgoing = outgoingEdges(graph, id);
  const { input_kinds: inputKinds } = node.input_contract;
  switch (node.kind) {
    case "condition":
      if (!["true", "false"].every((branch) => outgoing.some((edge) => edge.branch === branch))) {
        errors.push(`node ${id}: condition nodes require both 'true' and 'false' branch edges`);
      }
      break;
    case "fork":
      if (outgoing.length < 2) errors.push(`node ${id}: fork nodes require at least two outgoing edges`);
      break;
    case "join":
      if (incomingEdges(graph, id).length < 2) warnings.push(`node ${id}: join node has fewer than two incoming edges`);
      break;
    case "map":
      if (
        node.map_policy.items.length === 0 &&
        node.map_policy.item_artifact_kind === null &&
        inputKinds.length === 0
      ) {
        errors.push(`node ${id}: map nodes require items, item_artifact_kind, or input_contract.input_kinds`);
      }
      break;
    case "reduce":
      if (inputKinds.length === 0) {
        warnings.push(
          `node ${id}: reduce node has no input_contract.input_kinds; it will consume all available artifacts`,
        );
      }
      break;
    default:
  }
};

const checkNode = (graph: WorkflowGraph, [id, node]: Entry, findings: Findings): void => {
  const { min_inputs: min, max_inputs: max } = node.input_contract;
  if (min !== null && max !== null && min > max) {
    findings.errors.push(`node ${id}: input contract min_inputs exceeds max_inputs`);
  }
  checkKind(graph, [id, node], findings);
};

const checkCeiling = (
  graph: WorkflowGraph,
  entries: readonly Entry[],
  ceiling: CapabilityPolicy,
  { errors }: Findings,
): void => {
  const ofGraph = intersectPolicies(ceiling, graph.capability_policy);
  if (!ofGraph.ok) errors.push(ofGraph.error);
  for (const [id, node] of entries) {
    // The node is compared with the ceiling, not with the graph's policy (spec/workflow 3, notes).
    const ofNode = intersectPolicies(ceiling, node.capability_policy);
    if (!ofNode.ok) errors.push(`node ${id}: ${ofNode.error}`);
  }
};

const report = (scope: string, diagnostics: readonly ToolDiagnostic[], { errors, warnings }: Findings): void => {
  for (const { code, severity, message } of diagnostics) {
    (severity === "error" ? errors : warnings).push(`${code}: ${scope}: ${message}`);
  }
};

const checkTools = (graph: WorkflowGraph, entries: readonly Entry[], findings: Findings): void => {
  const whole = toolSurfaceDiagnostics({
    tools: entries.flatMap(([, node]) => listedTools(node.tools)),
    policy: graph.capability_policy,
    approval: graph.approval_policy,
    prompts: [],
    includeAnnotated: true,
  });
  report("workflow", whole, findings);
  for (const [id, node] of entries) {
    const ofNode = toolSurfaceDiagnostics({
      tools: listedTools(node.tools),
      policy: node.capability_policy,
      approval: node.approval_policy,
      prompts: [node.system, node.prompt].filter((text) => text !== null),
    });
    report(`node ${id}`, ofNode, findings);
  }
};

/** A hook whose pattern cannot be read would guard nothing. */
const checkHooks = (entries: readonly Entry[], { errors }: Findings): void => {
  for (const [id, { tool_hooks: hooks = [] }] of entries)
    for (const [index, { pattern }] of hooks.entries()) {
      const matcher = hookMatcher(pattern);
      if (!matcher.ok) errors.push(`node ${id}: tool_hooks[${index}]: ${matcher.error}`);
    }
};

/** Kinds that are not executed like a stage, so that their mode is never looked at. */
const STATIC_KINDS: ReadonlySet<string> = new Set([
  "verify",
  "join",
  "condition",
  "fork",
  "map",
  "reduce",
  "escalation",
]);

/** Modes of stages that nobody executes: a branch of a map is always executed. */
const WAITING_MODES: ReadonlySet<string> = new Set(["sleep", "wait", "person"]);

const sleepIsClear = ({ sleep }: WorkflowNode): boolean => {
  const hasMs = sleep?.ms != null;
  const hasUntil = sleep?.until != null && sleep.until !== "";
  if (hasMs === hasUntil) return false;
  return hasMs || !Number.isNaN(Date.parse(sleep?.until ?? ""));
};

/** What a person denies must not go on along an edge that everything takes. */
const checkPerson = (graph: WorkflowGraph, [id, { person }]: Entry, { errors }: Findings): void => {
  const asked = (person ?? {}) as JsonObject;
  const problem = personProblem(asked);
  if (problem !== null) errors.push(`node ${id}: ${problem}`);
  if (isDecidedByPeople(asked) && outgoingEdges(graph, id).some(({ branch }) => branch === null))
    errors.push(`node ${id}: say with a branch (approved, denied, timeout) which decision each of its edges follows`);
};

const checkModes = (graph: WorkflowGraph, entries: readonly Entry[], findings: Findings): void => {
  const { errors } = findings;
  for (const [id, node] of entries) {
    if (node.kind === "map" && WAITING_MODES.has(node.mode ?? ""))
      errors.push(`node ${id}: the branches of a map cannot wait; mode ${node.mode} is for stages`);
    if (STATIC_KINDS.has(node.kind)) continue;
    if (node.mode === "http" && !node.http?.url) errors.push(`node ${id}: http stages require http.url`);
    if (node.mode === "function" && !node.function) {
      errors.push(`node ${id}: function stages require the name of a registered function`);
    }
    if (node.mode === "sleep" && !sleepIsClear(node))
      errors.push(`node ${id}: sleep stages require either sleep.ms or a moment (RFC 3339) in sleep.until`);
    if (node.mode === "person") checkPerson(graph, [id, node], findings);
    if (node.mode === "wait" && !node.wait?.message)
      errors.push(`node ${id}: wait stages require the name of a message in wait.message`);
  }
};

/**
 * Checks a normal graph, in the order of the specification and then for what this project adds (spec/workflow 3). Takes
 * time in proportion to the graph. Without a ceiling policies are not compared with anything.
 */
export const validateGraph = (graph: WorkflowGraph, ceiling: CapabilityPolicy | null): ValidationReport => {
  const findings: Findings = { errors: [], warnings: [] };
  const entries = nodeIds(graph).flatMap((id): readonly Entry[] => {
    const node = nodeOf(graph, id);
    return node === undefined ? [] : [[id, node]];
  });
  const reachable = reachableNodes(graph);
  const reached = new Set(reachable);
  if (nodeOf(graph, graph.entry) === undefined) findings.errors.push(`entry node does not exist: ${graph.entry}`);
  checkEdges(graph, findings);
  for (const [id] of entries) if (!reached.has(id)) findings.warnings.push(`node is unreachable: ${id}`);
  for (const entry of entries) checkNode(graph, entry, findings);
  if (ceiling !== null) checkCeiling(graph, entries, ceiling, findings);
  checkTools(graph, entries, findings);
  checkModes(graph, entries, findings);
  checkHooks(entries, findings);
  return { valid: findings.errors.length === 0, ...findings, reachable_nodes: reachable };
};

import type { Json, JsonObject } from "../../lib/json.ts";
import { isObject } from "../../lib/json.ts";
import type { ContextPolicy, StageContract, WorkflowNode } from "../../schema/graph.ts";
import type { StageMode } from "../../schema/plan.ts";
import type { RunStageRecord } from "../../schema/record.ts";
import { applyRunOverrides } from "../policy/effective.ts";
import { withNarrowedTools } from "../policy/scopes.ts";
import { toolNames } from "../policy/tools.ts";
import { branchNode } from "../node/map.ts";
import { openById } from "./open.ts";
import type { PreparedStage, Run } from "./state.ts";

/** Kinds that the engine executes itself, without an executor (spec/workflow 6). */
const STATIC_KINDS: ReadonlySet<string> = new Set(["fork", "join", "condition", "reduce", "escalation"]);

/** True for a reduce node whose artifacts a registered reducer puts together. */
const callsReducer = (node: Pick<WorkflowNode, "kind" | "function">): boolean =>
  node.kind === "reduce" && (node.function ?? "") !== "";

/** True when a node is executed inside the decision. */
export const isStaticNode = (node: Pick<WorkflowNode, "kind" | "function">): boolean =>
  STATIC_KINDS.has(node.kind) && !callsReducer(node);

/** True when the record of a stage is that of a node that was executed inside the decision. */
export const isStaticRecord = ({ kind, metadata }: Pick<RunStageRecord, "kind" | "metadata">): boolean =>
  STATIC_KINDS.has(kind) && !(kind === "reduce" && metadata["function"] !== undefined);

/** The node as this run executes it: run options fill what it leaves open (spec/workflow 10.5). */
export const stageNode = (
  run: Pick<Run, "graph" | "options">,
  nodeId: string,
  options: JsonObject,
): WorkflowNode | undefined => {
  if (!Object.hasOwn(run.graph.nodes, nodeId)) return undefined;
  const node = run.graph.nodes[nodeId];
  if (node === undefined) return undefined;
  if (Object.keys(options).length > 0)
    return withNarrowedTools(applyRunOverrides(node, { ...run.options, ...options }), options);
  const known = defaultNodes.get(node);
  if (known?.options === run.options) return known.node;
  const made = applyRunOverrides(node, run.options);
  defaultNodes.set(node, { options: run.options, node: made });
  return made;
};

/** The node of an open unit: that of its stage, or the one that executes a branch of its map. */
export const unitNode = (run: Run, unit: PreparedStage): WorkflowNode => {
  if (unit.branch_of === null) return stageNode(run, unit.node_id, unit.options) as WorkflowNode;
  const map = openById(run, unit.branch_of.map_stage_id) as PreparedStage;
  return { ...branchNode(stageNode(run, map.node_id, unit.options) as WorkflowNode), id: unit.node_id };
};

// Memoisation only: graphs and options are never changed in place.
const defaultNodes = new WeakMap<WorkflowNode, { readonly options: JsonObject; readonly node: WorkflowNode }>();

/** The shell command a verify node runs, or undefined for one that only looks at text. */
export const verifyCommand = (node: WorkflowNode): string | undefined => {
  const command = isObject(node.verify) ? node.verify["command"] : undefined;
  return typeof command === "string" && command.trim() !== "" ? command : undefined;
};

/** The registered function that verifies in place of a command, or undefined (spec/workflow 7.1). */
export const verifyFunction = (node: WorkflowNode): string | undefined => {
  const name = isObject(node.verify) ? node.verify["function"] : undefined;
  return typeof name === "string" && name.trim() !== "" ? name.trim() : undefined;
};

/** Who executes a node: a verify node never calls a model, tools or mode `agent` ask for an agent loop (spec/workflow 4.5). */
export const stageMode = (node: WorkflowNode): StageMode => {
  if (node.kind === "verify") return verifyFunction(node) === undefined ? "command" : "function";
  if (node.kind === "map") return "map";
  if (node.kind === "subagent") return "subagent";
  if (callsReducer(node)) return "function";
  if (OWN_MODES.has(node.mode ?? "")) return node.mode as StageMode;
  return runsAgentLoop(node) ? "agent" : "llm";
};

const OWN_MODES: ReadonlySet<string> = new Set(["http", "function", "external", "sleep", "wait", "person"]);

/** Mode `agent`, or at least one tool (spec/workflow 4.5). */
export const runsAgentLoop = (node: WorkflowNode): boolean =>
  node.mode === "agent" || toolNames(node.tools as Json).length > 0;

const isUnset = (value: unknown): boolean =>
  value === null || value === undefined || value === false || (Array.isArray(value) && value.length === 0);

/**
 * True when the node says which artifacts it wants. One that says nothing and builds no prompt gets only what the
 * stage before it produced, so that its cost does not grow with the run.
 */
export const selectsArtifacts = (context: ContextPolicy, input: StageContract): boolean =>
  input.input_kinds.length > 0 || saysSomething(context);

// Memoisation only: policies are never changed in place.
const speaking = new WeakMap<ContextPolicy, boolean>();

const saysSomething = (context: ContextPolicy): boolean => {
  const known = speaking.get(context);
  if (known !== undefined) return known;
  const says = !Object.values(context).every(isUnset);
  speaking.set(context, says);
  return says;
};

const DEFAULT_TIMEOUT_MS: Readonly<Record<StageMode, number>> = {
  llm: 120_000,
  agent: 600_000,
  http: 20_000,
  function: 20_000,
  command: 600_000,
  external: 0,
  map: 0,
  sleep: 0,
  wait: 0,
  subagent: 0,
  person: 0,
};

/** How long one attempt of the node may take, in milliseconds; 0 for no bound. */
export const stageTimeout = (node: WorkflowNode, mode: StageMode): number =>
  (mode === "http" ? node.http?.timeout_ms : undefined) ?? node.timeout_ms ?? DEFAULT_TIMEOUT_MS[mode];

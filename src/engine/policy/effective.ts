import type { Json, JsonObject } from "../../lib/json.ts";
import type { Result } from "../../lib/result.ts";
import type { WorkflowGraph, WorkflowNode } from "../../schema/graph.ts";
import type { CapabilityPolicy, ModelPolicy, ToolApprovalPolicy } from "../../schema/policy.ts";
import { intersectApprovalPolicies } from "./approval.ts";
import { BUILTIN_CEILING, deniesAll, intersectPolicies } from "./capability.ts";
import { filterTools, policyFromTools, toolNames } from "./tools.ts";

/**
 * What a node may use: the run's policy (the builtin ceiling under the run's option), the graph's policy, the node's
 * policy and what its tools need, each under the one before (spec/workflow 10.3). The error is the text of the first
 * refusal.
 */
export const effectiveNodePolicy = (
  graph: Pick<WorkflowGraph, "capability_policy">,
  node: Pick<WorkflowNode, "capability_policy" | "tools">,
  run: CapabilityPolicy = BUILTIN_CEILING,
): Result<CapabilityPolicy, string> => {
  const ofGraph = intersectPolicies(run, graph.capability_policy);
  if (!ofGraph.ok) return ofGraph;
  const ofNode = intersectPolicies(ofGraph.value, node.capability_policy);
  return ofNode.ok ? intersectPolicies(ofNode.value, policyFromTools(node.tools)) : ofNode;
};

/** The policy an agent loop is told to run under: what its tools need, narrowed by the node (spec/workflow 10.3). */
export const agentLoopPolicy = (
  node: Pick<WorkflowNode, "capability_policy" | "tools">,
): Result<CapabilityPolicy, string> => intersectPolicies(policyFromTools(node.tools), node.capability_policy);

/** The approval rules of a stage: the most restrictive of the run's option, the graph and the node (spec/workflow 10.4). */
export const effectiveApprovalPolicy = (
  runPolicy: ToolApprovalPolicy | null,
  graph: Pick<WorkflowGraph, "approval_policy">,
  node: Pick<WorkflowNode, "approval_policy">,
): ToolApprovalPolicy => {
  const inside = intersectApprovalPolicies(graph.approval_policy, node.approval_policy);
  return runPolicy === null ? inside : intersectApprovalPolicies(runPolicy, inside);
};

/** The text of an option; absent when null or empty (spec/workflow 0.2). */
const textOption = (value: Json | undefined): string | null => {
  if (value === undefined || value === null || value === "") return null;
  return typeof value === "string" ? value : JSON.stringify(value);
};

const numberOption = (value: Json | undefined): number | null => (typeof value === "number" ? value : null);

const isEmptyModelPolicy = (policy: ModelPolicy): boolean =>
  Object.entries(policy).every(
    ([key, value]) => value === null || value === undefined || (key === "native_tool_fallback" && value === "allow"),
  );

/** True for a map node that calls no model for its items (spec/workflow 6.6). */
export const isDataOnlyMap = (node: WorkflowNode): boolean =>
  node.kind === "map" &&
  node.mode === null &&
  node.prompt === null &&
  node.system === null &&
  toolNames(node.tools).length === 0 &&
  isEmptyModelPolicy(node.model_policy);

const withRunDefaults = (node: WorkflowNode, options: JsonObject): WorkflowNode => {
  const policy = node.model_policy;
  const maxTokens = numberOption(options["max_tokens"]);
  return {
    ...node,
    mode: node.mode ?? textOption(options["mode"]),
    model_policy: {
      ...policy,
      provider: policy.provider ?? textOption(options["provider"]),
      model: policy.model ?? textOption(options["model"]),
      model_tier: policy.model_tier ?? textOption(options["model_tier"]) ?? textOption(options["tier"]),
      temperature: policy.temperature ?? numberOption(options["temperature"]),
      max_tokens: policy.max_tokens ?? (Number.isInteger(maxTokens) ? maxTokens : null),
    },
  };
};

/**
 * A node under the options of a run (spec/workflow 10.5): settings it lacks come from the options, tools its policy does
 * not name are taken out. A map over plain data stays one, whatever the options say.
 */
export const applyRunOverrides = (node: WorkflowNode, options: JsonObject): WorkflowNode => {
  const filled = isDataOnlyMap(node) ? node : withRunDefaults(node, options);
  const policy = node.capability_policy;
  if (policy.tools.length === 0 && !deniesAll(policy, "tools")) return filled;
  const allowed = new Set(policy.tools);
  return { ...filled, tools: filterTools(node.tools, (name) => allowed.has(name)) };
};

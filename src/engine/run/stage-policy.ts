import type { Json, JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { WorkflowGraph, WorkflowNode } from "../../schema/graph.ts";
import { type Rejection, reject } from "../machine.ts";
import { builtinExcess } from "../policy/builtins.ts";
import { narrowPolicies, splitOptions } from "../policy/narrow.ts";
import { reportedExcess } from "../policy/reported-calls.ts";
import { type RunPolicies, runPolicies, stagePolicies } from "../policy/scopes.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import type { RunOptions } from "./command.ts";
import { stageNode, unitNode } from "./stage-node.ts";
import type { PreparedStage, Run, StageWork } from "./state.ts";

const beyond = (detail: string, nodeId: string): Rejection =>
  reject("policy_exceeds_ceiling", detail, { node_id: nodeId }).rejection;

/** The first node that asks for more than the scopes around it give. */
const nodeExcess = (graph: WorkflowGraph, options: JsonObject, run: RunPolicies): Rejection | null => {
  for (const id of Object.keys(graph.nodes)) {
    // The very node and scopes that its stage is prepared with: what is worked out here is remembered until then.
    const node = stageNode({ graph, options }, id, NO_OPTIONS) as WorkflowNode;
    const policies = stagePolicies({ graph, ...run }, node, NO_OPTIONS);
    if (!policies.ok) return beyond(`node ${id}: ${policies.error}`, id);
  }
  return null;
};

const NO_OPTIONS: JsonObject = {};

/**
 * The policies of a new run. Refused are an option beyond the ceiling, and a node beyond the scopes around it: before the
 * run begins, where the original finds out when it gets there (spec/workflow 10.3).
 */
export const policiesOfRun = (graph: WorkflowGraph, options: RunOptions): Result<RunPolicies, Rejection> => {
  const policies = runPolicies({
    continued: options.resume_run?.policy ?? null,
    capability_policy: options.capability_policy ?? null,
    approval_policies: [options.audit?.approval_policy ?? null, options.approval_policy ?? null],
  });
  if (!policies.ok) return err(reject("policy_exceeds_ceiling", policies.error).rejection);
  const excess = nodeExcess(graph, options.raw, policies.value);
  return excess === null ? policies : err(excess);
};

/** The options of a stage about to be prepared, with the policies they ask for worked out. */
export const stageOptions = (
  run: Run,
  stage: { readonly node_id: string; readonly options: JsonObject },
  given: JsonObject,
): Result<JsonObject, Rejection> => {
  const { asked, rest } = splitOptions(given);
  if (Object.keys(asked).length === 0) return ok({ ...stage.options, ...rest });
  const options = { ...stage.options, ...rest };
  const node = stageNode(run, stage.node_id, options);
  const current = node === undefined ? null : stagePolicies(run, node, options);
  // A node that may not run at all raises when it is prepared.
  if (current === null || !current.ok) return ok(options);
  const narrowed = narrowPolicies(current.value, asked);
  if (!narrowed.ok) return err(beyond(narrowed.error, stage.node_id));
  return ok({
    ...options,
    capability_policy: narrowed.value.policy as unknown as Json,
    approval_policy: narrowed.value.approval as unknown as Json,
  });
};

/** Why a stage's work lies outside its policy, or null: what a stage does itself is held to its ceiling as well (I8). */
export const workExcess = (policy: CapabilityPolicy, work: StageWork): string | null => {
  if (work.type === "http") return builtinExcess(policy, "http_request");
  return work.type === "command" ? builtinExcess(policy, "exec") : null;
};

/**
 * The refusal of a result that an executor outside hands in with calls of tools its stage may not use, or null. Godwit's
 * own driver has let each call through the gate.
 */
export const completionExcess = (run: Run, prepared: PreparedStage, result: JsonObject): Rejection | null => {
  if (prepared.holder === "driver") return null;
  const node = unitNode(run, prepared);
  const policies = stagePolicies(run, node, prepared.options);
  const excess = policies.ok ? reportedExcess(policies.value.policy, node.tools as Json, result) : policies.error;
  return excess === null ? null : beyond(excess, prepared.node_id);
};

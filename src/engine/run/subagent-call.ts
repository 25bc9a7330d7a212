import type { Json, JsonObject } from "../../lib/json.ts";
import { digestOf } from "../../lib/digest.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { PendingToolCall } from "../../schema/agent-step.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { ToolApprovalPolicy } from "../../schema/policy.ts";
import type { SubagentCall } from "../../schema/subagent-call.ts";
import { stagePolicies } from "../policy/scopes.ts";
import { meetWorkerPolicies } from "../policy/worker-policy.ts";
import { ANY_CONTEXT } from "../worker/artifact-carry.ts";
import type { SpawnWorker } from "../worker/command.ts";
import { subAgentOf } from "../worker/sub-agent.ts";
import { budgetLeft } from "./budget.ts";
import { policyBelow, TOO_DEEP } from "./delegate.ts";
import type { Draft } from "./draft.ts";
import { unitNode } from "./stage-node.ts";
import type { PreparedStage, Run } from "./state.ts";

/** Orders the workers that carry out the calls a stage was parked for (spec/workers 15). */
export const delegateCalls = (draft: Draft, stageId: string): void => {
  const unit = draft.run.open.find(({ stage_id: id }) => id === stageId);
  for (const { reason, call_id } of unit?.loop?.pending ?? [])
    if (reason === "worker") draft.effects.push({ type: "spawn_worker", stage_id: stageId, call_id });
};

/** A call that a stage waits for a worker with; null where it waits no more. */
export const delegatedCall = (
  run: Run,
  { stage_id, call_id }: { readonly stage_id: string; readonly call_id: string },
): { readonly unit: PreparedStage; readonly call: PendingToolCall } | null => {
  const unit = run.open.find((open) => open.stage_id === stage_id && open.settled === null);
  const call = unit?.loop?.pending.find((pending) => pending.call_id === call_id && pending.reason === "worker");
  return unit === undefined || call === undefined ? null : { unit, call };
};

/** Settings of a stage's model that are not those of its sub-agents: they delegate no further, and have sessions of their own. */
const NOT_INHERITED: ReadonlySet<string> = new Set(["session_id", "subagents", "output_schema"]);

const isSet = (value: unknown): boolean => value !== null && value !== undefined;

/** How the loop of a sub-agent runs: as that of the stage which asks for it. */
const inherited = (node: WorkflowNode, approval: ToolApprovalPolicy): JsonObject => {
  const { tools, tool_hooks, script } = node as unknown as JsonObject;
  const model = Object.entries(node.model_policy).filter(([key, value]) => isSet(value) && !NOT_INHERITED.has(key));
  return {
    ...(Object.fromEntries(model) as JsonObject),
    ...(isSet(tools) ? { tools: tools as Json } : {}),
    ...(isSet(tool_hooks) ? { tool_hooks: tool_hooks as Json } : {}),
    ...(isSet(script) ? { script: script as Json } : {}),
    approval_policy: approval as unknown as JsonObject,
  };
};

/** How the worker of a call is spawned, under the policy of its stage; the error is why it cannot be (spec/workers 15.1). */
export const calledSpawn = (
  run: Run,
  { unit, call }: { readonly unit: PreparedStage; readonly call: PendingToolCall },
  { task, request }: SubagentCall,
): Result<SpawnWorker, string> => {
  const node = unitNode(run, unit);
  if ((node.model_policy as unknown as JsonObject)["subagents"] !== true)
    return err(`node ${unit.node_id} has no subagents`);
  const policies = stagePolicies(run, node, unit.options);
  if (!policies.ok) return policies;
  const { policy: ceiling, approval } = policies.value;
  if (ceiling.recursion_limit === 0) return err(TOO_DEEP);
  const worker_id = call.worker_id ?? "";
  const { run_id, report_to: to } = run;
  const { stage_id, node_id, attempt_token, session_id } = unit;
  const budget = budgetLeft(run);
  const asked = { task, name: null, parent_session_id: session_id };
  const options = inherited(node, approval);
  // The same however often it is spawned: its ids follow from that of the worker.
  const agent = subAgentOf({ ...request, options }, asked, { nextId: (prefix) => `${prefix}_${worker_id}` });
  if (!agent.ok) return agent;
  const { spec, policy: requested } = agent.value;
  const policy = meetWorkerPolicies(policyBelow(ceiling), requested);
  if (!policy.ok) return err(`spawn_agent: ${policy.error}`);
  return ok({
    type: "spawn",
    tenant: run.tenant,
    worker_id,
    mode: "sub_agent",
    name: spec.name,
    task,
    config: { mode: "sub_agent", spec },
    carry_policy: {
      artifact_mode: "inherit",
      transcript_mode: "inherit",
      context_policy: ANY_CONTEXT,
      resume_workflow: true,
      persist_state: true,
      retriggerable: false,
      policy: policy.value,
    },
    execution: { cwd: null, env: {}, worktree: null },
    audit: { parent_session_id: session_id, mutation_scope: "read_only", approval_policy: approval },
    parent_worker_id: to !== null && "worker_id" in to ? to.worker_id : null,
    parent_stage_id: node_id,
    parent: { run_id, stage_id, node_id, attempt_token, call_id: call.call_id, ...(budget === null ? {} : { budget }) },
    // What the run has by now makes no other request of it.
    request_digest: digestOf({ run_id, stage_id, call_id: call.call_id }),
  });
};

import { digestOf } from "../../lib/digest.ts";
import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import { selectForStage } from "../artifact/stage-selection.ts";
import type { Context } from "../machine.ts";
import { stagePolicies } from "../policy/scopes.ts";
import { redactTranscript } from "../prompt/visibility.ts";
import type { SpawnWorker } from "../worker/command.ts";
import { delegatedWorker } from "../worker/delegated.ts";
import type { WorkerExecution } from "../worker/state.ts";
import { budgetLeft } from "./budget.ts";
import type { Draft } from "./draft.ts";
import { callError, failedStage, isCallError, usageOf } from "./executed-stage.ts";
import { transcriptValue } from "./run-transcript.ts";
import { unitNode } from "./stage-node.ts";
import { type ExecutedStage, isTerminal, type PreparedStage, type Run, type StageWork } from "./state.ts";

/** What a subagent node is prepared as: the worker that is going to carry it out, or why there can be none (spec/workers 14). */
export const planDelegation = (
  run: Run,
  node: WorkflowNode,
  context: Context,
): { readonly selected: readonly ArtifactRecord[]; readonly work: StageWork } => {
  const selected = selectForStage(run.artifacts.toArray(), node.context_policy, node.input_contract);
  const policies = stagePolicies(run, node, {});
  // Nothing may be delegated at limit 0: it would lie below the deepest level that is allowed (spec/workers 3.1).
  if (policies.ok && policies.value.policy.recursion_limit === 0)
    return { selected, work: { type: "precomputed", executed: failedStage(TOO_DEEP) } };
  return { selected, work: { type: "delegate", worker_id: context.nextId("worker") } };
};

/** Why nothing is delegated under a policy without a level left. */
export const TOO_DEEP =
  "Error [tool_rejected]: the capability policy allows no deeper delegation (recursion_limit is 0)";

/** What the worker of a stage may do: what the stage may, one level deeper. */
export const policyBelow = (policy: CapabilityPolicy): CapabilityPolicy =>
  policy.recursion_limit === null ? policy : { ...policy, recursion_limit: Math.max(0, policy.recursion_limit - 1) };

/** The node that an open subagent unit delegates; null for another unit, and for a run that is over: nobody would end its worker. */
export const delegatedNode = (
  run: Run,
  stageId: string,
): { readonly unit: PreparedStage; readonly node: WorkflowNode } | null => {
  if (isTerminal(run.status)) return null;
  const unit = run.open.find((open) => open.stage_id === stageId && open.settled === null);
  return unit?.work.type === "delegate" ? { unit, node: unitNode(run, unit) } : null;
};

/** How the worker of an open subagent unit is spawned (spec/workers 14.1, 14.2); null where the unit is not there any more. */
export const delegatedSpawn = (run: Run, stageId: string, execution: WorkerExecution): SpawnWorker | null => {
  const found = delegatedNode(run, stageId);
  if (found === null || found.unit.work.type !== "delegate") return null;
  const { unit, node } = found;
  const { worker_id } = found.unit.work;
  const policies = stagePolicies(run, node, unit.options);
  if (!policies.ok) return null;
  const wanted = new Set(unit.selected_artifact_ids);
  const { run_id, report_to: to } = run;
  const { stage_id, node_id, attempt_token } = unit;
  const budget = budgetLeft(run);
  return {
    type: "spawn",
    tenant: run.tenant,
    worker_id,
    ...delegatedWorker({
      node_id,
      node,
      task: run.task,
      artifacts: run.artifacts.toArray().filter(({ id }) => wanted.has(id)),
      transcript: transcriptValue(run.transcript),
      execution,
      policy: policyBelow(policies.value.policy),
      approval_policy: policies.value.approval,
    }),
    parent_worker_id: to !== null && "worker_id" in to ? to.worker_id : null,
    parent_stage_id: node_id,
    parent: { run_id, stage_id, node_id, attempt_token, ...(budget === null ? {} : { budget }) },
    // What the run has by now makes no other request of it.
    request_digest: digestOf({ run_id, stage_id, node_id, attempt_token }),
  };
};

/** What a worker reported, as what its stage came to: its artifacts come with it (spec/workers 14.4 to 14.7). */
export const delegatedStage = (draft: Draft, unit: PreparedStage, given: JsonObject): ExecutedStage => {
  const { artifacts = [], transcript = null, usage: _usage, ...rest } = given;
  const inner = isObject(rest["result"]) ? rest["result"] : rest;
  const usage = usageOf(given) ?? usageOf(inner);
  const worker = rest["worker"] === undefined ? {} : { worker: rest["worker"] as Json };
  if (isCallError(given)) {
    const failed = failedStage(callError(given), usage);
    return { ...failed, result: { ...failed.result, ...worker } };
  }
  const { text = "", visible_text = text } = inner;
  return {
    status: "completed",
    outcome: "subagent_completed",
    branch: "success",
    result: { ...rest, text, visible_text } as JsonObject,
    artifacts: artifacts as unknown as readonly ArtifactRecord[],
    verification: null,
    usage,
    error: null,
    transcript: transcript === null ? null : redactTranscript(transcript, unitNode(draft.run, unit).output_visibility),
  };
};

/** Workers that an open stage waits for: its own, or those of its agent's calls. */
const awaitedBy = ({ work, settled, loop }: PreparedStage): readonly string[] => {
  if (settled !== null) return [];
  if (work.type === "delegate") return [work.worker_id];
  return (loop?.pending ?? []).flatMap(({ worker_id: id }) => id ?? []);
};

/** Ends the workers that a stage waited for which waits no more. */
export const closeAwaited = (draft: Draft, unit: PreparedStage): void => {
  for (const workerId of awaitedBy(unit)) draft.closeWorker(workerId);
};

/** Workers that open stages of a run wait for. */
export const awaitedWorkers = (run: Run): readonly string[] => run.open.flatMap(awaitedBy);

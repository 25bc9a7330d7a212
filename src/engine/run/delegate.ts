import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import { selectForStage } from "../artifact/stage-selection.ts";
import { stagePolicies } from "../policy/scopes.ts";
import { redactTranscript } from "../prompt/visibility.ts";
import type { SpawnWorker } from "../worker/command.ts";
import { workerResultArtifact } from "../worker/delegated.ts";
import { readExecution } from "../worker/execution.ts";
import { ANY_CONTEXT } from "../worker/artifact-carry.ts";
import type { Context } from "../machine.ts";
import { callError, failedStage, isCallError, usageOf } from "./executed-stage.ts";
import type { Draft } from "./draft.ts";
import { transcriptValue } from "./run-transcript.ts";
import { unitNode } from "./stage-node.ts";
import type { ExecutedStage, PreparedStage, Run, StageWork } from "./state.ts";

/** What a subagent node is prepared as: the worker that is going to carry it out, or why there can be none (spec/workers 14). */
export const planDelegation = (
  run: Run,
  node: WorkflowNode,
  context: Context,
): { readonly selected: readonly ArtifactRecord[]; readonly work: StageWork } => {
  const selected = selectForStage(run.artifacts.toArray(), node.context_policy, node.input_contract);
  const problem = delegationProblem(run, node);
  if (problem !== null) return { selected, work: { type: "precomputed", executed: failedStage(problem) } };
  return { selected, work: { type: "delegate", worker_id: context.nextId("worker") } };
};

const delegationProblem = (run: Run, node: WorkflowNode): string | null => {
  const execution = readExecution(node.metadata["execution"] ?? null);
  if (!execution.ok) return execution.error;
  const policies = stagePolicies(run, node, {});
  // A run with limit 0 may delegate nothing: what it starts would lie below the deepest level (spec/workers 3.1).
  if (policies.ok && policies.value.policy.recursion_limit === 0)
    return "Error [tool_rejected]: the capability policy allows no deeper delegation (recursion_limit 0)";
  return null;
};

/** What a worker of a stage may do: what the stage may, one level deeper. */
const policyBelow = (policy: CapabilityPolicy): CapabilityPolicy =>
  policy.recursion_limit === null ? policy : { ...policy, recursion_limit: Math.max(0, policy.recursion_limit - 1) };

/** The worker that an open subagent unit waits for, as it is to be spawned (spec/workers 14.1, 14.2); null for another unit. */
export const delegatedSpawn = (run: Run, unit: PreparedStage): SpawnWorker | null => {
  if (unit.work.type !== "delegate") return null;
  const node = unitNode(run, unit);
  const policies = stagePolicies(run, node, unit.options);
  const execution = readExecution(node.metadata["execution"] ?? null);
  if (!policies.ok || !execution.ok) return null;
  const name = node.metadata["worker_name"];
  const wanted = new Set(unit.selected_artifact_ids);
  return {
    type: "spawn",
    tenant: run.tenant,
    worker_id: unit.work.worker_id,
    mode: "delegated_stage",
    name: typeof name === "string" && name !== "" ? name : unit.node_id,
    task: run.task,
    config: {
      mode: "stage",
      node: { ...node, kind: "stage" },
      artifacts: run.artifacts.toArray().filter(({ id }) => wanted.has(id)),
      transcript: transcriptValue(run.transcript),
    },
    carry_policy: {
      artifact_mode: "inherit",
      transcript_mode: "inherit",
      context_policy: ANY_CONTEXT,
      resume_workflow: true,
      persist_state: true,
      retriggerable: false,
      policy: policyBelow(policies.value.policy),
    },
    execution: execution.value,
    audit: {
      parent_session_id: unit.node_id,
      mutation_scope: "read_only",
      approval_policy: policies.value.approval,
      execution_kind: "delegated_stage",
    },
    parent_worker_id: parentWorkerOf(run),
    parent_stage_id: unit.node_id,
    parent: {
      run_id: run.run_id,
      stage_id: unit.stage_id,
      node_id: unit.node_id,
      attempt_token: unit.attempt_token,
    },
  };
};

/** The worker whose cycle this run carries out; null for a run of its own. */
const parentWorkerOf = ({ report_to: to }: Run): string | null =>
  to !== null && "worker_id" in to ? to.worker_id : null;

/** What a worker reported, as what its stage came to (spec/workers 14.4 to 14.7). */
export const delegatedStage = (draft: Draft, unit: PreparedStage, given: JsonObject): ExecutedStage => {
  const { artifacts: made, transcript = null, ...rest } = given;
  const inner = isObject(rest["result"]) ? rest["result"] : rest;
  const usage = usageOf(rest) ?? usageOf(inner);
  if (isCallError(given)) {
    const failed = failedStage(callError(given), usage);
    return { ...failed, result: { ...failed.result, ...(rest["worker"] === undefined ? {} : { worker: rest["worker"] }) } };
  }
  const node = unitNode(draft.run, unit);
  const worker = isObject(rest["worker"]) ? rest["worker"] : {};
  const tag = { worker_id: worker["id"] ?? null, worker_name: worker["name"] ?? null, delegated: true };
  const produced = (Array.isArray(made) ? (made as unknown as readonly ArtifactRecord[]) : []).map((artifact) => ({
    ...artifact,
    metadata: { ...artifact.metadata, ...tag },
  }));
  const text = inner["visible_text"] ?? inner["text"] ?? "";
  const result = { ...rest, text: inner["text"] ?? "", visible_text: text } as JsonObject;
  return {
    status: "completed",
    outcome: "subagent_completed",
    branch: "success",
    result,
    artifacts: [
      ...produced,
      workerResultArtifact(
        {
          node_id: unit.node_id,
          worker,
          payload: rest as Json,
          produced_ids: produced.map(({ id }) => id),
          input_ids: unit.selected_artifact_ids,
        },
        draft.context,
      ),
    ],
    verification: null,
    usage,
    error: null,
    transcript: transcript === null ? null : redactTranscript(transcript, node.output_visibility),
  };
};

/** Workers that open stages of a run wait for. */
export const awaitedWorkers = (run: Run): readonly string[] =>
  run.open.flatMap(({ work, settled }) => (work.type === "delegate" && settled === null ? [work.worker_id] : []));

import { rfc3339 } from "../../lib/time.ts";
import type { JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { WorkflowGraph } from "../../schema/graph.ts";
import type { RunRecord, RunStageRecord, RunTransitionRecord } from "../../schema/record.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";
import { nextEdges } from "../graph/edges.ts";
import { enqueueUnique } from "../run/evolve.ts";
import { judgeResult } from "../run/executed-stage.ts";
import { AppendList } from "../../lib/append.ts";
import { noSessions } from "../transcript/session.ts";
import { collectContracts, type ContractAssets } from "../verification/contracts.ts";
import { isStaticRecord, stageNode } from "../run/stage-node.ts";
import type { ExecutedStage, StageWork } from "../run/state.ts";

/** Where a result is replaced: a record at its checkpoint, and what was ready before its last stage led anywhere. */
export interface ReplaceIn {
  readonly record: RunRecord;
  readonly graph: WorkflowGraph;
  readonly options: JsonObject;
  readonly assets: ContractAssets;
  readonly ready_before: readonly string[];
}

/** The kind of work, as far as judging a result depends on it. */
const workOf = (stage: RunStageRecord): Pick<StageWork, "type"> => {
  const mode = stage.metadata["mode"];
  if (stage.kind === "reduce") return { type: "reduce" };
  return { type: mode === "http" || mode === "function" ? mode : "model" };
};

const visibleText = (result: JsonObject): string | null => {
  const value = "visible_text" in result ? result["visible_text"] : result["text"];
  return typeof value === "string" ? value : null;
};

const stageWith = (stage: RunStageRecord, executed: ExecutedStage, now: string): RunStageRecord => {
  const { error: _, ...metadata } = stage.metadata;
  const { status, outcome, branch, verification, error, artifacts } = executed;
  return {
    ...stage,
    status,
    outcome,
    branch,
    verification,
    finished_at: now,
    visible_text: visibleText(executed.result),
    private_reasoning: null,
    transcript: executed.transcript === undefined ? stage.transcript : executed.transcript,
    usage: executed.usage,
    artifacts,
    produced_artifact_ids: artifacts.map(({ id }) => id),
    attempts: [
      ...stage.attempts,
      {
        attempt: stage.attempts.length + 1,
        status,
        outcome,
        branch,
        error: branch === "error" ? error : null,
        verification,
        started_at: now,
        finished_at: now,
      },
    ],
    metadata: { ...metadata, ...(error === null ? {} : { error }), result_replaced: true },
  };
};

const transitionsOf = (
  stage: RunStageRecord,
  edges: ReturnType<typeof nextEdges>,
  context: ArtifactContext,
): readonly RunTransitionRecord[] =>
  edges.map((edge) => ({
    id: context.nextId(""),
    from_stage_id: stage.id,
    from_node_id: stage.node_id,
    to_node_id: edge.to,
    branch: edge.branch ?? null,
    timestamp: rfc3339(context.now),
    consumed_artifact_ids: stage.consumed_artifact_ids,
    produced_artifact_ids: stage.produced_artifact_ids,
  }));

/**
 * The record as if its last stage had returned another result: judged again, with its own artifacts, edges and queue
 * (spec/workflow 4.6, 4.7). Only the last stage can be replaced: what came after an earlier one was made from its result.
 */
export const replaceLastResult = (
  { record, graph, options, assets, ready_before }: ReplaceIn,
  { stage_id: stageId, result }: { readonly stage_id: string; readonly result: JsonObject },
  context: ArtifactContext,
): Result<RunRecord, string> => {
  const last = record.stages.at(-1);
  if (last === undefined || last.id !== stageId)
    return err(
      `the result of stage ${stageId} cannot be replaced at this checkpoint: its last stage is ${last?.id ?? "none"}; fork from the checkpoint that was taken after the stage`,
    );
  if (isStaticRecord(last)) return err(`stage ${stageId} is a ${last.kind} node: Godwit computes its result itself`);
  const node = stageNode({ graph, options }, last.node_id, {});
  if (node === undefined) return err(`the other version has no node ${last.node_id}, whose result is to be replaced`);
  const contracts = collectContracts(graph, assets);
  const executed = judgeResult(
    {
      run: {
        contracts: contracts.ok ? contracts.value : [],
        artifacts: AppendList.of(record.artifacts),
        sessions: noSessions(),
      },
      node,
      unit: { selected_artifact_ids: last.consumed_artifact_ids, session_id: null, work: workOf(last) },
      context,
    },
    result,
  );
  const stage = stageWith(last, executed, rfc3339(context.now));
  const edges = nextEdges(graph, last.node_id, executed.branch);
  const dropped = new Set(last.produced_artifact_ids);
  return ok({
    ...record,
    stages: [...record.stages.slice(0, -1), stage],
    artifacts: [...record.artifacts.filter(({ id }) => !dropped.has(id)), ...stage.artifacts],
    transitions: [
      ...record.transitions.filter((transition) => transition.from_stage_id !== last.id),
      ...transitionsOf(stage, edges, context),
    ],
    pending_nodes: enqueueUnique(
      ready_before,
      edges.map((edge) => edge.to),
    ),
    transcript: stage.transcript,
  });
};

import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { CapabilityPolicy, ToolApprovalPolicy } from "../../schema/policy.ts";
import { type ArtifactContext, normalizeArtifact } from "../artifact/normalize.ts";
import { ANY_CONTEXT } from "./artifact-carry.ts";
import type { WorkerInit } from "./command.ts";
import type { Worker, WorkerExecution } from "./state.ts";
import { provenanceOf, summaryOf } from "./summary.ts";

/** A stage that is given to a worker. */
export interface DelegatedStage {
  readonly node_id: string;
  readonly node: WorkflowNode;
  readonly task: string;
  readonly artifacts: readonly ArtifactRecord[];
  readonly transcript: Json;
  /** The profile in the metadata of the node. */
  readonly execution: WorkerExecution;
  /** What the stage may do at most; null for no opinion. */
  readonly policy: CapabilityPolicy | null;
  readonly approval_policy: ToolApprovalPolicy | null;
}

/** What the worker of a node is called (spec/workers 14.1). */
export const delegateName = (node: Pick<WorkflowNode, "metadata">, nodeId: string): string => {
  const name = node.metadata["worker_name"];
  return typeof name === "string" && name !== "" ? name : nodeId;
};

/** The worker that a node of kind `subagent` is given to (spec/workers 14.1, 14.2). */
export const delegatedWorker = (stage: DelegatedStage): WorkerInit & { readonly mode: "delegated_stage" } => {
  return {
    mode: "delegated_stage",
    name: delegateName(stage.node, stage.node_id),
    task: stage.task,
    config: {
      mode: "stage",
      node: { ...stage.node, kind: "stage" },
      artifacts: stage.artifacts,
      transcript: stage.transcript,
    },
    carry_policy: {
      artifact_mode: "inherit",
      transcript_mode: "inherit",
      context_policy: ANY_CONTEXT,
      resume_workflow: true,
      persist_state: true,
      retriggerable: false,
      policy: stage.policy,
    },
    execution: stage.execution,
    audit: {
      parent_session_id: stage.node_id,
      mutation_scope: "read_only",
      approval_policy: stage.approval_policy,
      execution_kind: "delegated_stage",
    },
  };
};

const BULKY: readonly string[] = ["transcript", "artifacts"];

const withoutBulk = (value: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(value).filter(([key]) => !BULKY.includes(key)));

/** A payload as it is handed to a parent: without what the parent has anyway, at both levels (spec/workers 14.6). */
export const compactPayload = (payload: Json): Json => {
  if (!isObject(payload)) return payload;
  const { result } = payload;
  const inner = isObject(result) ? { result: withoutBulk(result) } : {};
  return { ...withoutBulk(payload), ...inner, payload_compacted: true };
};

/** The result of the stage: what the worker came to, with its handle (spec/workers 14.4). */
export const delegatedResult = (worker: Worker): JsonObject => {
  const payload = isObject(worker.latest_payload) ? worker.latest_payload : {};
  return { ...payload, worker: summaryOf(worker) };
};

/** The result as its artifact holds it, compacted in the handle of the worker too (spec/workers 14.6). */
const reportedPayload = (worker: Worker): Json =>
  compactPayload({
    ...delegatedResult(worker),
    worker: { ...summaryOf(worker), result: compactPayload(worker.latest_payload) },
  });

/** The text of a result; a result that is no text has none, whatever stands beside it (spec/workers 14.6). */
const resultText = (result: JsonObject): string | null => {
  const text = result["result"] ?? result["visible_text"] ?? result["text"];
  return typeof text === "string" && text !== "" ? text : null;
};

/** The artifacts of a stage that was given to a worker: those of the worker, and last its result (spec/workers 14.5, 14.6). */
export const delegatedArtifacts = (
  worker: Worker,
  stage: {
    readonly node_id: string;
    /** The ids of all artifacts that the stage was given. */
    readonly input_ids: readonly string[];
  },
  context: ArtifactContext,
): readonly ArtifactRecord[] => {
  const marks = { worker_id: worker.id, worker_name: worker.name };
  const delegated = { ...marks, delegated: true };
  const produced = worker.artifacts.map((artifact) => ({
    ...artifact,
    metadata: { ...artifact.metadata, ...delegated },
  }));
  const result = delegatedResult(worker);
  const report = normalizeArtifact(
    {
      id: context.nextId(`${stage.node_id}_worker_result`),
      kind: "worker_result",
      title: `worker result ${worker.name}`,
      text: resultText(result),
      data: {
        ...marks,
        request: worker.request as unknown as JsonObject,
        provenance: provenanceOf(worker),
        execution: worker.execution as unknown as JsonObject,
        payload: reportedPayload(worker),
        produced_artifact_ids: produced.map(({ id }) => id),
      },
      source: stage.node_id,
      stage: stage.node_id,
      freshness: "fresh",
      priority: 95,
      relevance: 1,
      lineage: stage.input_ids,
      metadata: delegated,
    },
    context,
  );
  return [...produced, report];
};

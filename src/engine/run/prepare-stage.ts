import type { JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import { ok, type Result } from "../../lib/result.ts";
import type { WorkflowGraph, WorkflowNode } from "../../schema/graph.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import { effectiveNodePolicy } from "../policy/effective.ts";
import { blockedInFork } from "../replay/blocked.ts";
import { nextRecordedStage, type RecordedPage } from "../replay/next-stage.ts";
import type { Draft } from "./draft.ts";
import { executeStatic } from "./execute-static.ts";
import { failedStage } from "./executed-stage.ts";
import { isStaticKind, stageMode, stageNode } from "./stage-node.ts";
import { planWork, selectArtifactsFor } from "./stage-work.ts";
import type { ExecutedStage, Holder, StageWork } from "./state.ts";

/** How long a driver's attempt stays its own without a sign of life. */
const DRIVER_LEASE_MS = 10_000;

/** The same for a caller of the API, who may be a person. */
const CALLER_LEASE_MS = 300_000;

/** The lease of an attempt when its holder asks for none. */
export const defaultLease = (holder: Holder): number => (holder === "driver" ? DRIVER_LEASE_MS : CALLER_LEASE_MS);

export interface StageRequest {
  readonly node_id: string;
  readonly options: JsonObject;
  readonly ready?: readonly string[];
  readonly holder: Holder;
  readonly lease_ms: number;
  readonly granted_by?: string;
  /** Stages of the recording that a replay follows, when they did not come with the run. */
  readonly recorded?: RecordedPage;
}

/** A stage could not even be prepared: the run fails with this text (architecture 7). */
export interface Raised {
  readonly code: "policy_exceeds_ceiling" | "node_not_found" | "invalid_transition";
  readonly detail: string;
}

/** Opens a stage (spec/workflow 4.5). Returns what was raised, or null when the stage is prepared. */
export const prepareStage = (draft: Draft, request: StageRequest): Raised | null => {
  const { run } = draft;
  const node = stageNode(run, request.node_id, request.options);
  if (node === undefined)
    return { code: "node_not_found", detail: `workflow_execute: missing node ${request.node_id}` };
  const policy = nodePolicy(run.graph, node);
  if (!policy.ok) return { code: "policy_exceeds_ceiling", detail: policy.error };

  const planned = workOf(draft, node, request);
  if (!planned.ok) return { code: "invalid_transition", detail: planned.error };
  const { selected_ids, work } = planned.value;
  const mode = stageMode(node);
  draft.emit({
    type: "stage_prepared",
    stage_id: `${run.run_id}:${request.node_id}:${run.stage_count + 1}`,
    node_id: request.node_id,
    kind: node.kind,
    mode,
    ...(work.type === "model" ? { session_id: sessionId(node) ?? draft.context.nextId("workflow_stage") } : {}),
    ...(Object.keys(request.options).length === 0 ? {} : { options: request.options }),
    selected_artifact_ids: selected_ids,
    work,
    // An external stage is nobody's until somebody takes it.
    attempt: mode === "external" && request.holder === "driver" ? 0 : 1,
    attempt_token: draft.context.nextId("attempt"),
    holder: mode === "external" && request.holder === "driver" ? "nobody" : request.holder,
    lease_ms: request.lease_ms,
    granted_by: request.granted_by ?? null,
    ...(request.ready === undefined ? {} : { ready: request.ready }),
  });
  return null;
};

// Memoisation only: a node and its graph are never changed in place.
const policies = new WeakMap<
  WorkflowNode,
  { readonly graph: WorkflowGraph; readonly policy: Result<CapabilityPolicy, string> }
>();

const nodePolicy = (graph: WorkflowGraph, node: WorkflowNode): Result<CapabilityPolicy, string> => {
  const known = policies.get(node);
  if (known?.graph === graph) return known.policy;
  const policy = effectiveNodePolicy(graph, node);
  policies.set(node, { graph, policy });
  return policy;
};

interface Work {
  readonly selected_ids: readonly string[];
  readonly work: StageWork;
}

const precomputed = (executed: ExecutedStage, selectedIds: readonly string[] = []): Result<Work, string> =>
  ok({ selected_ids: selectedIds, work: { type: "precomputed", executed } });

const idsOf = (artifacts: readonly ArtifactRecord[]): readonly string[] => artifacts.map((artifact) => artifact.id);

const workOf = ({ run, context }: Draft, node: WorkflowNode, request: StageRequest): Result<Work, string> => {
  const { node_id: nodeId, recorded } = request;
  if (run.replay !== null) {
    const stage = nextRecordedStage(run.replay, nodeId, recorded);
    return stage.ok ? precomputed(stage.value.executed, stage.value.selected_artifact_ids) : stage;
  }
  const blocked = blockedInFork(run.options, nodeId);
  if (blocked !== null) return precomputed(failedStage(blocked));
  if (isStaticKind(node.kind)) {
    const selected = selectArtifactsFor(run, node);
    return precomputed(executeStatic(node, selected, context), idsOf(selected));
  }
  const planned = planWork(run, node);
  if (planned.ok) return ok({ selected_ids: idsOf(planned.value.selected), work: planned.value.work });
  // A stage that cannot be prepared is a failed stage of the run, not a failed run (spec/workflow 4.5).
  return precomputed(failedStage(planned.error));
};

const sessionId = (node: WorkflowNode): string | undefined => {
  for (const id of [
    node.model_policy["session_id" as keyof typeof node.model_policy],
    node.metadata["worker_session_id"],
  ])
    if (typeof id === "string" && id.trim() !== "") return id;
  return undefined;
};

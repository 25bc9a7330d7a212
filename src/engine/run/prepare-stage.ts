import type { JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { Result } from "../../lib/result.ts";
import type { WorkflowGraph, WorkflowNode } from "../../schema/graph.ts";
import type { StageMode } from "../../schema/plan.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import { effectiveNodePolicy } from "../policy/effective.ts";
import type { Draft } from "./draft.ts";
import { executeStatic } from "./execute-static.ts";
import { failedStage } from "./executed-stage.ts";
import { sessionOf } from "./session-of.ts";
import { isStaticKind, stageMode, stageNode } from "./stage-node.ts";
import { planWork, selectArtifactsFor } from "./stage-work.ts";
import { planMap } from "../node/map.ts";
import { deadlineOf } from "./waits.ts";
import type { Holder, Run, StageWork } from "./state.ts";

export interface StageRequest {
  readonly node_id: string;
  readonly options: JsonObject;
  readonly ready?: readonly string[];
  readonly holder: Holder;
  readonly lease_ms: number;
  readonly granted_by?: string;
  /** The holder executes the stage as a whole, also where a driver would take it in parts. */
  readonly whole?: boolean;
}

/** A stage could not even be prepared: the run fails with this text (architecture 7). */
export interface Raised {
  readonly code: "policy_exceeds_ceiling" | "node_not_found";
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

  const { selected, work } = workOf(draft, run, node);
  const mode = stageMode(node);
  const holder = holderOf(request, mode);
  const stage_id = `${run.run_id}:${request.node_id}:${run.stage_count + openStages(run) + 1}`;
  const deadline = work.type === "precomputed" ? null : deadlineOf(node, mode, draft.context.now);
  draft.emit({
    type: "stage_prepared",
    stage_id,
    node_id: request.node_id,
    kind: node.kind,
    mode,
    ...(work.type === "model" ? sessionOf(draft, node) : {}),
    ...(Object.keys(request.options).length === 0 ? {} : { options: request.options }),
    selected_artifact_ids: selected.map((artifact) => artifact.id),
    work,
    attempt: holder === "nobody" ? 0 : 1,
    attempt_token: draft.context.nextId("attempt"),
    holder,
    lease_ms: request.lease_ms,
    granted_by: request.granted_by ?? null,
    ...(deadline === null ? {} : { deadline_ms: deadline }),
    ...(request.ready === undefined ? {} : { ready: request.ready }),
  });
  if (work.type === "wait") draft.subscribe(stage_id, work.message);
  return null;
};

const openStages = (run: Run): number => run.open.filter((unit) => unit.branch_of === null).length;

/** An external stage is nobody's until somebody takes it; a map is executed by its branches; a wait by nobody at all. */
const holderOf = (request: StageRequest, mode: StageMode): Holder => {
  if (mode === "sleep" || mode === "wait") return "nobody";
  if (mode === "map") return request.whole === true ? request.holder : "nobody";
  return mode === "external" && request.holder === "driver" ? "nobody" : request.holder;
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

const workOf = (
  draft: Draft,
  run: Run,
  node: WorkflowNode,
): { readonly selected: readonly ArtifactRecord[]; readonly work: StageWork } => {
  if (isStaticKind(node.kind)) {
    const selected = selectArtifactsFor(run, node);
    return { selected, work: { type: "precomputed", executed: executeStatic(node, selected, draft.context) } };
  }
  if (node.kind === "map") {
    const selected = selectArtifactsFor(run, node);
    return { selected, work: { type: "map", map: planMap(node, selected) } };
  }
  const planned = planWork(run, node);
  if (planned.ok) return planned.value;
  // A stage that cannot be prepared is a failed stage of the run, not a failed run (spec/workflow 4.5).
  return { selected: [], work: { type: "precomputed", executed: failedStage(planned.error) } };
};

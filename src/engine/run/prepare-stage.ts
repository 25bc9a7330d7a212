import type { Json, JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { Result } from "../../lib/result.ts";
import type { WorkflowGraph, WorkflowNode } from "../../schema/graph.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import { effectiveNodePolicy } from "../policy/effective.ts";
import { commandJob, commandQueue } from "../verification/command-job.ts";
import type { Draft } from "./draft.ts";
import { executeStatic } from "./execute-static.ts";
import { failedStage } from "./executed-stage.ts";
import { isStaticKind, stageMode, stageNode, stageTimeout } from "./stage-node.ts";
import { planWork, selectArtifactsFor } from "./stage-work.ts";
import type { Holder, Run, StageWork } from "./state.ts";

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
  const queue = work.type === "command" ? commandQueue(node.verify as Json, run.options) : null;
  draft.emit({
    type: "stage_prepared",
    stage_id: `${run.run_id}:${request.node_id}:${run.stage_count + 1}`,
    node_id: request.node_id,
    kind: node.kind,
    mode,
    ...(work.type === "model" ? { session_id: sessionId(node) ?? draft.context.nextId("workflow_stage") } : {}),
    ...(Object.keys(request.options).length === 0 ? {} : { options: request.options }),
    selected_artifact_ids: selected.map((artifact) => artifact.id),
    work,
    // An external stage is nobody's until somebody takes it.
    attempt: mode === "external" && request.holder === "driver" ? 0 : 1,
    attempt_token: draft.context.nextId("attempt"),
    holder: (mode === "external" || queue !== null) && request.holder === "driver" ? "nobody" : request.holder,
    lease_ms: request.lease_ms,
    granted_by: request.granted_by ?? null,
    ...(request.ready === undefined ? {} : { ready: request.ready }),
  });
  if (queue !== null && request.holder === "driver") orderCommand(draft, node, queue);
  return null;
};

/** Puts the prepared stage's command into a queue; the stage waits, like an external one. */
const orderCommand = (draft: Draft, node: WorkflowNode, queue: string): void => {
  const { run } = draft;
  if (run.prepared?.work.type !== "command") return;
  const { command } = run.prepared.work;
  const timeout_ms = stageTimeout(node, "command");
  const job = commandJob({ run, ...run.prepared, command, verify: node.verify as Json, timeout_ms });
  draft.effects.push({ type: "enqueue_job", queue, job });
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
  const planned = planWork(run, node);
  if (planned.ok) return planned.value;
  // A stage that cannot be prepared is a failed stage of the run, not a failed run (spec/workflow 4.5).
  return { selected: [], work: { type: "precomputed", executed: failedStage(planned.error) } };
};

const sessionId = (node: WorkflowNode): string | undefined => {
  for (const id of [
    node.model_policy["session_id" as keyof typeof node.model_policy],
    node.metadata["worker_session_id"],
  ])
    if (typeof id === "string" && id.trim() !== "") return id;
  return undefined;
};

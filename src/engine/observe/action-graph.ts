import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { ActionGraphEdge, ActionGraphNode, WorkerLineage } from "../../schema/observability.ts";
import type { RunChildRecord, RunRecord, RunStageRecord } from "../../schema/record.ts";

/** The picture of a run: what happened, and what led to what. */
export interface ActionGraph {
  readonly nodes: readonly ActionGraphNode[];
  readonly edges: readonly ActionGraphEdge[];
}

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");

const textOrNull = (value: Json | undefined): string | null => (typeof value === "string" ? value : null);

const edge = (from: string, to: string, kind: string, label: string | null = null): ActionGraphEdge => ({
  from_id: from,
  to_id: to,
  kind,
  label,
});

type NodeInput = Pick<ActionGraphNode, "id" | "label" | "kind" | "status" | "outcome"> & Partial<ActionGraphNode>;

const node = (fields: NodeInput): ActionGraphNode => ({
  trace_id: null,
  stage_id: null,
  node_id: null,
  worker_id: null,
  run_id: null,
  run_path: null,
  metadata: {},
  ...fields,
});

const rootId = (run: RunRecord): string => `run:${run.id}`;

const stageNodeId = (stageId: string): string => `stage:${stageId}`;

const runNode = (run: RunRecord, traceId: string | null): ActionGraphNode =>
  node({
    id: rootId(run),
    label: run.workflow_name ?? run.id,
    kind: "run",
    status: run.status,
    outcome: run.status,
    trace_id: traceId,
    run_id: run.id,
    run_path: run.persisted_path,
  });

const triggerGraph = (run: RunRecord, event: JsonObject, traceId: string | null): ActionGraph => {
  const eventId = textOf(event["id"]);
  const id = `trigger:${eventId}`;
  const label = `${textOf(event["provider"])}:${textOf(event["kind"])}`;
  const signature = isObject(event["signature_status"]) ? textOf(event["signature_status"]["state"]) : "";
  const metadata: JsonObject = {
    provider: textOf(event["provider"]),
    event_kind: textOf(event["kind"]),
    dedupe_key: textOf(event["dedupe_key"]),
    signature_status: signature,
  };
  const received = node({
    id,
    label,
    kind: "trigger",
    status: "received",
    outcome: signature,
    trace_id: traceId,
    run_id: run.id,
    metadata,
  });
  const entry = edge(rootId(run), id, "entry", eventId);
  const original = textOf(run.metadata["replay_of_event_id"]);
  if (original === "") return { nodes: [received], edges: [entry] };
  const historical = node({
    id: `trigger:${original}`,
    label: `${label} (original ${original})`,
    kind: "trigger",
    status: "historical",
    outcome: "replayed_from",
    trace_id: traceId,
    run_id: run.id,
    metadata: { ...metadata, replay_of_event_id: original },
  });
  return {
    nodes: [historical, received],
    edges: [entry, edge(historical.id, id, "replay_chain", "replay chain")],
  };
};

const stageNode = (run: RunRecord, stage: RunStageRecord, traceId: string | null): ActionGraphNode => {
  const workerId = textOrNull(stage.metadata["worker_id"]);
  return node({
    id: stageNodeId(stage.id),
    label: stage.node_id,
    kind: stage.kind === "condition" ? "predicate" : "stage",
    status: stage.status,
    outcome: stage.outcome,
    trace_id: traceId,
    stage_id: stage.id,
    node_id: stage.node_id,
    worker_id: workerId,
    run_id: run.id,
    metadata: {
      stage_kind: stage.kind,
      ...(stage.branch === null ? {} : { branch: stage.branch }),
      ...(workerId === null ? {} : { worker_id: workerId }),
    },
  });
};

const entryEdges = (run: RunRecord, entry: string, hasTrigger: boolean): readonly ActionGraphEdge[] => {
  const targets = new Set(run.transitions.map((transition) => transition.to_node_id));
  return run.stages
    .filter((stage) => !targets.has(stage.node_id))
    .map((stage) => edge(entry, stageNodeId(stage.id), hasTrigger ? "trigger_dispatch" : "entry"));
};

const transitionEdges = (run: RunRecord): readonly ActionGraphEdge[] => {
  const byId = new Map(run.stages.map((stage) => [stage.id, stage]));
  const lastOfNode = new Map(run.stages.map((stage) => [stage.node_id, stage]));
  const edges: ActionGraphEdge[] = [];
  for (const transition of run.transitions) {
    const from = byId.get(transition.from_stage_id ?? "") ?? lastOfNode.get(transition.from_node_id ?? "");
    const to = lastOfNode.get(transition.to_node_id);
    if (from === undefined || to === undefined) continue;
    const kind = from.kind === "condition" ? "predicate_gate" : "transition";
    edges.push(edge(stageNodeId(from.id), stageNodeId(to.id), kind, transition.branch));
  }
  return edges;
};

const workerGraph = (run: RunRecord, traceId: string | null): ActionGraph => ({
  nodes: run.child_runs.map((child) =>
    node({
      id: `worker:${child.worker_id}`,
      label: child.worker_name,
      kind: "worker",
      status: child.status,
      outcome: child.status,
      trace_id: traceId,
      stage_id: child.parent_stage_id,
      worker_id: child.worker_id,
      run_id: child.run_id,
      run_path: child.run_path,
    }),
  ),
  edges: run.child_runs.map((child) => {
    const parent = child.parent_stage_id === null ? rootId(run) : stageNodeId(child.parent_stage_id);
    return edge(parent, `worker:${child.worker_id}`, "delegates", child.worker_name);
  }),
});

/** The picture of a run: run, trigger, stages, workers, and the arrows between them (spec/workflow 12.2). */
export const deriveActionGraph = (run: RunRecord): ActionGraph => {
  const event = run.metadata["trigger_event"];
  const trigger = isObject(event) ? event : null;
  const traceId = textOrNull(run.metadata["trace_id"]) ?? textOrNull(trigger?.["trace_id"]);
  const received = trigger === null ? { nodes: [], edges: [] } : triggerGraph(run, trigger, traceId);
  const entry = trigger === null ? rootId(run) : `trigger:${textOf(trigger["id"])}`;
  const workers = workerGraph(run, traceId);
  return {
    nodes: [
      runNode(run, traceId),
      ...received.nodes,
      ...run.stages.map((stage) => stageNode(run, stage, traceId)),
      ...workers.nodes,
    ],
    edges: [...received.edges, ...entryEdges(run, entry, trigger !== null), ...transitionEdges(run), ...workers.edges],
  };
};

const lineageOf = (child: RunChildRecord): WorkerLineage => ({
  worker_id: child.worker_id,
  worker_name: child.worker_name,
  parent_stage_id: child.parent_stage_id,
  task: child.task,
  status: child.status,
  session_id: child.session_id,
  parent_session_id: child.parent_session_id,
  run_id: child.run_id,
  run_path: child.run_path,
  snapshot_path: child.snapshot_path,
});

/** The workers of a run and where their own records are (spec/workflow 12.2). */
export const deriveWorkerLineage = (run: RunRecord): readonly WorkerLineage[] => run.child_runs.map(lineageOf);

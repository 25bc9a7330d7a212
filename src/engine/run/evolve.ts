import { AppendList, AppendMap } from "../../lib/append.ts";
import { unixSeconds } from "../../lib/time.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { LlmUsage } from "../../schema/plan.ts";
import { collectContracts } from "../verification/contracts.ts";
import type {
  AttemptEnded,
  AttemptStarted,
  JournaledArtifact,
  RunCreated,
  RunEvent,
  StageCompleted,
  StagePrepared,
  TransitionsRecorded,
} from "./event.ts";
import { newestFrom, visitsOf } from "../replay/continued.ts";
import { type Completion, NO_USAGE, type PreparedStage, type Run, type RunState } from "./state.ts";

/** The whole artifact of a journaled one (spec/workflow 8.5). */
export const restoreArtifact = (
  artifact: JournaledArtifact,
  { result, node_id, at }: Pick<StageCompleted, "result" | "node_id" | "at">,
  prepared: Pick<PreparedStage, "kind" | "selected_artifact_ids">,
): ArtifactRecord => {
  if (!("from_result" in artifact)) return artifact;
  const { from_result: _, metadata, ...header } = artifact;
  const consumed = prepared.selected_artifact_ids;
  return {
    _type: "artifact",
    ...header,
    title: `stage ${node_id} output`,
    text: typeof result["text"] === "string" ? result["text"] : "",
    data: result,
    source: node_id,
    stage: node_id,
    created_at: unixSeconds(Date.parse(at)),
    freshness: "fresh",
    relevance: 1,
    lineage: consumed,
    metadata: { input_artifact_ids: consumed, node_kind: prepared.kind, ...metadata },
  };
};

/** Adds usage; models keep the order in which they were first seen (spec/workflow 12.9). */
export const addUsage = (total: LlmUsage, usage: LlmUsage | null): LlmUsage =>
  usage === null
    ? total
    : {
        input_tokens: total.input_tokens + usage.input_tokens,
        output_tokens: total.output_tokens + usage.output_tokens,
        total_duration_ms: total.total_duration_ms + usage.total_duration_ms,
        call_count: total.call_count + usage.call_count,
        total_cost: total.total_cost + usage.total_cost,
        models: [...new Set([...total.models, ...usage.models])],
      };

/** The queue with these nodes at its end, each at most once (spec/workflow 5). */
export const enqueueUnique = (ready: readonly string[], nodes: readonly string[]): readonly string[] => {
  const [only] = nodes;
  if (nodes.length === 1 && only !== undefined) return ready.includes(only) ? ready : [...ready, only];
  const added = [...new Set(nodes)].filter((node) => !ready.includes(node));
  return added.length === 0 ? ready : [...ready, ...added];
};

const withoutFirst = (ready: readonly string[], node: string): readonly string[] => {
  const index = ready.indexOf(node);
  return index < 0 ? ready : [...ready.slice(0, index), ...ready.slice(index + 1)];
};

const created = (event: RunCreated): Run => {
  const base = event.resumed_from;
  const contracts = collectContracts(event.graph);
  // A resumed run keeps its artifacts; the new ones are ignored when it has any (spec/workflow 4.2 step 15).
  const artifacts = base !== null && base.artifacts.length > 0 ? base.artifacts : event.artifacts;
  return {
    tenant: event.tenant,
    run_id: event.run_id,
    state_id: event.state_id,
    workflow_id: event.graph.id,
    status: "running",
    drive: event.drive,
    graph: event.graph,
    contracts: contracts.ok ? contracts.value : [],
    task: event.task,
    options: event.options,
    trigger_event: event.trigger_event,
    max_steps: event.max_steps,
    steps: event.fork?.steps ?? 0,
    stage_count: base?.stages.length ?? 0,
    ready:
      base !== null && (base.pending_nodes.length > 0 || event.fork !== undefined)
        ? base.pending_nodes
        : [event.graph.entry],
    completed: AppendMap.of((base?.completed_nodes ?? []).map((node) => [node, true] as const)),
    artifacts: AppendList.of(artifacts),
    newest_artifacts_from: base === null ? 0 : newestFrom(base),
    transcript: event.transcript,
    prepared: null,
    untransitioned: null,
    completions: AppendMap.empty,
    usage: NO_USAGE,
    replay: event.replay ?? null,
    earlier_visits: base === null ? {} : visitsOf(base),
    error: null,
    created_at: event.at,
    updated_at: event.at,
  };
};

const NO_OPTIONS = {};

const stagePrepared = (run: Run, event: StagePrepared): Run => ({
  ...run,
  steps: run.steps + 1,
  replay: run.replay === null ? null : { ...run.replay, position: run.replay.position + 1 },
  ready: event.ready ?? withoutFirst(run.ready, event.node_id),
  prepared: {
    stage_id: event.stage_id,
    node_id: event.node_id,
    kind: event.kind,
    mode: event.mode,
    session_id: event.session_id ?? null,
    options: event.options ?? NO_OPTIONS,
    selected_artifact_ids: event.selected_artifact_ids,
    work: event.work,
    started_at: event.at,
    attempt: event.attempt,
    attempt_started_at: event.at,
    attempt_token: event.attempt_token,
    holder: event.holder,
    lease_ms: event.lease_ms,
    granted_by: event.granted_by,
    ended_attempts: [],
    lost_attempts: 0,
    retry_at_ms: null,
  },
});

const attemptStarted = (run: Run, event: AttemptStarted): Run =>
  run.prepared === null
    ? run
    : {
        ...run,
        prepared: {
          ...run.prepared,
          attempt: event.attempt,
          attempt_token: event.attempt_token,
          attempt_started_at: event.at,
          holder: event.holder,
          lease_ms: event.lease_ms,
          retry_at_ms: null,
        },
      };

const attemptEnded = (run: Run, event: AttemptEnded): Run =>
  run.prepared === null
    ? run
    : {
        ...run,
        prepared: {
          ...run.prepared,
          ended_attempts: [...run.prepared.ended_attempts, event.record],
          lost_attempts: run.prepared.lost_attempts + (event.reason === "lease_expired" ? 1 : 0),
          retry_at_ms: event.retry_at_ms,
        },
      };

const NOT_PREPARED = { kind: "stage", selected_artifact_ids: [] } as const;

const completed = (run: Run, event: StageCompleted): Run => {
  const prepared = run.prepared ?? NOT_PREPARED;
  const artifacts = event.artifacts.map((artifact) => restoreArtifact(artifact, event, prepared));
  const completion: Completion = {
    stage_id: event.stage_id,
    node_id: event.node_id,
    branch: event.branch,
    consumed_artifact_ids: prepared.selected_artifact_ids,
    produced_artifact_ids: artifacts.map((artifact) => artifact.id),
    handed_in: event.handed_in ?? event.result,
  };
  return {
    ...run,
    stage_count: run.stage_count + 1,
    completed: run.completed.add(event.node_id, true),
    artifacts: run.artifacts.append(artifacts),
    newest_artifacts_from: artifacts.length > 0 ? run.artifacts.length : run.newest_artifacts_from,
    transcript: event.transcript === undefined ? run.transcript : event.transcript,
    prepared: null,
    untransitioned: completion,
    completions: run.prepared === null ? run.completions : run.completions.add(run.prepared.attempt_token, completion),
    // A replay calls nothing: what its stages used was used by the run they were recorded from.
    usage: run.replay === null ? addUsage(run.usage, event.usage) : run.usage,
  };
};

const transitioned = (run: Run, event: TransitionsRecorded): Run => ({
  ...run,
  ready:
    event.ready ??
    enqueueUnique(
      run.ready,
      event.edges.map((edge) => edge.to),
    ),
  untransitioned: null,
});

const evolveRun = (run: Run, event: Exclude<RunEvent, RunCreated>): Run => {
  switch (event.type) {
    case "checkpoint_taken":
      return run;
    case "stage_prepared":
      return stagePrepared(run, event);
    case "attempt_started":
      return attemptStarted(run, event);
    case "attempt_handed_over":
      return run.prepared === null
        ? run
        : { ...run, prepared: { ...run.prepared, attempt_token: event.attempt_token } };
    case "attempt_ended":
      return attemptEnded(run, event);
    case "stage_completed":
      return completed(run, event);
    case "transitions_recorded":
      return transitioned(run, event);
    case "node_requeued":
      return { ...run, steps: run.steps + 1, ready: [...withoutFirst(run.ready, event.node_id), event.node_id] };
    case "run_finalized":
      return { ...run, status: event.status, ready: event.ready ?? run.ready };
    case "run_paused":
      return { ...run, status: "paused" };
    case "run_resumed":
      return event.max_steps === null
        ? { ...run, status: "running" }
        : { ...run, status: "running", steps: 0, max_steps: event.max_steps };
    case "run_cancelled":
      return { ...run, status: "cancelled" };
    case "run_failed":
      return { ...run, status: "failed", error: event.error };
    default:
      // An event of a newer version: the machine never refuses what was recorded.
      return run;
  }
};

/** Folds one event into a run; total. */
export const evolve = (state: RunState, event: RunEvent): RunState => {
  if (event.type === "run_created") return created(event);
  return state === null ? null : { ...evolveRun(state, event), updated_at: event.at };
};

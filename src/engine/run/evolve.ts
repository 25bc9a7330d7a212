import { AppendList, AppendMap } from "../../lib/append.ts";
import { PersistentMap } from "../../lib/persistent-map.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { RunRecord } from "../../schema/record.ts";
import { collectContracts } from "../verification/contracts.ts";
import { newestFrom, visitsOf } from "../replay/continued.ts";
import { evolveSessions } from "../transcript/evolve-sessions.ts";
import { NEW_LIFECYCLE } from "../finish/state.ts";
import { withoutFinish } from "../finish/finishing.ts";
import { foldFindings, NO_FINDINGS, type OpenFindings } from "../verification/findings.ts";
import { seededSessions } from "../transcript/session-seed.ts";
import { lifecycleAfter } from "./evolve-lifecycle.ts";
import { callAnswered, stageParked, stepRecorded, withOwnSession } from "./evolve-agent.ts";
import { sessionsAfter, transcriptAfter, withoutOwn } from "./evolve-sessions.ts";
import { attemptEnded, attemptStarted, branchPrepared, branchSettled, openedStage, outcomeOf } from "./evolve-open.ts";
import type {
  RunCancelled,
  RunCreated,
  RunEvent,
  RunFailed,
  RunFinalized,
  RunPaused,
  RunResumed,
  StageCompleted,
  StagePrepared,
  TransitionsRecorded,
} from "./event.ts";
import { requestRecorded } from "./evolve-request.ts";
import { branchesOf, openById, withOpen } from "./open.ts";
import { type Completion, NO_USAGE, type PreparedStage, type Run, type RunState } from "./state.ts";
import { addUsage } from "./usage.ts";

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

/** What the failed verifications of a record that a run continues have found. */
const findingsOf = (base: RunRecord | null): OpenFindings =>
  (base?.stages ?? []).reduce((findings, { kind, node_id, verification, metadata }) => {
    const { error } = metadata;
    return foldFindings(findings, kind, { node_id, verification, error: typeof error === "string" ? error : null });
  }, NO_FINDINGS);

const created = (event: RunCreated): Run => {
  const base = event.resumed_from;
  const contracts = collectContracts(event.graph, event.assets);
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
    assets: event.assets ?? {},
    report_to: event.report_to ?? null,
    findings: findingsOf(base),
    task: event.task,
    options: event.options,
    policy: event.record.policy,
    approval_policy: event.approval_policy ?? null,
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
    transcript: { value: event.transcript },
    sessions: seededSessions(event.sessions ?? []),
    reopen: event.fork?.open ?? [],
    open: [],
    max_parallel: event.max_parallel ?? 1,
    budget: event.budget ?? null,
    deadline_ms: event.deadline_ms ?? null,
    untransitioned: null,
    completions: AppendMap.empty,
    parked: AppendMap.empty,
    heard: AppendMap.empty,
    requests: PersistentMap.empty(),
    worker_seqs: PersistentMap.empty(),
    usage: NO_USAGE,
    earlier_usage: event.fork?.usage ?? null,
    replay: event.replay ?? null,
    earlier_visits: base === null ? {} : visitsOf(base),
    error: null,
    lifecycle: { ...NEW_LIFECYCLE, on_finish: event.on_finish ?? null },
    created_at: event.at,
    updated_at: event.at,
  };
};

const stagePrepared = (run: Run, event: StagePrepared): Run => ({
  ...run,
  sessions: withOwnSession(run.sessions, event),
  ...(event.reopened === true
    ? { reopen: run.reopen.slice(1) }
    : { steps: run.steps + 1, ready: event.ready ?? withoutFirst(run.ready, event.node_id) }),
  replay: run.replay === null ? null : { ...run.replay, position: run.replay.position + 1 },
  open: [...run.open, openedStage(run, event)],
});

const NOT_PREPARED = { kind: "stage", selected_artifact_ids: [] } as const;

const completionOf = (
  event: StageCompleted,
  prepared: Pick<PreparedStage, "selected_artifact_ids">,
  artifacts: readonly ArtifactRecord[],
): Completion => ({
  stage_id: event.stage_id,
  node_id: event.node_id,
  branch: event.branch,
  consumed_artifact_ids: prepared.selected_artifact_ids,
  produced_artifact_ids: artifacts.map((artifact) => artifact.id),
  handed_in: event.handed_in ?? event.result,
});

const completed = (run: Run, event: StageCompleted): Run => {
  const prepared = openById(run, event.stage_id);
  const { artifacts } = outcomeOf(event, prepared ?? NOT_PREPARED);
  const completion = completionOf(event, prepared ?? NOT_PREPARED, artifacts);
  const completions =
    prepared === undefined ? run.completions : run.completions.add(prepared.attempt_token, completion);
  // Branches of a map that has ended are nobody's business any more.
  const open = run.open.filter((unit) => unit.branch_of?.map_stage_id !== event.stage_id);
  const sessions = withoutOwn(run.sessions, branchesOf(run, event.stage_id));
  const closed = { ...run, open, completions, sessions };
  if (event.deferred === true)
    return withOpen(closed, event.stage_id, (unit) => ({ ...unit, settled: { event, completion } }));
  return recorded(closed, event, { completion, artifacts, prepared });
};

interface Recorded {
  readonly completion: Completion;
  readonly artifacts: readonly ArtifactRecord[];
  readonly prepared: PreparedStage | undefined;
}

/** The run with a completed stage in its record. */
const recorded = (run: Run, event: StageCompleted, { completion, artifacts, prepared }: Recorded): Run => {
  const sessions = prepared === undefined ? run.sessions : sessionsAfter(run.sessions, prepared, event);
  return {
    ...run,
    stage_count: run.stage_count + 1,
    completed: run.completed.add(event.node_id, true),
    artifacts: run.artifacts.append(artifacts),
    newest_artifacts_from: artifacts.length > 0 ? run.artifacts.length : run.newest_artifacts_from,
    transcript: prepared === undefined ? run.transcript : transcriptAfter(run, sessions, event),
    sessions,
    open: run.open.filter((unit) => unit.stage_id !== event.stage_id),
    untransitioned: completion,
    // A replay calls nothing: what its stages used was used by the run they were recorded from.
    usage: run.replay === null ? addUsage(run.usage, event.usage) : run.usage,
    findings: foldFindings(run.findings, prepared?.kind ?? NOT_PREPARED.kind, event),
  };
};

const retired = (run: Run, stageId: string): Run => {
  const unit = openById(run, stageId);
  if (unit?.settled == null) return run;
  const { event, completion } = unit.settled;
  return recorded(run, event, { completion, artifacts: outcomeOf(event, unit).artifacts, prepared: unit });
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

type StatusEvent = RunFinalized | RunPaused | RunResumed | RunCancelled | RunFailed;

/** The run where it stands from now on. */
const statusChanged = (run: Run, event: StatusEvent): Run => {
  switch (event.type) {
    case "run_finalized":
      return { ...run, status: event.status, ready: event.ready ?? run.ready };
    case "run_paused":
      return {
        ...run,
        status: "paused",
        paused_by: event.reason,
        suspended: event.suspend === true,
        asked: event.asked ?? null,
        report_to: event.cycle ?? run.report_to,
      };
    case "run_resumed":
      return {
        ...run,
        status: "running",
        paused_by: null,
        suspended: false,
        asked: null,
        report_to: event.cycle ?? run.report_to,
        task: event.task ?? run.task,
        budget: event.budget ?? run.budget,
        ...(event.max_steps === null ? {} : { steps: 0, max_steps: event.max_steps }),
      };
    case "run_cancelled":
      return { ...run, status: "cancelled", lifecycle: withoutFinish(run.lifecycle) };
    case "run_failed":
      return { ...run, status: "failed", error: event.error, lifecycle: withoutFinish(run.lifecycle) };
  }
};

const evolveRun = (run: Run, event: Exclude<RunEvent, RunCreated>): Run => {
  switch (event.type) {
    case "checkpoint_taken":
      return run;
    case "stage_prepared":
      return stagePrepared(run, event);
    case "attempt_started":
      return attemptStarted(run, event);
    case "attempt_handed_over":
      // Whoever repeats the completion that led to it is no longer the one who works on it.
      return withOpen(run, event.stage_id, (unit) => ({
        ...unit,
        attempt_token: event.attempt_token,
        granted_by: null,
      }));
    case "attempt_ended":
      return attemptEnded(run, event);
    case "agent_step_recorded":
      return stepRecorded(run, event);
    case "stage_parked":
      return stageParked(run, event);
    case "call_answered":
      return callAnswered(run, event);
    case "branch_prepared":
      return branchPrepared(run, event);
    case "branch_settled":
      return branchSettled(run, event);
    case "stage_completed":
      return completed(run, event);
    case "stage_retired":
      return retired(run, event.stage_id);
    case "transitions_recorded":
      return transitioned(run, event);
    case "message_heard":
      return { ...run, heard: run.heard.add(event.stage_id, event.seq) };
    case "request_recorded":
      return requestRecorded(run, event);
    case "worker_update": {
      const { worker_id: id, seq } = event.update;
      return { ...run, worker_seqs: run.worker_seqs.set(id, seq) };
    }
    case "node_requeued":
      return { ...run, steps: run.steps + 1, ready: [...withoutFirst(run.ready, event.node_id), event.node_id] };
    case "run_finalized":
    case "run_paused":
    case "run_resumed":
    case "run_cancelled":
    case "run_failed":
      return statusChanged(run, event);
    case "session_opened":
    case "session_messages_added":
    case "session_reset":
    case "session_forked":
    case "session_trimmed":
    case "session_compacted":
    case "session_closed":
      return { ...run, sessions: evolveSessions(run.sessions, event) };
    default:
      return lifecycleAfter(run, event);
  }
};

/** Folds one event into a run; total. */
export const evolve = (state: RunState, event: RunEvent): RunState => {
  if (event.type === "run_created") return created(event);
  return state === null ? null : { ...evolveRun(state, event), updated_at: event.at };
};

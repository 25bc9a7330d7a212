import { AppendList } from "../../lib/append.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import { branchNodeId, joinBranches, valueInput, valueItems } from "../node/map.ts";
import type {
  AttemptEnded,
  AttemptStarted,
  BranchPrepared,
  BranchSettled,
  JournaledArtifact,
  StageCompleted,
  StagePrepared,
} from "./event.ts";
import { unixSeconds } from "../../lib/time.ts";
import { newLoop, withOwnSession } from "./evolve-agent.ts";
import { sessionsAfter } from "./evolve-sessions.ts";
import { openById, withOpen } from "./open.ts";
import {
  type BranchOf,
  type Completion,
  type MapPlan,
  type MapProgress,
  NO_USAGE,
  type PreparedStage,
  type Run,
  type SettledBranch,
} from "./state.ts";
import { addUsage } from "./usage.ts";

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

const NO_OPTIONS = {};

const mapItems = (run: Run, nodeId: string, plan: MapPlan): MapProgress["items"] => {
  const node = run.graph.nodes[nodeId];
  if (plan.item_ids === null) return node === undefined ? [] : (valueItems(node) ?? []);
  const wanted = new Set(plan.item_ids);
  const found = new Map<string, ArtifactRecord>();
  for (const artifact of run.artifacts.toArray()) if (wanted.has(artifact.id)) found.set(artifact.id, artifact);
  return plan.item_ids.flatMap((id) => found.get(id) ?? []);
};

const progressOf = (run: Run, event: StagePrepared): MapProgress | null =>
  event.work.type === "map" && event.holder === "nobody"
    ? { items: mapItems(run, event.node_id, event.work.map), started: 0, settled: AppendList.empty, usage: NO_USAGE }
    : null;

const NEVER_TRIED = { attempt_started_at: "", ended_attempts: [], lost_attempts: 0, retry_at_ms: null } as const;

/** The stage an event has opened. */
export const openedStage = (run: Run, event: StagePrepared): PreparedStage => ({
  ...NEVER_TRIED,
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
  deadline_ms: event.deadline_ms ?? null,
  branch_of: null,
  map: progressOf(run, event),
  loop: newLoop(run.sessions, event),
  settled: null,
});

const inputOf = (map: PreparedStage, event: BranchPrepared): ArtifactRecord => {
  const item = map.map?.items[event.index];
  const inputId = event.input_id;
  if (inputId === undefined) return item as ArtifactRecord;
  const plan = (map.work as { readonly map: MapPlan }).map;
  return valueInput({ node_id: map.node_id, index: event.index, value: item as never, lineage: [] }, plan.item_kind, {
    now: Date.parse(event.at),
    nextId: () => inputId,
  });
};

/** The run with a branch of one of its maps under way. */
export const branchPrepared = (run: Run, event: BranchPrepared): Run => {
  const map = openById(run, event.map_stage_id);
  if (map?.map == null) return run;
  const input = inputOf(map, event);
  const branch_of: BranchOf = { map_stage_id: event.map_stage_id, index: event.index, input };
  const unit: PreparedStage = {
    ...NEVER_TRIED,
    stage_id: event.stage_id,
    node_id: branchNodeId(map.node_id, event.index),
    kind: "stage",
    mode: event.mode,
    session_id: event.session_id ?? null,
    options: map.options,
    selected_artifact_ids: [input.id],
    work: event.work,
    started_at: event.at,
    attempt: event.holder === "nobody" ? 0 : 1,
    attempt_started_at: event.at,
    attempt_token: event.attempt_token,
    holder: event.holder,
    lease_ms: event.lease_ms,
    granted_by: event.granted_by,
    deadline_ms: null,
    branch_of,
    map: null,
    loop: newLoop(run.sessions, event),
    settled: null,
  };
  const progress = { ...map.map, started: map.map.started + 1 };
  const changed = withOpen(run, map.stage_id, (stage) => ({ ...stage, map: progress }));
  return { ...changed, sessions: withOwnSession(run.sessions, event), open: [...changed.open, unit] };
};

/** The run with a branch of one of its maps ended. */
export const branchSettled = (run: Run, event: BranchSettled): Run => {
  const unit = openById(run, event.stage_id);
  const map = openById(run, event.map_stage_id);
  if (unit === undefined || map?.map == null) return run;
  const stage = { result: event.result, node_id: unit.node_id, at: event.at };
  const artifacts = event.artifacts.map((artifact) => restoreArtifact(artifact, stage, unit));
  const settled: SettledBranch = {
    index: event.index,
    status: event.status,
    result: event.result,
    error: event.error,
    artifacts,
    attempts: unit.ended_attempts.length + 1,
  };
  const completion: Completion = {
    stage_id: unit.stage_id,
    node_id: unit.node_id,
    branch: event.branch,
    consumed_artifact_ids: unit.selected_artifact_ids,
    produced_artifact_ids: artifacts.map((artifact) => artifact.id),
    handed_in: event.handed_in ?? event.result,
  };
  const progress = {
    ...map.map,
    settled: map.map.settled.append([settled]),
    usage: addUsage(map.map.usage, event.usage),
  };
  const changed = withOpen(run, map.stage_id, (open) => ({ ...open, map: progress }));
  return {
    ...changed,
    open: changed.open.filter((open) => open.stage_id !== unit.stage_id),
    sessions: sessionsAfter(run.sessions, unit, event),
    completions: run.completions.add(unit.attempt_token, completion),
  };
};

/** Result and artifacts of a completed stage, with what its branches say put back (spec/workflow 6.6). */
export const outcomeOf = (
  event: StageCompleted,
  prepared: Pick<PreparedStage, "kind" | "selected_artifact_ids"> & Partial<Pick<PreparedStage, "map" | "work">>,
): Pick<StageCompleted, "result"> & { readonly artifacts: readonly ArtifactRecord[] } => {
  if (event.from_branches === true && prepared.map != null && prepared.work?.type === "map")
    return joinBranches(prepared.work.map, prepared.map.settled.toArray());
  return {
    result: event.result,
    artifacts: event.artifacts.map((artifact) => restoreArtifact(artifact, event, prepared)),
  };
};

/** The run with a new attempt of an open unit. */
export const attemptStarted = (run: Run, event: AttemptStarted): Run =>
  withOpen(run, event.stage_id, (unit) => ({
    ...unit,
    attempt: event.attempt,
    attempt_token: event.attempt_token,
    attempt_started_at: event.at,
    holder: event.holder,
    lease_ms: event.lease_ms,
    options: event.options ?? unit.options,
    retry_at_ms: null,
  }));

/** The run with the attempt of an open unit ended without completing it. */
export const attemptEnded = (run: Run, event: AttemptEnded): Run =>
  withOpen(run, event.stage_id, (unit) => ({
    ...unit,
    ended_attempts: [...unit.ended_attempts, event.record],
    lost_attempts: unit.lost_attempts + (event.reason === "lease_expired" ? 1 : 0),
    retry_at_ms: event.retry_at_ms,
  }));

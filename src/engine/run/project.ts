import { byCodePoint, type JsonObject } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type {
  RunCheckpointRecord,
  RunChildRecord,
  RunRecord,
  RunStageAttemptRecord,
  RunStageRecord,
  RunTransitionRecord,
  ToolCallRecord as RunToolCallRecord,
} from "../../schema/record.ts";
import type { ToolCallRecord } from "../../schema/agent-step.ts";
import { digestOf } from "../../lib/digest.ts";
import { childRunBehind, childRunOf } from "../observe/child-runs.ts";
import { delegateName } from "../worker/delegated.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";
import { artifactTitle } from "../artifact/render.ts";
import { replayFixture } from "../replay/fixture.ts";
import type { RunCreated, RunEvent, StageCompleted, TransitionsRecorded } from "./event.ts";
import { evolve } from "./evolve.ts";
import { outcomeOf } from "./evolve-open.ts";
import { openById } from "./open.ts";
import { type Completion, isTerminal, type PreparedStage, type Run, type RunState } from "./state.ts";
import { stageMetadata, stageInput } from "./stage-metadata.ts";
import { augmentArtifact } from "../node/stage-output.ts";
import { transcriptValue } from "./run-transcript.ts";
import { unitNode } from "./stage-node.ts";

/** Where a projection stops: after the newest event, after the newest checkpoint, or after a checkpoint's id. */
export type ProjectUntil = "now" | "last_checkpoint" | { readonly checkpoint_id: string };

/** Journal entries, as far as a projection needs them. */
export interface ProjectedEntry {
  readonly seq: number;
  readonly at_ms: Timestamp;
  readonly events: readonly RunEvent[];
}

/** What grows with a run: everything its record lists. */
interface Growing {
  readonly stages: RunStageRecord[];
  readonly transitions: RunTransitionRecord[];
  /** Made when they are shown: the completed nodes of all checkpoints together grow with the square of the run. */
  readonly checkpoints: (() => RunCheckpointRecord)[];
  readonly children: Map<string, RunChildRecord>;
  readonly shown: ArtifactRecord[];
  readonly titles: Map<string, string>;
  readonly tools: RunToolCallRecord[];
  /** Public events of workers, with the stages they belong to. */
  readonly updates: object[];
  finished_at: string | null;
}

/** The events up to where the projection stops; null when the checkpoint does not exist. */
const upTo = (entries: readonly ProjectedEntry[], until: ProjectUntil): readonly RunEvent[] | null => {
  const events = entries.flatMap((entry) => entry.events);
  if (until === "now") return events;
  const wanted = (event: RunEvent): boolean =>
    event.type === "checkpoint_taken" && (until === "last_checkpoint" || event.checkpoint_id === until.checkpoint_id);
  const last = events.findLastIndex(wanted);
  return last < 0 ? null : events.slice(0, last + 1);
};

/** How much of a long run a record may show. */
export interface RecordBounds {
  /** Newest stages, transitions, checkpoints and artifacts, each. */
  readonly items: number;
  /** Node ids in all checkpoints together. */
  readonly node_ids: number;
}

/** How many items the lists of a run have that its record does not show; null when it shows all. */
export type Omitted = Readonly<Record<"stages" | "transitions" | "checkpoints" | "artifacts", number>> | null;

interface Collected {
  readonly growing: Growing;
  readonly run: Run;
  readonly created: RunCreated;
}

const collect = (entries: readonly ProjectedEntry[], until: ProjectUntil): Collected | null => {
  const known = upTo(entries, until);
  // A run that its worker continued begins anew with the record it had.
  const events = known?.slice(known.findLastIndex((event) => event.type === "run_created"));
  const first = events?.[0];
  if (events === undefined || first?.type !== "run_created") return null;
  const base = first.resumed_from;
  const growing: Growing = {
    stages: [...(base?.stages ?? [])],
    transitions: [...(base?.transitions ?? [])],
    checkpoints: (base?.checkpoints ?? []).map((checkpoint) => () => checkpoint),
    children: new Map((base?.child_runs ?? []).map((child) => [child.worker_id, child])),
    shown: base !== null && base.artifacts.length > 0 ? [...base.artifacts] : [...first.artifacts],
    titles: new Map(),
    tools: [...(base?.tool_recordings ?? [])],
    updates: [],
    finished_at: base?.finished_at ?? null,
  };
  nameAll(growing, growing.shown);
  let state: RunState = null;
  for (const event of events) {
    const before: RunState = state;
    state = evolve(state, event);
    if (state !== null) show(growing, event, before, state);
  }
  return state === null ? null : { growing, run: state, created: first };
};

/**
 * The record of a run, from its journal (spec/workflow 1.16). `last_checkpoint` is what the original would have on
 * disk. Null when the run or the checkpoint does not exist.
 */
export const projectRun = (
  entries: readonly ProjectedEntry[],
  context: ArtifactContext,
  until: ProjectUntil = "now",
): RunRecord | null => {
  const collected = collect(entries, until);
  return collected === null ? null : record(collected, context);
};

/** The record of a run as {@link projectRun} gives it, with the newest items of its lists only, and what that leaves out. */
export const projectBounded = (
  entries: readonly ProjectedEntry[],
  context: ArtifactContext,
  until: ProjectUntil,
  bounds: RecordBounds,
): { readonly record: RunRecord; readonly omitted: Omitted } | null => {
  const collected = collect(entries, until);
  if (collected === null) return null;
  const { growing, run } = collected;
  const newestCheckpoints = Math.max(1, Math.floor(bounds.node_ids / Math.max(1, run.completed.size)));
  const kept: Growing = {
    ...growing,
    stages: growing.stages.slice(-bounds.items),
    transitions: growing.transitions.slice(-bounds.items),
    checkpoints: growing.checkpoints.slice(-Math.min(bounds.items, newestCheckpoints)),
    shown: growing.shown.slice(-bounds.items),
  };
  const omitted = {
    stages: growing.stages.length - kept.stages.length,
    transitions: growing.transitions.length - kept.transitions.length,
    checkpoints: growing.checkpoints.length - kept.checkpoints.length,
    artifacts: growing.shown.length - kept.shown.length,
  };
  const isWhole = Object.values(omitted).every((count) => count === 0);
  return { record: record({ ...collected, growing: kept }, context), omitted: isWhole ? null : omitted };
};

/** Items of one list of a run's record, from one position to before another, and whether more follow. */
export const projectPart = (
  entries: readonly ProjectedEntry[],
  part: "stages" | "transitions" | "checkpoints" | "artifacts" | "tool_recordings" | "worker_updates",
  range: { readonly from: number; readonly to: number },
): { readonly items: readonly object[]; readonly more: boolean } | null => {
  const collected = collect(entries, "now");
  if (collected === null) return null;
  const { growing } = collected;
  const lists: Readonly<Record<string, readonly object[]>> = {
    stages: growing.stages,
    transitions: growing.transitions,
    artifacts: growing.shown,
    tool_recordings: growing.tools,
    worker_updates: growing.updates,
  };
  const list = lists[part] ?? growing.checkpoints;
  const items = list
    .slice(range.from, range.to)
    .map((item) => (typeof item === "function" ? (item() as object) : item));
  return { items, more: range.to < list.length };
};

/** The workers that a run has started, as far as its stages tell (spec/workflow 1.16). */
export const projectChildren = (entries: readonly ProjectedEntry[]): readonly RunChildRecord[] => [
  ...(collect(entries, "now")?.growing.children.values() ?? []),
];

/** A tool call in the record (spec/workflow 1.16, ToolCallRecord). */
const toolRecording = (call: ToolCallRecord): RunToolCallRecord => ({
  tool_name: call.tool_name,
  tool_use_id: call.call_id,
  args_hash: digestOf([call.tool_name, call.arguments]).slice(0, 16),
  result: typeof call.result === "string" ? call.result : JSON.stringify(call.result),
  is_rejected: call.status === "rejected",
  duration_ms: call.duration_ms,
  iteration: call.iteration,
  timestamp: call.started_at,
});

/** A stage that enters the record with an event. */
interface FinishedStage {
  readonly event: StageCompleted;
  readonly prepared: PreparedStage;
}

const finishedStage = (before: Run, event: RunEvent): FinishedStage | null => {
  if (event.type !== "stage_completed" && event.type !== "stage_retired") return null;
  const prepared = openById(before, event.stage_id);
  if (prepared === undefined) return null;
  if (event.type === "stage_retired")
    return prepared.settled === null ? null : { event: prepared.settled.event, prepared };
  return event.deferred === true ? null : { event, prepared };
};

const show = (growing: Growing, event: RunEvent, before: RunState, run: Run): void => {
  const finished = before === null ? null : finishedStage(before, event);
  if (finished !== null && before !== null) {
    const stage = { ...stageRecord(before, finished, growing.titles), transcript: transcriptValue(run.transcript) };
    growing.stages.push(stage);
    nameAll(growing, stage.artifacts);
    growing.shown.push(...stage.artifacts);
    growing.tools.push(...(finished.event.tool_recordings ?? []));
    const child = childRunOf(finished.event.result["worker"], stage.id);
    if (child !== null) {
      growing.children.delete(child.worker_id);
      growing.children.set(child.worker_id, child);
    }
  } else if (event.type === "agent_step_recorded" || event.type === "call_answered") {
    if (event.tool_call !== undefined) growing.tools.push(toolRecording(event.tool_call));
  } else if (event.type === "transitions_recorded")
    growing.transitions.push(...transitionRecords(event, before?.untransitioned ?? null));
  else if (event.type === "checkpoint_taken")
    growing.checkpoints.push(() => ({
      id: event.checkpoint_id,
      ready_nodes: pendingNodes(run),
      completed_nodes: run.completed.keys().toSorted(byCodePoint),
      last_stage_id: event.last_stage_id,
      persisted_at: event.at,
      reason: event.reason,
    }));
  else if (event.type === "worker_update") {
    const child = childRunBehind(event.update, event.stage_id);
    if (child !== null) growing.children.set(child.worker_id, child);
    growing.updates.push({ stage_id: event.stage_id, ...event.update });
  } else if (ENDS.has(event.type)) growing.finished_at = event.at;
  else if (event.type === "run_resumed") growing.finished_at = null;
};

/** What is still to be done: stages that are open have left the queue and are not in the record yet, so they come first. */
const pendingNodes = ({ open, ready }: Run): readonly string[] => [
  ...open.filter((unit) => unit.branch_of === null).map((unit) => unit.node_id),
  ...ready,
];

const ENDS: ReadonlySet<RunEvent["type"]> = new Set(["run_finalized", "run_cancelled", "run_failed"]);

const transitionRecords = (event: TransitionsRecorded, last: Completion | null): readonly RunTransitionRecord[] =>
  event.edges.map((edge, index) => ({
    id: event.transition_ids[index] ?? "",
    from_stage_id: event.stage_id,
    from_node_id: event.from_node_id,
    to_node_id: edge.to,
    branch: edge.branch ?? null,
    timestamp: event.at,
    consumed_artifact_ids: (event.given ?? last)?.consumed_artifact_ids ?? [],
    produced_artifact_ids: (event.given ?? last)?.produced_artifact_ids ?? [],
  }));

/** The first key that is there decides, even when its value is no text (spec/workflow 4.6). */
const visibleText = (result: JsonObject): string | null => {
  const value = "visible_text" in result ? result["visible_text"] : result["text"];
  return typeof value === "string" ? value : null;
};

const attemptsOf = (prepared: PreparedStage, event: StageCompleted): readonly RunStageAttemptRecord[] =>
  event.attempts ?? [
    ...prepared.ended_attempts,
    {
      attempt: prepared.ended_attempts.length + 1,
      status: event.status,
      outcome: event.outcome,
      branch: event.branch,
      // A failed verdict is data; only a call that went wrong is an attempt's error (spec/workflow 4.6).
      error: event.branch === "error" ? event.error : null,
      verification: event.verification,
      started_at: prepared.attempt_started_at,
      finished_at: event.at,
    },
  ];

const nameAll = (growing: Growing, artifacts: readonly ArtifactRecord[]): void => {
  for (const artifact of artifacts) growing.titles.set(artifact.id, artifactTitle(artifact));
};

const stageRecord = (
  run: Run,
  { event, prepared }: FinishedStage,
  titles: ReadonlyMap<string, string>,
): Omit<RunStageRecord, "transcript"> => {
  const node = unitNode(run, prepared);
  const input = stageInput(run, node, prepared, titles);
  const { result, artifacts: restored } = outcomeOf(event, prepared);
  // Only a stage that was asked something has input to show in its output's data (spec/workflow 8.5).
  const artifacts =
    input === null
      ? restored
      : restored.map((artifact) => (artifact.data === event.result ? augmentArtifact(artifact, input) : artifact));
  const reasoning = result["private_reasoning"];
  return {
    id: event.stage_id,
    node_id: event.node_id,
    kind: prepared.kind,
    status: event.status,
    outcome: event.outcome,
    branch: event.branch,
    started_at: prepared.started_at,
    finished_at: event.at,
    visible_text: visibleText(result),
    private_reasoning: typeof reasoning === "string" ? reasoning : null,
    verification: event.verification,
    usage: event.usage,
    artifacts,
    consumed_artifact_ids: prepared.selected_artifact_ids,
    produced_artifact_ids: artifacts.map((artifact) => artifact.id),
    attempts: attemptsOf(prepared, event),
    metadata: stageMetadata({ run, node, prepared, event, input }),
  };
};

/** Workers that were ordered and of which nothing was heard yet. */
const silentChildren = (run: Run, known: ReadonlyMap<string, RunChildRecord>): readonly RunChildRecord[] => {
  if (isTerminal(run.status)) return [];
  return run.open.flatMap((unit) => {
    const { work, settled, stage_id, started_at } = unit;
    if (work.type !== "delegate" || settled !== null || known.has(work.worker_id)) return [];
    const name = delegateName(unitNode(run, unit), unit.node_id);
    const child = childRunOf({ id: work.worker_id, name, task: run.task, status: "running", started_at }, stage_id);
    return child === null ? [] : [child];
  });
};

const record = ({ growing, run, created }: Collected, context: ArtifactContext): RunRecord => {
  const base = created.resumed_from;
  const checkpoints = growing.checkpoints.map((make) => make());
  const finalized = checkpoints.at(-1)?.reason === "finalize";
  const identity = { id: run.run_id, workflow_id: run.workflow_id, workflow_name: run.graph.name, status: run.status };
  return {
    ...created.record,
    _type: "run_record",
    ...identity,
    task: run.task,
    started_at: base?.started_at || run.created_at,
    finished_at: growing.finished_at,
    stages: growing.stages,
    transitions: growing.transitions,
    checkpoints,
    pending_nodes: checkpoints.at(-1)?.ready_nodes ?? run.ready,
    completed_nodes: checkpoints.at(-1)?.completed_nodes ?? [],
    child_runs: [...growing.children.values(), ...silentChildren(run, growing.children)],
    artifacts: growing.shown,
    handoffs: base?.handoffs ?? [],
    transcript: transcriptValue(run.transcript),
    usage: finalized ? run.usage : (base?.usage ?? null),
    replay_fixture: finalized
      ? replayFixture({ ...identity, stages: growing.stages }, context)
      : (base?.replay_fixture ?? null),
    observability: null,
    trace_spans: base?.trace_spans ?? [],
    tool_recordings: growing.tools,
    hitl_questions: base?.hitl_questions ?? [],
    persona_runtime: base?.persona_runtime ?? [],
    metadata: {
      ...created.record.metadata,
      ...(run.error === null ? {} : { error: run.error }),
      ...(run.lifecycle.returned === null ? {} : { return_value: run.lifecycle.returned.value }),
    },
  };
};

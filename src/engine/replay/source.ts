import type { Json, JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowGraph } from "../../schema/graph.ts";
import type { RunStageRecord, ToolCallRecord } from "../../schema/record.ts";
import { type ProjectedEntry, projectPart } from "../run/project.ts";
import type { RunEvent } from "../run/event.ts";
import { evolve } from "../run/evolve.ts";
import type { Run, RunState, RunStatus } from "../run/state.ts";
import type { ContractAssets } from "../verification/contracts.ts";
import type { RecordedPage } from "./next-stage.ts";
import { toolOwners, toolsByOwner } from "./tool-owners.ts";

/** What a replay is made of, beside the recorded stages. */
export interface ReplaySource {
  readonly run_id: string;
  readonly root_run_id: string | null;
  readonly status: RunStatus;
  readonly graph: WorkflowGraph;
  readonly task: string;
  readonly options: JsonObject;
  readonly assets: ContractAssets;
  readonly trigger_event: Json;
  readonly transcript: Json;
  readonly artifacts: readonly ArtifactRecord[];
  /** Steps the replay may take: enough for all that is recorded, and no more where the run had used its own up. */
  readonly max_steps: number;
  /** The same for a replay that follows the recorded queue: it waits for no join, and ends where the run was paused. */
  readonly exact_steps: number;
}

/** Stages in one page of a recording, at most. */
const PAGE_STAGES = 1_000;

/** Characters of a page's JSON above which it takes no further stage. */
const PAGE_CHARACTERS = 8_000_000;

/** What a run was started with, for its replay; null for a journal without a run. */
export const replaySource = (entries: readonly ProjectedEntry[], run: Run): ReplaySource | null => {
  const created = entries[0]?.events[0];
  if (created?.type !== "run_created") return null;
  const base = created.resumed_from;
  const produced = new Set(base?.stages.flatMap((stage) => stage.produced_artifact_ids));
  let steps = base?.stages.length ?? 0;
  let requeued = 0;
  for (const entry of entries)
    for (const { type } of entry.events) {
      if (type !== "stage_prepared" && type !== "node_requeued") continue;
      steps += 1;
      // Those at the very end of the run are waited for again.
      requeued = type === "stage_prepared" ? 0 : requeued + 1;
    }
  const isUsedUp = run.status === "paused" && run.steps >= run.max_steps;
  return {
    run_id: run.run_id,
    root_run_id: created.record.root_run_id,
    status: run.status,
    graph: run.graph,
    task: run.task,
    options: run.options,
    assets: run.assets,
    trigger_event: run.trigger_event,
    transcript: base === null ? created.transcript : null,
    artifacts: base === null ? created.artifacts : base.artifacts.filter(({ id }) => !produced.has(id)),
    max_steps: isUsedUp ? Math.max(steps, 1) : Math.max(run.max_steps, steps),
    exact_steps: run.status === "paused" ? Math.max(run.stage_count + requeued, 1) : Math.max(run.max_steps, steps),
  };
};

interface Queue {
  readonly ready: readonly string[];
  /** The stages that were open beside it. */
  readonly open: ReadonlySet<string>;
}

/** What was to be executed after each recorded stage. The next of them was, though it may have been open already. */
const queuesOf = (
  events: readonly RunEvent[],
  recorded: readonly RunStageRecord[],
  count: number,
): NonNullable<RecordedPage["queues"]> => {
  const queues = new Map<string | null, Queue>();
  let state: RunState = null;
  for (const event of events) {
    if (event.type === "run_created")
      for (const { last_stage_id: id, ready_nodes: ready } of event.resumed_from?.checkpoints ?? [])
        queues.set(id, { ready, open: new Set() });
    state = evolve(state, event);
    if (event.type === "checkpoint_taken" && state !== null)
      queues.set(event.last_stage_id, { ready: state.ready, open: new Set(state.open.map((unit) => unit.stage_id)) });
  }
  return recorded.slice(0, count).map(({ id }, index) => {
    const queue = queues.get(id);
    const next = recorded[index + 1];
    if (queue === undefined) return null;
    const { ready, open } = queue;
    return next === undefined || (ready.includes(next.node_id) && !open.has(next.id))
      ? ready
      : [next.node_id, ...ready];
  });
};

/** The tool calls of some stages of a run by stage id; null for none. */
const toolsOf = (
  entries: readonly ProjectedEntry[],
  events: readonly RunEvent[],
  { from, stages }: Pick<RecordedPage, "from" | "stages">,
): NonNullable<RecordedPage["tools"]> | null => {
  const owners = toolOwners(events);
  const [created] = events;
  const earlier = created?.type === "run_created" ? (created.resumed_from?.tool_recordings.length ?? 0) : 0;
  if (owners.length + earlier === 0) return null;
  const all = { from: 0, to: Number.POSITIVE_INFINITY };
  const calls = (projectPart(entries, "tool_recordings", all)?.items ?? []) as readonly ToolCallRecord[];
  const byStage = toolsByOwner(calls, owners);
  const found: Record<string, readonly ToolCallRecord[]> = {};
  for (const [index, { id }] of stages.entries()) {
    // What came with a record that the run continues is nobody's: it goes with the first stage.
    const own = [...(from + index === 0 ? (byStage.get(null) ?? []) : []), ...(byStage.get(id) ?? [])];
    if (own.length > 0) found[id] = own;
  }
  return found;
};

/** A page of the recorded stages of a run, from a position on: as many as one call may carry. */
export const recordedPage = (entries: readonly ProjectedEntry[], run: Run, from: number): RecordedPage => {
  const part = projectPart(entries, "stages", { from, to: from + PAGE_STAGES + 1 });
  const stages: RunStageRecord[] = [];
  const recorded = (part?.items ?? []) as readonly RunStageRecord[];
  let characters = 0;
  for (const stage of recorded) {
    if (stages.length === PAGE_STAGES) break;
    characters += JSON.stringify(stage).length;
    if (stages.length > 0 && characters > PAGE_CHARACTERS) break;
    stages.push(stage);
  }
  const events = entries.flatMap((entry) => entry.events);
  const tools = toolsOf(entries, events, { from, stages });
  const queues = queuesOf(events, recorded, stages.length);
  return {
    from,
    stages,
    total: stages.length === 0 ? from : run.stage_count,
    queues,
    ...(tools === null ? {} : { tools }),
  };
};

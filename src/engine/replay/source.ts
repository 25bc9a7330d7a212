import type { Json, JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowGraph } from "../../schema/graph.ts";
import { type ProjectedEntry, projectPart } from "../run/project.ts";
import type { Run, RunStatus } from "../run/state.ts";
import type { ContractAssets } from "../verification/contracts.ts";
import type { RecordedPage, RecordedStage } from "./next-stage.ts";

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
  for (const entry of entries)
    for (const { type } of entry.events) if (type === "stage_prepared" || type === "node_requeued") steps += 1;
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
  };
};

/** By stage, the nodes that were open beside it when its transitions were recorded; none for a stage that was alone. */
const openBeside = (entries: readonly ProjectedEntry[]): ReadonlyMap<string, readonly string[]> => {
  const open = new Map<string, string>();
  const beside = new Map<string, readonly string[]>();
  for (const { events } of entries)
    for (const event of events) {
      if (event.type === "stage_prepared") {
        open.set(event.stage_id, event.node_id);
        // A replay opens one stage at a time, and is replayed as the run it was made from.
        if (event.work.type === "precomputed" && event.work.executed.beside !== undefined)
          beside.set(event.stage_id, event.work.executed.beside);
      } else if (event.type === "stage_retired" || (event.type === "stage_completed" && event.deferred !== true))
        open.delete(event.stage_id);
      else if (event.type === "transitions_recorded" && open.size > 0) beside.set(event.stage_id, [...open.values()]);
    }
  return beside;
};

/** A page of the recorded stages of a run, from a position on: as many as one call may carry. */
export const recordedPage = (entries: readonly ProjectedEntry[], run: Run, from: number): RecordedPage => {
  const part = projectPart(entries, "stages", { from, to: from + PAGE_STAGES });
  const besides = openBeside(entries);
  const stages: RecordedStage[] = [];
  let characters = 0;
  for (const recorded of (part?.items ?? []) as readonly RecordedStage[]) {
    const beside = besides.get(recorded.id);
    const stage = beside === undefined ? recorded : { ...recorded, beside };
    characters += JSON.stringify(stage).length;
    if (stages.length > 0 && characters > PAGE_CHARACTERS) break;
    stages.push(stage);
  }
  return { from, stages, total: stages.length === 0 ? from : run.stage_count };
};

import type { Json, JsonObject } from "../../lib/json.ts";
import type { WorkflowGraph } from "../../schema/graph.ts";
import type { RunRecord } from "../../schema/record.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";
import { type ProjectedEntry, projectBounded, projectPart } from "../run/project.ts";
import { openStages, pendingNodes } from "../run/open.ts";
import { type SessionSeed, sessionSeeds } from "../transcript/session-seed.ts";
import type { ContractAssets } from "../verification/contracts.ts";
import { evolve } from "../run/evolve.ts";
import type { DriveMode, Run, RunState, RunStatus } from "../run/state.ts";
import { type EffectfulStage, effectfulStages } from "./effects.ts";

/** A run as it stood at one of its checkpoints, with all that another run needs to go on from there. */
export interface ForkSource {
  readonly run_id: string;
  readonly checkpoint_id: string;
  /** What the run is now. */
  readonly status: RunStatus;
  readonly drive: DriveMode;
  readonly graph: WorkflowGraph;
  readonly options: JsonObject;
  readonly assets: ContractAssets;
  /** The conversations that stages share, as they stood. */
  readonly sessions: readonly SessionSeed[];
  readonly trigger_event: Json;
  readonly max_steps: number;
  readonly steps: number;
  /** The record at the checkpoint; its artifacts are those that stages work on. */
  readonly record: RunRecord;
  /** What was open or ready before the last stage's transitions were recorded. */
  readonly ready_before: readonly string[];
  /** Every execution of the whole run that may have changed something outside. */
  readonly effects: readonly EffectfulStage[];
}

/** Why a run cannot be forked at a checkpoint. */
export type NoForkSource = "checkpoint_not_found" | "too_large";

/** Most items in each list of a record that a fork starts from. */
const MAX_ITEMS = 20_000;

const BOUNDS = { items: MAX_ITEMS, node_ids: 200_000 } as const;

/** Most bytes of what a fork starts from: it travels in one call, which may carry 32 MiB, and is kept by the fork. */
const MAX_BYTES = 26_000_000;

/** What a stage's metadata repeats from its node. */
const OF_NODE = new Set([
  "model_policy",
  "auto_compact",
  "context_policy",
  "retry_policy",
  "effective_capability_policy",
  "input_contract",
  "output_contract",
]);

const isOwn = ([key]: readonly [string, unknown]): boolean => !OF_NODE.has(key);

/** The record without what its stages repeat from their nodes; the other run's record has it. */
const lean = (record: RunRecord): RunRecord => ({
  ...record,
  stages: record.stages.map((stage) => ({
    ...stage,
    metadata: Object.fromEntries(Object.entries(stage.metadata).filter(isOwn)),
  })),
});

/** A text with a character beyond Latin-1 takes two bytes for each of its characters on the way. */
const fits = (source: ForkSource): boolean => {
  const text = JSON.stringify(source);
  return text.length * (/[\u0100-\uffff]/.test(text) ? 2 : 1) <= MAX_BYTES;
};

interface AtCheckpoint {
  readonly run: Run;
  readonly ready_before: readonly string[];
}

/** The run when it took a checkpoint; null when it took no such checkpoint itself. */
const stateAt = (entries: readonly ProjectedEntry[], checkpointId: string): AtCheckpoint | null => {
  let state: RunState = null;
  let readyBefore: readonly string[] = [];
  for (const entry of entries)
    for (const event of entry.events) {
      if (event.type === "transitions_recorded" && state !== null) readyBefore = pendingNodes(state);
      state = evolve(state, event);
      if (event.type === "checkpoint_taken" && event.checkpoint_id === checkpointId && state !== null)
        return { run: state, ready_before: readyBefore };
    }
  return null;
};

/** What a fork at a checkpoint starts from (architecture 1: fork is a function over the journal). */
export const forkSource = (
  entries: readonly ProjectedEntry[],
  checkpointId: string,
  context: ArtifactContext,
): ForkSource | NoForkSource => {
  const at = stateAt(entries, checkpointId);
  const projected = projectBounded(entries, context, { checkpoint_id: checkpointId }, BOUNDS);
  const whole = projectPart(entries, "stages", { from: 0, to: MAX_ITEMS });
  const now = projectBounded(entries, context, "now", { items: 1, node_ids: 1 });
  if (at === null || projected === null || whole === null || now === null) return "checkpoint_not_found";
  const { omitted } = projected;
  if (omitted !== null && omitted.stages + omitted.artifacts + omitted.transitions > 0) return "too_large";
  const { run } = at;
  const source: ForkSource = {
    run_id: run.run_id,
    checkpoint_id: checkpointId,
    status: now.record.status as RunStatus,
    drive: run.drive,
    graph: run.graph,
    options: run.options,
    assets: run.assets,
    sessions: sessionSeeds(run.sessions),
    trigger_event: run.trigger_event,
    max_steps: run.max_steps,
    // The fork executes open stages from their beginning and counts them then.
    steps: run.steps - openStages(run),
    record: { ...projected.record, artifacts: run.artifacts.toArray(), pending_nodes: pendingNodes(run) },
    ready_before: at.ready_before,
    effects: effectfulStages(run.graph, whole.items as RunRecord["stages"]),
  };
  if (fits(source)) return source;
  const leaner = { ...source, record: lean(source.record) };
  return fits(leaner) ? leaner : "too_large";
};

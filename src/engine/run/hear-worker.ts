import { byteLength, type JsonObject } from "../../lib/json.ts";
import type { PlacedUpdate } from "../worker/updates.ts";
import type { WorkerNews } from "./command.ts";
import type { Draft } from "./draft.ts";

/** A public event is kept whole up to this size; the worker itself shows the rest of a larger one. */
const MAX_BYTES = 8_192;

const EXCERPT = 1_000;

const KEPT = [
  "created_at",
  "started_at",
  "finished_at",
  "awaiting_started_at",
  "artifact_count",
  "has_transcript",
  "parent_worker_id",
  "parent_stage_id",
  "child_run_id",
  "child_run_path",
  "snapshot_path",
] as const;

const shortened = (metadata: JsonObject, task: string): JsonObject => {
  const { error } = metadata;
  return {
    task,
    ...Object.fromEntries(KEPT.map((key) => [key, metadata[key] ?? null])),
    error: typeof error === "string" ? error.slice(0, EXCERPT) : null,
    truncated: true,
  };
};

const bounded = (update: PlacedUpdate): PlacedUpdate => {
  if (byteLength(JSON.stringify(update)) <= MAX_BYTES) return update;
  const task = update.worker_task.slice(0, EXCERPT);
  const name = update.worker_name.slice(0, EXCERPT);
  return { ...update, worker_name: name, worker_task: task, metadata: shortened(update.metadata, task), audit: null };
};

/**
 * Takes over what is new of a worker, each of its public events once (spec/workers 13.2). A run that is over takes it too:
 * how its workers ended belongs to it.
 */
export const hearWorker = (draft: Draft, { stage_id, updates }: WorkerNews): void => {
  for (const update of updates)
    if (update.seq > (draft.run.worker_seqs.get(update.worker_id) ?? 0))
      draft.emit({ type: "worker_update", stage_id, update: bounded(update) });
};

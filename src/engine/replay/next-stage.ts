import type { JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { RunStageRecord } from "../../schema/record.ts";
import type { RunOptions } from "../run/command.ts";
import type { ExecutedStage } from "../run/state.ts";

/** The recording that a deterministic replay follows, stage by stage (spec/workflow 12.5). */
export interface RunReplay {
  /** The run whose stages are handed in page by page; null when they came with the run. */
  readonly source: string | null;
  /** The recorded stages that came with the run; null when none did. */
  readonly stages: readonly RunStageRecord[] | null;
  /** How many recorded stages were taken. */
  readonly position: number;
  /** Nodes that were open beside the stage taken last when it led on. */
  readonly beside?: readonly string[];
}

/** A recorded stage, and the nodes that were open beside it when it led on: another arrival there queues them once more. */
export type RecordedStage = RunStageRecord & { readonly beside?: readonly string[] };

/** Recorded stages from a position on, and how many there are in all. */
export interface RecordedPage {
  readonly from: number;
  readonly stages: readonly RecordedStage[];
  readonly total: number;
}

/** What a replay needs to go on: recorded stages of a run, from a position on. */
export interface Recording {
  readonly run_id: string;
  readonly from: number;
}

/** A recorded stage as it is executed again: nothing is called. */
export interface RecordedWork {
  readonly executed: ExecutedStage;
  readonly selected_artifact_ids: readonly string[];
}

/** The recording of a new run's options; only `deterministic` makes a run follow one (spec/workflow 4.2). */
export const replayOf = (options: RunOptions): { readonly replay?: RunReplay } => {
  if (options.replay_mode !== "deterministic") return {};
  const { replay_run: run, replay_source: source = null } = options;
  return { replay: { source, stages: run?.stages ?? null, position: 0 } };
};

const isComplete = (page: RecordedPage | undefined, position: number): boolean =>
  page !== undefined && page.from <= position && (position < page.from + page.stages.length || position >= page.total);

/** The page of the recording to be handed in before the replay can go on; null when it can. */
export const recordingWanted = (replay: RunReplay | null, page?: RecordedPage): Recording | null =>
  replay === null || replay.source === null || isComplete(page, replay.position)
    ? null
    : { run_id: replay.source, from: replay.position };

const nextOf = (replay: RunReplay, page?: RecordedPage): RecordedStage | undefined =>
  replay.source === null
    ? replay.stages?.[replay.position]
    : page === undefined || page.from > replay.position
      ? undefined
      : page.stages[replay.position - page.from];

/**
 * The ready node a replay opens next: the recorded one where it is ready, else the head of the queue. Stages that ran side
 * by side are recorded in the order in which they ended.
 */
export const replayOrder = (
  run: { readonly replay: RunReplay | null; readonly ready: readonly string[] },
  head: string,
  page?: RecordedPage,
): string => {
  const next = run.replay === null ? undefined : nextOf(run.replay, page)?.node_id;
  return next !== undefined && run.ready.includes(next) ? next : head;
};

const INPUT_KEYS = [
  "prompt",
  "system_prompt",
  "rendered_context",
  "verification_contracts",
  "rendered_verification_context",
  "selected_artifact_ids",
  "selected_artifact_titles",
  "http",
  "function",
] as const;

/** What else of a stage's metadata comes from its result. */
const RESULT_KEYS = ["worker", "tools", "provider", "model", "error_category", "status_code"] as const;

const present = (source: JsonObject, keys: readonly string[]): JsonObject => {
  const found: Record<string, JsonObject[string]> = {};
  for (const key of keys) if (source[key] !== undefined) found[key] = source[key];
  return found;
};

/** How a stage had been asked, as far as its replayed result says so (spec/workflow 4.6). */
export const recordedInput = (result: JsonObject): JsonObject => present(result, INPUT_KEYS);

const errorOf = (stage: RunStageRecord): string | null => {
  const error = stage.metadata["error"];
  return typeof error === "string" ? error : null;
};

const executedOf = (stage: RecordedStage): ExecutedStage => ({
  status: stage.status === "failed" ? "failed" : "completed",
  outcome: stage.outcome,
  branch: stage.branch,
  result: {
    status: stage.status,
    visible_text: stage.visible_text,
    private_reasoning: stage.private_reasoning,
    ...present(stage.metadata, [...RESULT_KEYS, ...INPUT_KEYS]),
  },
  artifacts: stage.artifacts,
  transcript: stage.transcript,
  verification: stage.verification,
  usage: stage.usage,
  error: errorOf(stage),
  ...(stage.attempts.length === 0 ? {} : { attempts: stage.attempts }),
  ...(stage.beside === undefined ? {} : { beside: stage.beside }),
});

/**
 * The recorded stage that stands for the next execution, which must be of this node (spec/workflow 12.5). The recording is
 * a queue: neither task nor inputs are compared.
 */
export const nextRecordedStage = (
  replay: RunReplay,
  nodeId: string,
  page?: RecordedPage,
): Result<RecordedWork, string> => {
  if (replay.source === null && replay.stages === null) return err("replay_mode requires replay_run or replay_path");
  const stage = nextOf(replay, page);
  if (stage === undefined) return err(`workflow replay exhausted before node ${nodeId}`);
  if (stage.node_id !== nodeId)
    return err(`workflow replay mismatch: expected node ${nodeId}, next replay stage is ${stage.node_id}`);
  return ok({ executed: executedOf(stage), selected_artifact_ids: stage.consumed_artifact_ids });
};

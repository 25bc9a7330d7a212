import type { JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { RunStageRecord, ToolCallRecord } from "../../schema/record.ts";
import type { RunOptions } from "../run/command.ts";
import type { ExecutedStage } from "../run/state.ts";
import { ASKED_KEYS } from "./neutral.ts";

/** The recording that a deterministic replay follows, stage by stage (spec/workflow 12.5). */
export interface RunReplay {
  /** The run whose stages are handed in page by page; null when they came with the run. */
  readonly source: string | null;
  /** The recorded stages that came with the run; null when none did. */
  readonly stages: readonly RunStageRecord[] | null;
  /** How many recorded stages were taken. */
  readonly position: number;
  /** Of the same graph: its queue is that of the recording, whatever was open side by side there. */
  readonly exact?: true;
}

/** Recorded stages from a position on, and how many there are in all. */
export interface RecordedPage {
  readonly from: number;
  readonly stages: readonly RunStageRecord[];
  readonly total: number;
  /** What was to be executed after each of these stages; null where nobody knows. */
  readonly queues?: readonly (readonly string[] | null)[];
  /** The tool calls of these stages, by stage id; absent for none. */
  readonly tools?: Readonly<Record<string, readonly ToolCallRecord[]>>;
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
  const { replay_run: run, replay_source: source = null, replay_exact: exact } = options;
  return { replay: { source, stages: run?.stages ?? null, position: 0, ...(exact === true ? { exact } : {}) } };
};

const isComplete = (page: RecordedPage | undefined, position: number): boolean =>
  page !== undefined && page.from <= position && (position < page.from + page.stages.length || position >= page.total);

/** The page of the recording to be handed in before the replay can go on; null when it can. */
export const recordingWanted = (replay: RunReplay | null, page?: RecordedPage): Recording | null =>
  replay === null || replay.source === null || isComplete(page, replay.position)
    ? null
    : { run_id: replay.source, from: replay.position };

/** The page to be handed in before an exact replay can follow the edges of the stage it took last; null when it can. */
export const queueWanted = (replay: RunReplay | null, page?: RecordedPage): Recording | null => {
  if (replay === null || replay.source === null || replay.exact !== true || replay.position === 0) return null;
  const from = replay.position - 1;
  return isComplete(page, from) ? null : { run_id: replay.source, from };
};

/** The queue after the stage that an exact replay took last; undefined where it follows from the edges. */
export const recordedQueue = (replay: RunReplay | null, page?: RecordedPage): readonly string[] | undefined =>
  replay?.exact === true && page !== undefined
    ? (page.queues?.[replay.position - 1 - page.from] ?? undefined)
    : undefined;

const nextOf = (replay: RunReplay, page?: RecordedPage): RunStageRecord | undefined =>
  replay.source === null
    ? replay.stages?.[replay.position]
    : page === undefined || page.from > replay.position
      ? undefined
      : page.stages[replay.position - page.from];

/** True when a replay follows its recording's queue: a join was waited for there as often as it had to be. */
export const isRecordedNext = (
  run: { readonly replay: RunReplay | null },
  nodeId: string,
  page?: RecordedPage,
): boolean => run.replay?.exact === true && nextOf(run.replay, page)?.node_id === nodeId;

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

const INPUT_KEYS = [...ASKED_KEYS, "http", "function"] as const;

/** What else of a stage's metadata comes from its result. */
const RESULT_KEYS = ["worker", "tools", "provider", "model", "error_category", "status_code", "map"] as const;

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

const executedOf = (stage: RunStageRecord): ExecutedStage => ({
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
  const tools = page?.tools?.[stage.id];
  const executed = { ...executedOf(stage), ...(tools === undefined ? {} : { tool_recordings: tools }) };
  return ok({ executed, selected_artifact_ids: stage.consumed_artifact_ids });
};

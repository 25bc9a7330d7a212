import { byteLength, isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { RunRecord, RunStageRecord } from "../../schema/record.ts";
import type { CycleResult, WorkerCommand } from "./command.ts";
import { subAgentEnvelope } from "./envelope.ts";
import { executionRecord, planExecution } from "./plan-execution.ts";
import type { Worker, WorkerState } from "./state.ts";

/** What the run of a cycle tells of itself when it has ended. */
export interface CycleFacts {
  readonly status: "completed" | "failed" | "cancelled" | "paused";
  readonly error: string | null;
  readonly record: RunRecord;
  /** What the last stage was completed with; null where none was. */
  readonly result: JsonObject | null;
  /** What was said in the run of one node, for a stage that ended without a transcript; null for nothing. */
  readonly conversation: Json;
}

/** A payload larger than this holds the header of its run in place of the record: the run itself shows that. */
const MAX_PAYLOAD_BYTES = 1_048_576;

const LISTS = ["stages", "transitions", "checkpoints", "artifacts", "tool_recordings", "trace_spans"] as const;

/** The record of a run without what grows with it. */
const headerOf = (record: RunRecord): RunRecord => ({
  ...record,
  ...Object.fromEntries(LISTS.map((key) => [key, []])),
  transcript: null,
  replay_fixture: null,
  observability: null,
});

const workflowPayload = ({ status, record }: CycleFacts): JsonObject => {
  const payload = (run: RunRecord): JsonObject =>
    ({
      status,
      run,
      artifacts: record.artifacts,
      transcript: record.transcript ?? null,
      path: record.persisted_path,
    }) as unknown as JsonObject;
  const whole = payload(record);
  return byteLength(JSON.stringify(whole)) <= MAX_PAYLOAD_BYTES ? whole : payload(headerOf(record));
};

/** What a stage came to: what it was completed with, or what it made where nobody handed anything in, as when people answered. */
const stageResult = (stage: RunStageRecord, result: JsonObject | null): JsonObject => {
  if (result !== null && Object.keys(result).length > 0) return result;
  const made = stage.artifacts.at(-1)?.data;
  return made !== undefined && isObject(made) ? made : {};
};

const stagePayload = (worker: Worker, stage: RunStageRecord, result: JsonObject | null): JsonObject => ({
  status: "completed",
  mode: "stage",
  task: worker.task,
  result: stageResult(stage, result),
  artifacts: stage.artifacts as unknown as readonly JsonObject[],
  transcript: stage.transcript ?? null,
  execution: executionRecord(worker.execution) as unknown as JsonObject,
});

const failedWith = (error: string, cancelled = false): CycleResult => ({ ok: false, cancelled, error });

const lastStage = ({ record }: CycleFacts): RunStageRecord | undefined => record.stages.at(-1);

/** Why the one stage of a run failed; null where it did not. */
const stageError = (facts: CycleFacts): string | null => {
  const stage = lastStage(facts);
  if (stage === undefined) return facts.error ?? "the worker's run ended without a stage";
  if (stage.branch !== "error") return null;
  return stage.attempts.at(-1)?.error ?? "workflow stage call failed";
};

/** What the end of its run makes of a worker's cycle (spec/workers 10.3 to 10.5, 9.9), and what it cost. */
export const cycleResult = (worker: Worker, facts: CycleFacts): CycleResult => {
  const { usage } = facts.record;
  const result = resultOf(worker, facts);
  return usage == null || usage.call_count === 0 ? result : { ...result, usage };
};

const resultOf = (worker: Worker, facts: CycleFacts): CycleResult => {
  const { status, error } = facts;
  const planned = planExecution(worker.execution, worker.id);
  const execution = planned.ok && worker.execution.worktree !== null ? planned.value.profile : null;
  if (status === "cancelled") return failedWith(error ?? "the worker's run was cancelled", true);
  const { config } = worker;
  if (config.mode === "workflow") {
    if (status === "failed") return failedWith(error ?? "the worker's run failed");
    const transcript: Json = facts.record.transcript ?? null;
    return { ok: true, payload: workflowPayload(facts), transcript, artifacts: facts.record.artifacts, execution };
  }
  const stage = lastStage(facts);
  const failure = status === "failed" ? (error ?? "the worker's run failed") : stageError(facts);
  if (config.mode === "sub_agent") {
    const transcript: Json = stage?.transcript ?? facts.conversation;
    const payload = subAgentEnvelope(config.spec, {
      result: failure === null ? facts.result : null,
      error: failure,
      transcript,
    });
    return { ok: true, payload, transcript, artifacts: [], execution: null };
  }
  if (failure !== null || stage === undefined)
    return failedWith(failure ?? "the worker's run has no stage", facts.result?.["error_category"] === "cancelled");
  return {
    ok: true,
    payload: stagePayload(worker, stage, facts.result),
    transcript: stage.transcript ?? null,
    artifacts: stage.artifacts,
    execution,
  };
};

/** How a worker is told that the run of a cycle has ended; one that is not there says so. */
export const cycleEnd = (worker: WorkerState, cycle: number, facts: CycleFacts): WorkerCommand =>
  worker === null ? { type: "wake" } : { type: "cycle_ended", cycle, result: cycleResult(worker, facts) };

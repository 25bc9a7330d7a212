import type { Json } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import { handoffItem, type HandoffItem, type InFlightCall } from "../finish/snapshot.ts";
import { sessionIn } from "../transcript/session.ts";
import { commandQueue, jobIdOf } from "../verification/command-job.ts";
import { unitNode } from "./stage-node.ts";
import { isTerminal, type PreparedStage, type Run, type RunStatus } from "./state.ts";
import { isExecutable } from "./unit.ts";
import type { LeaseOf } from "./wake.ts";

/** A job of a work queue that a stage of the run waits for. */
export interface StageJob {
  readonly queue: string;
  readonly job_id: string;
}

/** What a run itself knows of what it has left unsettled; the rest is asked of others (spec/workers 31). */
export interface RunUnsettled {
  readonly run_id: string;
  readonly workflow_id: string;
  readonly status: RunStatus;
  readonly as_of_ms: Timestamp;
  readonly disposition: Json;
  readonly partial_handoffs: readonly HandoffItem[];
  readonly in_flight_llm_calls: readonly InFlightCall[];
  readonly jobs: readonly StageJob[];
  /** Workers that the run has started. */
  readonly worker_ids: readonly string[];
}

const textOf = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);

/** The role of the last message of the conversation that the call is about (spec/workers 21.4). */
const roleOf = (run: Run, unit: PreparedStage): string => {
  const messages = sessionIn(run.sessions, unit.session_id)?.messages.toArray() ?? [];
  return textOf(messages.at(-1)?.["role"]) ?? "user";
};

/** Calls of models that are under way: each belongs to an attempt that somebody holds (spec/workers 21.4, 31). */
const inFlightCalls = (run: Run, lease: LeaseOf, now: Timestamp): readonly InFlightCall[] =>
  run.open.flatMap((unit) => {
    if (unit.work.type !== "model" || !isExecutable(unit) || unit.retry_at_ms !== null) return [];
    const stale = lease(unit) <= now;
    // Nobody will go on with what the end of its run has cut off.
    if (stale && isTerminal(run.status)) return [];
    const started_at_ms = Date.parse(unit.attempt_started_at);
    const call: InFlightCall = {
      call_id: `llm_call_${unit.stage_id}#${unit.attempt}`,
      model: textOf(unitNode(run, unit).model_policy.model),
      role: roleOf(run, unit),
      started_at_ms,
      age_ms: Math.max(0, now - started_at_ms),
      stage_id: unit.stage_id,
      node_id: unit.node_id,
      stale,
    };
    return [call];
  });

/** Jobs that stages wait for; those of a run that was cancelled may still lie in their queues. */
const stageJobs = (run: Run): readonly StageJob[] =>
  run.open.flatMap((unit) => {
    if (unit.work.type !== "command" || unit.holder !== "nobody" || unit.settled !== null) return [];
    const queue = commandQueue(unitNode(run, unit).verify as Json, run.options);
    return queue === null ? [] : [{ queue, job_id: jobIdOf(unit) }];
  });

/** What a run has left unsettled, as far as it knows itself (spec/workers 21.3). */
export const runUnsettled = (
  run: Run,
  workerIds: readonly string[],
  { lease, now }: { readonly lease: LeaseOf; readonly now: Timestamp },
): RunUnsettled => ({
  run_id: run.run_id,
  workflow_id: run.workflow_id,
  status: run.status,
  as_of_ms: now,
  disposition: run.lifecycle.disposition,
  partial_handoffs: run.lifecycle.handoffs.map((handoff) => handoffItem(handoff, now)),
  in_flight_llm_calls: inFlightCalls(run, lease, now),
  jobs: stageJobs(run),
  worker_ids: workerIds,
});

import * as z from "zod";
import { anyJson, anyObject, id, pageOf, pageQuery, time } from "./api.ts";

const mode = z.enum(["workflow", "stage", "sub_agent", "delegated_stage", "top_level_agent"]);

const status = z.enum([
  "running",
  "awaiting",
  "suspended",
  "completed",
  "failed",
  "cancelled",
  "stopped",
  "interrupted",
]);

const text = z.string();
const textOrNull = text.nullable();

/** A worker in lists. */
export const workerRowSchema = z
  .object({
    worker_id: text,
    name: text,
    mode,
    status,
    task: text.describe("The first 200 characters"),
    cycle: z.int().describe("How often it was set to work"),
    run_id: textOrNull.describe("The run of its newest cycle"),
    parent_run_id: textOrNull.describe("The run whose stage waits for it"),
    parent_worker_id: textOrNull,
    error: textOrNull,
    created_at: time,
    updated_at: time,
  })
  .readonly();

/** A worker in lists. */
export type WorkerRow = z.output<typeof workerRowSchema>;

/** Filters of `GET /v1/workers`. */
export const workerQuery = pageQuery.extend({
  status: status.optional(),
  mode: mode.optional(),
  parent_run_id: id.optional(),
});

/** Filters of `GET /v1/workers`. */
export type WorkerQuery = z.output<typeof workerQuery>;

/** A page of `GET /v1/workers`. */
export const workerPageSchema = pageOf(workerRowSchema);

/** A worker as every operation shows it (spec/workers 1.5). */
export const workerSummarySchema = z
  .looseObject({
    _type: z.literal("agent_handle"),
    id: text,
    name: text,
    task: text,
    mode,
    status,
    created_at: time,
    started_at: time,
    finished_at: time.nullable(),
    awaiting_started_at: time.nullable(),
    history: z.array(text).readonly(),
    request: anyJson,
    provenance: anyJson,
    result: anyJson.describe("What its newest cycle came to"),
    error: textOrNull,
    artifact_count: z.int(),
    has_transcript: z.boolean(),
    child_run_id: textOrNull,
    cycle_run_id: text.exactOptional().describe("The run of its newest cycle"),
    suspension: anyJson,
  })
  .readonly();

/** A worker as every operation shows it. */
export type WorkerSummary = z.output<typeof workerSummarySchema>;

/** Body of `POST /v1/workers`: a spawn config (spec/workers 2); what is wrong with it is told in the words of the specification. */
export const spawnWorkerSchema = anyObject.describe(
  "`task`, and one of `graph`, `node` and `sub_agent` (options of the agent); `name`, `wait`, `carry`, `policy`, `tools`, `execution`, `audit`, `artifacts`, `options`, `webhook` {url, events, secret_ref, headers}",
);

const MAX_WAIT_MS = 60_000;

const waitMs = z.int().min(0).max(MAX_WAIT_MS).default(25_000).describe("How long the answer may be held back");

/** Body of `POST /v1/workers/{id}/wait`. */
export const waitWorkerSchema = z
  .object({
    timeout_ms: waitMs,
    until: z
      .enum(["settled", "ended"])
      .default("settled")
      .describe(
        "settled: it is neither running nor awaiting, a suspended one counts; ended: nothing follows by itself",
      ),
  })
  .readonly();

/** Answer of `POST /v1/workers/{id}/wait`. */
export const waitedWorkerSchema = z
  .object({ timed_out: z.boolean().describe("It is still at work: ask again"), worker: workerSummarySchema })
  .readonly();

/** Body of `POST /v1/workers/{id}/input`. */
export const workerInputSchema = z.object({ text: anyJson.describe("The next task") }).readonly();

/** Body of `POST /v1/workers/{id}/trigger`. */
export const workerTriggerSchema = z.object({ payload: anyJson }).readonly();

/** Body of `POST /v1/workers/{id}/suspend`. */
export const suspendWorkerSchema = z
  .object({
    reason: z.string().max(2_000).default(""),
    initiator: z.string().optional().describe("self, parent, operator or triggered; operator unless given"),
    conditions: anyJson
      .optional()
      .describe(
        "What wakes it: `trigger` (the definition of one, without a handler), `timeout` {duration_minutes, on_timeout}, `on_event` (a channel)",
      ),
  })
  .readonly();

/** Body of `POST /v1/workers/{id}/resume`. */
export const resumeWorkerSchema = z
  .object({
    input: anyJson.optional().describe("The next task"),
    continue_transcript: z.boolean().default(true).describe("false: only a digest of the conversation goes on"),
    initiator: z.string().optional(),
  })
  .readonly();

/** Body of `POST /v1/workers/{id}/stop`. */
export const stopWorkerSchema = z
  .object({
    graceful: anyJson.optional().describe("true: it leaves a handoff; false: it is closed"),
    reason: anyJson.optional(),
  })
  .readonly();

/** Answer of `POST /v1/workers/{id}/stop`: the stop result with `worker`, or the summary of a worker that was closed. */
export const stoppedWorkerSchema = z.looseObject({}).readonly();

/** A snapshot of a worker (spec/workers 12.2). */
export const workerSnapshotSchema = z.looseObject({ _type: z.literal("worker_snapshot"), id: text }).readonly();

/** A snapshot of a worker. */
export type WorkerSnapshot = z.output<typeof workerSnapshotSchema>;

/** Body of `POST /v1/workers/restore`. */
export const restoreWorkerSchema = z
  .object({
    snapshot: anyJson.describe("A snapshot as `GET /v1/workers/{id}/snapshot` shows it"),
    input: anyJson.optional(),
    continue_transcript: z.boolean().default(true),
  })
  .readonly();

const link = z.object({ trace_id: text, span_id: text, attributes: anyObject }).readonly();

/** Spans of a worker's suspensions and resumptions, oldest first (spec/workers 19). */
export const workerSpansSchema = z
  .object({
    items: z
      .array(
        z
          .object({
            kind: z.enum(["suspension", "resume"]),
            name: text,
            trace_id: text,
            span_id: text,
            parent_span_id: textOrNull,
            started_at: time,
            ended_at: time.nullable(),
            metadata: anyObject,
            links: z.array(link).readonly(),
          })
          .readonly(),
      )
      .readonly(),
  })
  .readonly();

/** Filters of `GET /v1/workers/{id}/events`. */
export const workerEventQuery = z.object({
  after: z.coerce.number().int().min(0).default(0).describe("`seq` of the last event that is known"),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

/** Public events of a worker, oldest first (spec/workers 13). */
export const workerEventPageSchema = z
  .object({
    items: z
      .array(
        z
          .object({
            id: text.describe("To resume after"),
            type: z.literal("worker_update"),
            seq: z.int().describe("Counted from 1 for each worker"),
            at: time,
            session_id: textOrNull.describe("The session that it was started from"),
            cycle_run_id: textOrNull.describe("The run of the cycle"),
            worker_id: text,
            worker_name: text,
            worker_task: text,
            worker_mode: mode,
            event: text,
            status: text,
            terminal: z.boolean(),
            metadata: anyObject,
            audit: anyJson,
          })
          .readonly(),
      )
      .readonly(),
    next: z.int().nullable().describe("`after` of the next page; null at the end"),
    ended: z.boolean().describe("Nothing follows by itself"),
  })
  .readonly();

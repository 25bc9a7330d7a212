import * as z from "zod";
import { anyJson, id, pageOf, pageQuery, time } from "./api.ts";

const SCOPES = ["session", "pipeline", "tenant", "org"] as const;
const QUEUES = ["fifo", "lifo", "priority", "fair_round_robin"] as const;
const STATUSES = ["blocked", "queued", "running", "completed", "failed", "rejected"] as const;

const loose = (text: string) => anyJson.optional().describe(text);

/** Body of `POST /v1/pools`: the pool itself says what is wrong with an option, in the words of spec/workers 26.1. */
export const newPoolSchema = z
  .looseObject({
    name: loose("Text; without it a new one"),
    max_concurrent: loose("How many tasks run at a time, 1 to 1000; 1"),
    queue: loose(
      "`priority`, `fifo`, `lifo` or `fair_round_robin`, or {kind, key}: `key` names the field of a submit that fairness goes by; priority",
    ),
    backpressure: loose(
      "`unbounded`, `fail_fast`, {kind: `queue`, max_depth, on_full} or {kind: `ring_buffer`, capacity}; `on_full` is `block_submitter`, `drop_oldest`, `drop_newest` or `fail_submitter`; unbounded",
    ),
    scope: loose("`session`, `pipeline`, `tenant` or `org`; session"),
    scope_id: loose("Whose pool it is: a session, a workflow, a run; also `pipeline_id` or `run_id`"),
    stale_after_ms: loose("How long a running task may give no sign of life, at least 5000; 30000"),
  })
  .readonly();

/** Body of `POST /v1/pools/{id}/tasks`: the pool itself says what is wrong with it, in the words of spec/workers 26.2. */
export const newTaskSchema = z
  .looseObject({
    handler: loose("Name of a registered function"),
    args: loose("What the function is given, at most 256 KiB as JSON; null"),
    priority: loose("Whole number, higher ones run first; 0"),
    key: loose("Text that fairness goes by"),
    idempotency_key: loose("Text: the same key is the same task, whatever has become of it; also `id`"),
    timeout_ms: loose("How long one call may take, at most 840000; 300000"),
    retry: loose("{max_attempts, backoff_ms}: how often the function may be called; 1"),
    submitter: loose("Who submits: {agent_session_id, worker_id, workflow_id, run_id, task_id}"),
  })
  .readonly();

/** A task of a pool (spec/workers 26.2, 26.5). */
export const poolTaskSchema = z
  .object({
    _type: z.literal("pool_task"),
    id: z.string(),
    pool_id: z.string(),
    pool: z.string(),
    submitted_at: time,
    status: z.enum(STATUSES).describe("`blocked`: it waits for a place in the queue, and gets it in its turn"),
    key: z.string().optional(),
    error: z.string().optional(),
    rejection_reason: z.string().optional(),
    rejection_policy: z.string().optional(),
    priority: z.int(),
    started_at: time.optional(),
    finished_at: time.optional(),
    result: anyJson.optional(),
    handler: z.string(),
    attempts: z.int().describe("How often somebody has begun with it"),
    tickets_before: z.int().optional().describe("Of a blocked task: how many tickets come before it"),
  })
  .readonly();

const backpressure = z
  .object({
    _type: z.literal("backpressure"),
    kind: z.string(),
    max_depth: z.int().optional(),
    on_full: z.string().optional(),
  })
  .readonly();

/** A pool with its newest tasks (spec/workers 26.5). */
export const poolSchema = z
  .object({
    _type: z.literal("pool"),
    id: z.string(),
    name: z.string(),
    max_concurrent: z.int(),
    created_at: time,
    active: z.int(),
    queued: z.int(),
    completed: z.int(),
    failed: z.int(),
    rejected: z.int(),
    total: z.int(),
    queue_strategy: z.enum(QUEUES),
    backpressure,
    blocked_submitters: z.int(),
    tasks: z.array(poolTaskSchema).readonly(),
    scope: z.enum(SCOPES),
    scope_id: z.string().optional(),
    durable: z.boolean(),
    stale_after_ms: z.int(),
    draining: z.boolean().describe("It is to be removed and takes no more tasks"),
  })
  .readonly();

/** Filters of `GET /v1/pools`. */
export const poolQuery = pageQuery.extend({
  scope: z.enum(SCOPES).optional(),
  scope_id: id.optional(),
  name: id.optional(),
});

/** Filters of `GET /v1/pools`, decoded. */
export type PoolQuery = z.output<typeof poolQuery>;

/** A pool as lists show it. */
export const poolItemSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    scope: z.enum(SCOPES),
    scope_id: z.string().nullable(),
    max_concurrent: z.int(),
    queue_strategy: z.enum(QUEUES),
    backpressure,
    created_at: time,
  })
  .readonly();

/** A pool as lists show it. */
export type PoolItem = z.output<typeof poolItemSchema>;

/** A page of pools, the oldest first. */
export const poolPageSchema = pageOf(poolItemSchema);

/** How many tasks of a pool are looked at, the newest ones. */
export const newestQuery = z.object({
  limit: z.coerce.number().int().min(0).max(200).default(50).describe("At most so many tasks, the newest; 0 to 200"),
});

/** Body of `POST /v1/pools/{id}/wait`. */
export const waitTasksSchema = z
  .object({
    tasks: anyJson.describe("A task or its id, or a list of at most 100 of them"),
    timeout_ms: z.int().min(0).max(20_000).default(20_000).describe("How long to wait, at most 20 seconds"),
  })
  .readonly();

/** Whether all tasks are over, and how they stand, in the order in which they were asked for. */
export const waitedTasksSchema = z.object({ done: z.boolean(), tasks: z.array(poolTaskSchema).readonly() }).readonly();

/** Whether a pool is removed, or only takes no more tasks from now on. */
export const removedPoolSchema = z.object({ removed: z.boolean(), pool: poolSchema }).readonly();

/** What has happened to a pool and its newest tasks, oldest first (spec/workers 26.7). */
export const poolAuditSchema = z
  .object({
    topic: z.string(),
    items: z
      .array(
        z
          .object({
            kind: z.enum(["pool_create", "pool_submit", "pool_drop", "pool_dequeue", "pool_complete"]),
            at: time,
            headers: anyJson,
            payload: anyJson,
          })
          .readonly(),
      )
      .readonly(),
  })
  .readonly();

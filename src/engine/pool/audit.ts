import type { JsonObject } from "../../lib/json.ts";
import { rfc3339, type Timestamp } from "../../lib/time.ts";
import type { Pool, PoolTask } from "./state.ts";
import { backpressureView } from "./view.ts";

/** The topic that a pool's audit belongs to (spec/workers 26.7). */
export const POOL_AUDIT_TOPIC = "lifecycle.pool.audit";

/** What is audited, in the order of things that happen at one moment (spec/workers 26.7, 30 no. 7). */
const KINDS = ["pool_create", "pool_submit", "pool_drop", "pool_dequeue", "pool_complete"] as const;

/** What is audited of a pool. */
export type PoolAuditKind = (typeof KINDS)[number];

/** One line of the audit of a pool. */
export interface PoolAuditEntry {
  readonly kind: PoolAuditKind;
  readonly at: string;
  readonly headers: JsonObject;
  readonly payload: JsonObject;
}

interface Fact {
  readonly kind: PoolAuditKind;
  readonly at_ms: Timestamp;
  readonly seq: number;
  readonly payload: JsonObject;
  readonly headers?: JsonObject;
}

const created = ({ id, config, created_at_ms: at }: Pool): Fact => ({
  kind: "pool_create",
  at_ms: at,
  seq: 0,
  payload: {
    pool_id: id,
    pool: config.name,
    scope: config.scope,
    scope_id: config.scope_id,
    max_concurrent: config.max_concurrent,
    queue_strategy: config.queue.kind,
    backpressure: backpressureView(config.backpressure) as unknown as JsonObject,
    created_at: rfc3339(at),
  },
});

const submitted = (about: JsonObject, task: PoolTask): Fact => ({
  kind: "pool_submit",
  at_ms: task.submitted_at_ms,
  seq: task.seq,
  payload: {
    ...about,
    submitted_at: rfc3339(task.submitted_at_ms),
    priority: task.priority,
    key: task.key,
    idempotency_key: task.idempotency_key,
    submitted_by: task.submitted_by,
  },
});

const dequeued = (about: JsonObject, task: PoolTask, at: Timestamp): Fact => ({
  kind: "pool_dequeue",
  at_ms: at,
  seq: task.dispatched ?? task.seq,
  payload: {
    ...about,
    dequeued_at: rfc3339(at),
    queued_for_ms: at - task.submitted_at_ms,
    slot_index: task.slot_index,
  },
});

const completed = (about: JsonObject, task: PoolTask, at: Timestamp): Fact => ({
  kind: "pool_complete",
  at_ms: at,
  seq: task.dispatched ?? task.seq,
  payload: {
    ...about,
    status: task.status,
    finished_at: rfc3339(at),
    ran_for_ms: at - (task.started_at_ms ?? at),
    attempts: task.attempt,
    error: task.error,
  },
});

const droppedFact = (about: JsonObject, task: PoolTask, at: Timestamp): readonly Fact[] => {
  if (task.rejection === null) return [];
  const headers = { policy: task.rejection.policy };
  const payload = { ...about, ...task.rejection, occurred_at: rfc3339(at) };
  return [{ kind: "pool_drop", at_ms: at, seq: task.seq, payload, headers }];
};

const factsOf = (pool: Pool, task: PoolTask): readonly Fact[] => {
  if (task.status === "blocked") return [];
  const about = { pool_id: pool.id, pool: pool.config.name, task_id: task.id };
  const { started_at_ms: started, finished_at_ms: finished } = task;
  return [
    submitted(about, task),
    ...(started === null ? [] : [dequeued(about, task, started)]),
    ...(finished === null ? [] : droppedFact(about, task, finished)),
    ...(finished === null || started === null ? [] : [completed(about, task, finished)]),
  ];
};

/** The audit of a pool and its tasks, oldest first: it follows from what they are, and is stored nowhere (spec/workers 26.7). */
export const poolAudit = (pool: Pool, tasks: readonly PoolTask[]): readonly PoolAuditEntry[] =>
  [created(pool), ...tasks.flatMap((task) => factsOf(pool, task))]
    .toSorted((a, b) => a.at_ms - b.at_ms || KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || a.seq - b.seq)
    .map(({ kind, at_ms, payload, headers }) => ({
      kind,
      at: rfc3339(at_ms),
      headers: { schema: `harn.${kind}.v1`, ...headers },
      payload,
    }));

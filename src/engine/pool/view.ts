import type { Json } from "../../lib/json.ts";
import { byCodePoint } from "../../lib/json.ts";
import { rfc3339, type Timestamp } from "../../lib/time.ts";
import type { Backpressure, Pool, PoolConfig, PoolState, PoolTask, TaskStatus } from "./state.ts";

/** A task as its submitter sees it; keys without a value are left out (spec/workers 26.2, 26.5). */
export interface TaskView {
  readonly _type: "pool_task";
  readonly id: string;
  readonly pool_id: string;
  readonly pool: string;
  readonly submitted_at: string;
  readonly status: TaskStatus;
  readonly key?: string;
  readonly error?: string;
  readonly rejection_reason?: string;
  readonly rejection_policy?: string;
  readonly priority: number;
  readonly started_at?: string;
  readonly finished_at?: string;
  readonly result?: Json;
  readonly handler: string;
  readonly attempts: number;
  /** Of a blocked task: how many tickets come before it. */
  readonly tickets_before?: number;
}

/** A pool's backpressure as it is shown (spec/workers 26.5). */
export interface BackpressureView {
  readonly _type: "backpressure";
  readonly kind: Backpressure["kind"];
  readonly max_depth?: number;
  readonly on_full?: string;
}

/** A pool as it is shown (spec/workers 26.5). */
export interface PoolView {
  readonly _type: "pool";
  readonly id: string;
  readonly name: string;
  readonly max_concurrent: number;
  readonly created_at: string;
  readonly active: number;
  readonly queued: number;
  readonly completed: number;
  readonly failed: number;
  readonly rejected: number;
  readonly total: number;
  readonly queue_strategy: PoolConfig["queue"]["kind"];
  readonly backpressure: BackpressureView;
  readonly blocked_submitters: number;
  readonly tasks: readonly TaskView[];
  readonly scope: PoolConfig["scope"];
  readonly scope_id?: string;
  readonly durable: true;
  readonly stale_after_ms: number;
  readonly draining: boolean;
}

/** A task of a pool that a finishing pipeline has not settled (spec/workers 21.4). */
export interface PendingTask {
  readonly id: string;
  readonly task_id: string;
  readonly pool_id: string;
  readonly pool_name: string;
  readonly status: TaskStatus;
  readonly priority: number;
  readonly key: string | null;
  readonly idempotency_key: string | null;
  readonly submitted_at: string;
  readonly submitted_at_ms: Timestamp;
  readonly submitted_by: string;
  readonly started_at: string | null;
  readonly age_ms: number;
}

/** A pool's backpressure as it is shown (spec/workers 26.5). */
export const backpressureView = ({ kind, max_depth, on_full }: Backpressure): BackpressureView => ({
  _type: "backpressure",
  kind,
  ...(max_depth === null ? {} : { max_depth }),
  ...(on_full === null ? {} : { on_full }),
});

/** A task as it is shown; `result` is left out where there is none. */
export const taskView = (pool: Pool, task: PoolTask, result?: Json): TaskView => {
  const { id, status, key, error, rejection, priority, started_at_ms: started, finished_at_ms: finished } = task;
  return {
    _type: "pool_task",
    id,
    pool_id: pool.id,
    pool: pool.config.name,
    submitted_at: rfc3339(task.submitted_at_ms),
    status,
    ...(key === null ? {} : { key }),
    ...(error === null ? {} : { error }),
    ...(rejection === null ? {} : { rejection_reason: rejection.reason, rejection_policy: rejection.policy }),
    priority,
    ...(started === null ? {} : { started_at: rfc3339(started) }),
    ...(finished === null ? {} : { finished_at: rfc3339(finished) }),
    ...(result === undefined ? {} : { result }),
    handler: task.handler,
    attempts: task.attempt,
  };
};

/** A pool as it is shown, with the given tasks by their time of submission (spec/workers 26.5). */
export const poolView = (pool: Pool, state: PoolState, tasks: readonly TaskView[] = []): PoolView => {
  const { config } = pool;
  const { completed, failed, rejected } = state.ended;
  const [active, queued] = [state.running.length, state.queue.length];
  return {
    _type: "pool",
    id: pool.id,
    name: config.name,
    max_concurrent: config.max_concurrent,
    created_at: rfc3339(pool.created_at_ms),
    active,
    queued,
    completed,
    failed,
    rejected,
    total: active + queued + completed + failed + rejected,
    queue_strategy: config.queue.kind,
    backpressure: backpressureView(config.backpressure),
    blocked_submitters: state.blocked.length,
    tasks,
    scope: config.scope,
    ...(config.scope_id === null ? {} : { scope_id: config.scope_id }),
    durable: true,
    stale_after_ms: config.stale_after_ms,
    draining: pool.is_draining,
  };
};

const pendingTask = (pool: Pool, task: PoolTask, now: Timestamp): PendingTask => ({
  id: task.id,
  task_id: task.id,
  pool_id: pool.id,
  pool_name: pool.config.name,
  status: task.status,
  priority: task.priority,
  key: task.key,
  idempotency_key: task.idempotency_key,
  submitted_at: rfc3339(task.submitted_at_ms),
  submitted_at_ms: task.submitted_at_ms,
  submitted_by: task.submitted_by,
  started_at: task.started_at_ms === null ? null : rfc3339(task.started_at_ms),
  age_ms: Math.max(now - task.submitted_at_ms, 0),
});

/** What a pool has not settled: queued tasks in the order of the queue, then running ones by id (spec/workers 21.4). */
export const pendingTasks = ({ pool, queue, running }: PoolState, now: Timestamp): readonly PendingTask[] => {
  if (pool === null) return [];
  const byId = running.toSorted((a, b) => byCodePoint(a.id, b.id));
  return [...queue, ...byId].map((task) => pendingTask(pool, task, now));
};

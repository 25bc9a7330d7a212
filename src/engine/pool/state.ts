import type { Timestamp } from "../../lib/time.ts";

/** In which order a pool takes queued tasks (spec/workers 26.3). */
export type QueueKind = "fifo" | "lifo" | "priority" | "fair_round_robin";

/** What a pool does with a task that it has no room for (spec/workers 26.1). */
export type BackpressureKind = "unbounded" | "fail_fast" | "queue" | "ring_buffer";

/** What a full queue does (spec/workers 26.1). */
export type OnFull = "block_submitter" | "drop_oldest" | "drop_newest" | "fail_submitter";

/** Whose a pool is; it is deleted by hand, whatever its scope (spec/workers 26.1). */
export type PoolScope = "session" | "pipeline" | "tenant" | "org";

/** How a pool bounds what waits; null where the kind has no such thing. */
export interface Backpressure {
  readonly kind: BackpressureKind;
  /** How many tasks may wait; the capacity of a ring buffer. */
  readonly max_depth: number | null;
  readonly on_full: OnFull | null;
}

/** Everything that was asked for when a pool was made, with every default filled in. */
export interface PoolConfig {
  readonly name: string;
  readonly max_concurrent: number;
  /** `key` names the field of a submit that fairness goes by. */
  readonly queue: { readonly kind: QueueKind; readonly key: string };
  readonly backpressure: Backpressure;
  readonly scope: PoolScope;
  readonly scope_id: string | null;
  /** How long a running task may give no sign of life, in milliseconds. */
  readonly stale_after_ms: number;
}

/** A pool without its tasks. */
export interface Pool {
  readonly tenant: string;
  readonly id: string;
  readonly config: PoolConfig;
  readonly created_at_ms: Timestamp;
  /** It takes no more tasks, so that it can be removed. */
  readonly is_draining: boolean;
}

/** How often a function may be called for a task, and how long it rests after its first failure. */
export interface TaskRetry {
  readonly max_attempts: number;
  readonly backoff_ms: number;
}

/** Why a task never ran (spec/workers 26.2). */
export interface TaskRejection {
  readonly reason: string;
  readonly policy: string;
  readonly replacement_task_id: string | null;
  readonly queue_depth: number;
  readonly max_depth: number | null;
}

/** Where a task stands; `blocked` is a ticket for a place in the queue, the last three are final (spec/workers 26.4). */
export type TaskStatus = "blocked" | "queued" | "running" | "completed" | "failed" | "rejected";

/** What a caller asks for when it submits a task, without the arguments of the function. */
export interface TaskAsk {
  readonly handler: string;
  readonly timeout_ms: number;
  readonly retry: TaskRetry;
  readonly priority: number;
  /** What fairness goes by; null for none. */
  readonly key: string | null;
  readonly idempotency_key: string | null;
  readonly submitted_by: string;
}

/** One task of a pool, without arguments and result. */
export interface PoolTask extends TaskAsk {
  readonly id: string;
  /** The order of arrival in the queue; of a blocked task the order of its ticket. */
  readonly seq: number;
  readonly status: TaskStatus;
  /** Of the whole request, where repeating it is safe only if it is the same; null where any repetition is (I5). */
  readonly request_digest: string | null;
  readonly asked_at_ms: Timestamp;
  /** When it got its place in the queue; of a blocked task when it was asked for. */
  readonly submitted_at_ms: Timestamp;
  /** The how manieth that took a slot; null while it has had none. */
  readonly dispatched: number | null;
  readonly slot_index: number | null;
  readonly started_at_ms: Timestamp | null;
  readonly finished_at_ms: Timestamp | null;
  /** Whoever claimed it last; its result counts until somebody else has claimed the task. */
  readonly token: string | null;
  readonly lease_expires_at_ms: Timestamp | null;
  /** How often it was claimed. */
  readonly attempt: number;
  /** How often the function has failed. */
  readonly failures: number;
  /** How often whoever had claimed it gave no more sign of life. */
  readonly losses: number;
  /** How often it was offered since it was last to be claimed. */
  readonly orders: number;
  /** When it is offered again unless somebody claims it; null while somebody has or nobody may. */
  readonly order_at_ms: Timestamp | null;
  readonly not_before_ms: Timestamp;
  readonly error: string | null;
  readonly rejection: TaskRejection | null;
}

/** How many tasks have ended in each way. */
export interface EndedCounts {
  readonly completed: number;
  readonly failed: number;
  readonly rejected: number;
}

/** A pool with every task that is not over. */
export interface PoolState {
  /** null until it is made. */
  readonly pool: Pool | null;
  readonly seq: number;
  readonly dispatched: number;
  /** In the order of arrival. */
  readonly queue: readonly PoolTask[];
  readonly running: readonly PoolTask[];
  /** Tickets, the oldest first. */
  readonly blocked: readonly PoolTask[];
  /** The fairness key that was served last. */
  readonly last_key: string | null;
  readonly ended: EndedCounts;
}

/** How the call of a function went. */
export type TaskOutcome =
  | { readonly type: "succeeded" }
  | { readonly type: "failed"; readonly error: string; readonly retryable: boolean };

/** What a pool can be told. `known` is the task of the id as it is stored, where it is over or blocked or open. */
export type PoolCommand =
  | { readonly type: "create"; readonly tenant: string; readonly config: PoolConfig }
  | {
      readonly type: "submit";
      readonly task_id: string;
      readonly known: PoolTask | null;
      readonly ask: TaskAsk;
      readonly request_digest: string | null;
    }
  | { readonly type: "claim"; readonly task_id: string }
  | { readonly type: "renew"; readonly task_id: string; readonly token: string }
  | {
      readonly type: "end";
      readonly task_id: string;
      readonly token: string;
      readonly known: PoolTask | null;
      readonly outcome: TaskOutcome;
    }
  /** Looks after what is due; with `all` after every running task: consumers and queues are gone. */
  | { readonly type: "sweep"; readonly all: boolean }
  | { readonly type: "drain" };

/** What happened to a task. */
export type TaskEvent =
  | { readonly type: "task_submitted" | "task_blocked"; readonly task: PoolTask }
  | { readonly type: "task_placed"; readonly task_id: string; readonly seq: number; readonly at_ms: Timestamp }
  | {
      readonly type: "task_rejected";
      readonly task_id: string;
      readonly rejection: TaskRejection;
      readonly at_ms: Timestamp;
    }
  | {
      readonly type: "task_dispatched";
      readonly task_id: string;
      readonly dispatched: number;
      readonly slot_index: number;
      readonly at_ms: Timestamp;
      readonly order_at_ms: Timestamp;
    }
  | {
      readonly type: "task_claimed" | "claim_renewed";
      readonly task_id: string;
      readonly token: string;
      readonly expires_at_ms: Timestamp;
    }
  | { readonly type: "task_offered" | "task_lost"; readonly task_id: string; readonly order_at_ms: Timestamp }
  | {
      readonly type: "task_retried";
      readonly task_id: string;
      readonly error: string;
      readonly not_before_ms: Timestamp;
      readonly order_at_ms: Timestamp;
    }
  | { readonly type: "task_completed"; readonly task_id: string; readonly at_ms: Timestamp }
  | { readonly type: "task_failed"; readonly task_id: string; readonly error: string; readonly at_ms: Timestamp };

/** What happened to a pool. */
export type PoolEvent =
  | TaskEvent
  | { readonly type: "pool_created"; readonly pool: Pool }
  | { readonly type: "pool_drained" };

/** A task waits for somebody to claim it. */
export interface OfferTask {
  readonly type: "offer_task";
  readonly task_id: string;
}

/** The answer of a pool: the task that was spoken of, and whether it, or the pool, is new. */
export interface PoolReply {
  readonly task: PoolTask | null;
  readonly is_new: boolean;
}

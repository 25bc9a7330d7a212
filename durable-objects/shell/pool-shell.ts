import { type PoolAuditEntry, poolAudit } from "../../src/engine/pool/audit.ts";
import { openTask } from "../../src/engine/pool/evolve.ts";
import { type PoolAddress, taskId } from "../../src/engine/pool/identity.ts";
import { isEmpty, leaseMs, NO_POOL, poolMachine, wakeAt } from "../../src/engine/pool/machine.ts";
import type {
  OfferTask,
  Pool,
  PoolCommand,
  PoolConfig,
  PoolEvent,
  PoolReply,
  PoolState,
  PoolTask,
  TaskOutcome,
} from "../../src/engine/pool/state.ts";
import { taskAsk } from "../../src/engine/pool/submit.ts";
import {
  type PendingTask,
  pendingTasks,
  type PoolView,
  poolView,
  type TaskView,
  taskView,
} from "../../src/engine/pool/view.ts";
import { type Answer, type Context, type Decision, fold, reject } from "../../src/engine/machine.ts";
import { digestOf } from "../../src/lib/digest.ts";
import { byteLength, type Json, type JsonObject } from "../../src/lib/json.ts";
import { isMigrated, migrate } from "../migrations/migration.ts";
import { TASK_POOL } from "../migrations/task-pool.ts";
import type { Store } from "../storage/store.ts";
import {
  forgetEnded,
  forgetPool,
  loadArgs,
  loadPool,
  loadTask,
  newestTasks,
  storeEvents,
  type TaskTexts,
} from "./pool-rows.ts";

/** What a pool needs around it. */
export interface PoolHosting {
  readonly store: Store;
  readonly context: () => Context;
}

/** A task to be submitted, as the caller wrote it. */
export interface SubmitRequest {
  readonly options: JsonObject;
  /** What makes repeating the same request safe, where the task has no key of its own; null for nothing. */
  readonly request_key: string | null;
}

/** A task that was submitted, or that an earlier submit with the same key had submitted. */
export interface Submitted {
  readonly task: TaskView;
  readonly is_new: boolean;
}

/** A task in somebody's hands. */
export interface ClaimedTask {
  readonly task_id: string;
  readonly token: string;
  /** How long the claim lasts without being renewed. */
  readonly lease_ms: number;
  readonly pool: string;
  readonly handler: string;
  readonly args: Json;
  readonly timeout_ms: number;
  readonly attempt: number;
}

/** A hint that a task waits to be claimed; which pool it belongs to is said in full. */
export type TaskOffer = PoolAddress & { readonly v: 1; readonly tenant: string; readonly task_id: string };

/** How a task went, with the result of a function that succeeded. */
export type ReportedOutcome = TaskOutcome & { readonly result?: Json };

/** What a task may carry: its arguments, and its result. */
const MAX_JSON_BYTES = 262_144;

type PoolDecision = Decision<PoolEvent, OfferTask, PoolReply, PoolState>;

/**
 * One pool on one store: each command is one transaction (I3), and each change of a task writes its row. Open tasks are held
 * in memory, others are read when they are asked for. What is to be offered follows from the rows, so that the alarm does
 * again whatever a crash prevented (I1).
 */
export class PoolShell {
  readonly #hosting: PoolHosting;
  #state: PoolState | null = null;
  #armedAt: number | null = null;
  #offers: TaskOffer[] = [];

  constructor(hosting: PoolHosting) {
    this.#hosting = hosting;
  }

  /** Makes the pool; asking again for the same is the same pool. */
  create(tenant: string, config: PoolConfig): Answer<{ readonly pool: PoolView; readonly is_new: boolean }> {
    const answer = this.#tell({ type: "create", tenant, config });
    if (!answer.ok) return answer;
    const state = this.#load();
    return { ok: true, reply: { pool: poolView(state.pool as Pool, state), is_new: answer.reply.is_new } };
  }

  /** Submits a task; one that has to wait for a place is answered at once, as `blocked`. */
  submit(poolId: string, request: SubmitRequest): Answer<Submitted> {
    const pool = this.#pool(poolId);
    if (!pool.ok) return pool;
    const ask = taskAsk(request.options, pool.reply.config.queue.key);
    if (!ask.ok) return reject("invalid_request", ask.error);
    const args = JSON.stringify(request.options["args"] ?? null);
    if (byteLength(args) > MAX_JSON_BYTES) return tooLarge("arguments");
    const { safe_by, request_digest } = repetitionOf(ask.value.idempotency_key, request);
    const task_id = taskId(poolId, safe_by, this.#hosting.context().nextId);
    const known = safe_by === null ? null : this.#find(task_id);
    const answer = this.#tell({ type: "submit", task_id, known, ask: ask.value, request_digest }, { args });
    if (!answer.ok) return answer;
    const { task, is_new } = answer.reply;
    return { ok: true, reply: { task: this.#shown(pool.reply, task as PoolTask), is_new } };
  }

  /** Hands out a task that was offered; null where it is no longer to be had. */
  claim(id: string): Answer<ClaimedTask | null> {
    const answer = this.#tell({ type: "claim", task_id: id });
    if (!answer.ok) return answer;
    const { task } = answer.reply;
    const { pool } = this.#load();
    if (task === null || task.token === null || pool === null) return { ok: true, reply: null };
    const { token, handler, timeout_ms, attempt } = task;
    const about = { task_id: id, token, lease_ms: leaseMs(pool), pool: pool.config.name };
    const args = loadArgs(this.#hosting.store, id);
    return { ok: true, reply: { ...about, handler, args, timeout_ms, attempt } };
  }

  /** Keeps a claim. */
  renew(id: string, token: string): Answer<null> {
    const answer = this.#tell({ type: "renew", task_id: id, token });
    return answer.ok ? { ok: true, reply: null } : answer;
  }

  /** Takes in how a task went; it is over then, or rests before the next attempt. */
  end(id: string, token: string, { result, ...outcome }: ReportedOutcome): Answer<TaskView> {
    const text = outcome.type === "succeeded" ? JSON.stringify(result ?? null) : null;
    if (text !== null && byteLength(text) > MAX_JSON_BYTES) return tooLarge("result");
    const ended = text === null ? {} : { ended: { id, result: text } };
    const answer = this.#tell({ type: "end", task_id: id, token, known: this.#find(id), outcome }, ended);
    if (!answer.ok) return answer;
    return { ok: true, reply: this.#shown(this.#load().pool as Pool, answer.reply.task as PoolTask) };
  }

  /** Offers what nobody has claimed and takes back what nobody works on; with `all` consumers and queues are gone. */
  sweep(all = false): void {
    this.#armedAt = null;
    if (this.#load().pool !== null) this.#tell({ type: "sweep", all });
    this.rearm();
  }

  /** The pool with its newest tasks. */
  show(poolId: string, limit: number): Answer<PoolView> {
    const pool = this.#pool(poolId);
    if (!pool.ok) return pool;
    const tasks = newestTasks(this.#hosting.store, limit).map((task) => taskView(pool.reply, task));
    return { ok: true, reply: poolView(pool.reply, this.#load(), tasks) };
  }

  /** Tasks by their ids, in the order in which they were asked for. */
  tasks(poolId: string, ids: readonly string[]): Answer<readonly TaskView[]> {
    const pool = this.#pool(poolId);
    if (!pool.ok) return pool;
    const views: TaskView[] = [];
    for (const id of ids) {
      const task = this.#find(id);
      if (task === null) return reject("task_not_found", `task not found: ${id}`, { task_id: id });
      views.push(this.#shown(pool.reply, task));
    }
    return { ok: true, reply: views };
  }

  /** What has happened to the pool and its newest tasks (spec/workers 26.7). */
  audit(poolId: string, limit: number): Answer<readonly PoolAuditEntry[]> {
    const pool = this.#pool(poolId);
    return pool.ok ? { ok: true, reply: poolAudit(pool.reply, newestTasks(this.#hosting.store, limit)) } : pool;
  }

  /** What the pool has not settled (spec/workers 21.4). */
  pending(): readonly PendingTask[] {
    return pendingTasks(this.#load(), this.#hosting.context().now);
  }

  /** Removes a pool that has no open tasks; any other takes no more of them from now on. */
  remove(poolId: string): Answer<{ readonly is_removed: boolean; readonly pool: PoolView }> {
    const pool = this.#pool(poolId);
    if (!pool.ok) return pool;
    if (!isEmpty(this.#load())) {
      this.#tell({ type: "drain" });
      const state = this.#load();
      return { ok: true, reply: { is_removed: false, pool: poolView(state.pool as Pool, state) } };
    }
    const view = poolView(pool.reply, this.#load());
    this.#hosting.store.transaction(() => forgetPool(this.#hosting.store));
    this.#state = NO_POOL;
    this.rearm();
    return { ok: true, reply: { is_removed: true, pool: view } };
  }

  /** What is to be offered after the commit. */
  takeOffers(): readonly TaskOffer[] {
    const offers = this.#offers;
    this.#offers = [];
    return offers;
  }

  /** Sets the alarm to when it is needed next, or takes it away (I1). */
  rearm(): void {
    const { now } = this.#hosting.context();
    const wake = wakeAt(this.#load());
    const at = wake === null ? null : Math.max(wake, now);
    if (at === this.#armedAt && at !== null) return;
    this.#hosting.store.setAlarm(at);
    this.#armedAt = at;
  }

  #load(): PoolState {
    if (this.#state !== null) return this.#state;
    const { store, context } = this.#hosting;
    if (!isMigrated(store, TASK_POOL)) return NO_POOL;
    forgetEnded(store, context().now);
    this.#state = loadPool(store);
    // Whoever wakes the object finds what it was woken for, even where an alarm was lost with the instance before (I1).
    if (wakeAt(this.#state) !== null) this.rearm();
    return this.#state;
  }

  /** The pool, unless another one has its name by now. */
  #pool(poolId: string): Answer<Pool> {
    const { pool } = this.#load();
    if (pool !== null && pool.id === poolId) return { ok: true, reply: pool };
    return reject("pool_not_found", `pool not found: ${poolId}`, { pool_id: poolId });
  }

  #find(id: string): PoolTask | null {
    const state = this.#load();
    if (state.pool === null) return null;
    return openTask(state, id) ?? loadTask(this.#hosting.store, id)?.task ?? null;
  }

  #shown(pool: Pool, task: PoolTask): TaskView {
    const result = task.status === "completed" ? loadTask(this.#hosting.store, task.id)?.result : undefined;
    const view = taskView(pool, task, result);
    if (task.status !== "blocked") return view;
    return { ...view, tickets_before: this.#load().blocked.findIndex(({ id }) => id === task.id) };
  }

  #tell(command: PoolCommand, texts: TaskTexts = {}): Answer<PoolReply> {
    const before = this.#load();
    const decision = poolMachine.decide(before, command, this.#hosting.context());
    if (decision.ok && decision.events.length > 0) this.#commit(before, decision, texts);
    return decision;
  }

  #commit(before: PoolState, decision: Extract<PoolDecision, { ok: true }>, texts: TaskTexts): void {
    const { store } = this.#hosting;
    const { events, effects } = decision;
    const after = decision.state ?? fold(poolMachine, before, events);
    const wake = wakeAt(after);
    const alarm = wake !== null && (this.#armedAt === null || this.#armedAt > wake) ? wake : null;
    store.transaction(() => {
      migrate(store, TASK_POOL);
      storeEvents(store, { before, after }, events, texts);
      if (alarm !== null) store.setAlarm(alarm);
    });
    if (alarm !== null) this.#armedAt = alarm;
    this.#state = after;
    if (after.pool !== null) this.#offers.push(...offersOf(after.pool, effects));
  }
}

const offersOf = ({ tenant, config }: Pool, effects: readonly OfferTask[]): readonly TaskOffer[] => {
  const { scope, scope_id, name } = config;
  return effects.map(({ task_id }) => ({ v: 1, tenant, scope, scope_id, name, task_id }));
};

/** What makes a submit safe to repeat: the task's own key, whatever else is asked for, or the key of the same request (I5). */
const repetitionOf = (
  key: string | null,
  { options, request_key }: SubmitRequest,
): { readonly safe_by: string | null; readonly request_digest: string | null } => {
  if (key !== null) return { safe_by: `key\0${key}`, request_digest: null };
  if (request_key === null) return { safe_by: null, request_digest: null };
  return { safe_by: `request\0${request_key}`, request_digest: digestOf(options) };
};

const tooLarge = (what: string): Answer<never> =>
  reject(
    "payload_too_large",
    `the ${what} of a task are limited to ${MAX_JSON_BYTES} bytes: store them elsewhere and send their address`,
  );

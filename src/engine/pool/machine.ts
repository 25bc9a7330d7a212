// A pool of tasks that run a few at a time (spec/workers 26).
//
//   (submit) --full, block_submitter--> blocked --room--> queued --a slot is free--> running --> completed | failed
//      |                                                  ^    |                     ^     |
//      +--------------------------------------------------+    +--dropped--> rejected+-----+ lost, or tried again
//
// P1 At most `max_concurrent` tasks are running; a task keeps its slot until it is over.
// P2 A free slot never stands beside a queued task, nor room in the queue beside a ticket.
// P3 A task is offered to consumers until one claims it; whoever claimed it last may end it, and nobody else.
// P4 completed, failed and rejected are final.
// P5 The same key is the same task, whatever has become of it.

import { canonicalJson, type Json } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import { type Context, type Decision, type Machine, type Rejection, reject } from "../machine.ts";
import { evolvePool, openTask, touchedTasks } from "./evolve.ts";
import { poolId } from "./identity.ts";
import { pickTask } from "./pick.ts";
import type {
  OfferTask,
  Pool,
  PoolCommand,
  PoolEvent,
  PoolReply,
  PoolState,
  PoolTask,
  TaskOutcome,
  TaskRejection,
} from "./state.ts";
import { MAX_BACKOFF_MS } from "./submit.ts";

type PoolDecision = Decision<PoolEvent, OfferTask, PoolReply, PoolState>;
type Told<Type extends PoolCommand["type"]> = Extract<PoolCommand, { readonly type: Type }>;

/** Nothing was made yet. */
export const NO_POOL: PoolState = {
  pool: null,
  seq: 0,
  dispatched: 0,
  queue: [],
  running: [],
  blocked: [],
  last_key: null,
  ended: { completed: 0, failed: 0, rejected: 0 },
};

/** How long an offer may stand before it is made again; doubled each time. */
const FIRST_OFFER_MS = 10_000;
const MAX_OFFER_MS = 300_000;

/** A claim lasts as long as a task may give no sign of life, but not less. */
const MIN_LEASE_MS = 5_000;

/** How many consumers may be lost over one task. */
export const MAX_LOSSES = 5;

/** Open tasks are held in memory: more would not fit there. */
const MAX_OPEN = 20_000;

/** How long a claim on a task of a pool lasts, in milliseconds. */
export const leaseMs = ({ config }: Pool): number => Math.max(config.stale_after_ms, MIN_LEASE_MS);

const offerAgainAt = (now: Timestamp, orders: number): Timestamp =>
  now + Math.min(FIRST_OFFER_MS * 2 ** orders, MAX_OFFER_MS);

/** What has happened so far while a command is decided. */
interface Turn {
  readonly state: PoolState;
  readonly events: readonly PoolEvent[];
}

const happened = ({ state, events }: Turn, event: PoolEvent): Turn => ({
  state: evolvePool(state, event),
  events: [...events, event],
});

const hasFreeSlot = ({ running }: PoolState, { config }: Pool): boolean => running.length < config.max_concurrent;

/** Whether a task may join the queue (spec/workers 26.2). */
const isAcceptable = (state: PoolState, pool: Pool): boolean => {
  const { kind, max_depth } = pool.config.backpressure;
  if (hasFreeSlot(state, pool) && state.queue.length === 0) return true;
  if (kind === "unbounded") return true;
  return kind !== "fail_fast" && state.queue.length < (max_depth ?? 0);
};

const freeSlot = (running: readonly PoolTask[]): number => {
  const taken = new Set(running.map((task) => task.slot_index));
  let slot = 0;
  while (taken.has(slot)) slot += 1;
  return slot;
};

/** Fills free slots from the queue, and free places of the queue from the tickets (P2). */
const filled = (turn: Turn, pool: Pool, now: Timestamp): Turn => {
  let current = turn;
  for (;;) {
    const { state } = current;
    const picked = hasFreeSlot(state, pool) ? pickTask(pool.config.queue, state.queue, state.last_key) : undefined;
    const [ticket] = state.blocked;
    if (picked !== undefined) {
      const slot = { dispatched: state.dispatched + 1, slot_index: freeSlot(state.running) };
      const at = { at_ms: now, order_at_ms: offerAgainAt(now, 0) };
      current = happened(current, { type: "task_dispatched", task_id: picked.id, ...slot, ...at });
    } else if (ticket !== undefined && isAcceptable(state, pool)) {
      current = happened(current, { type: "task_placed", task_id: ticket.id, seq: state.seq + 1, at_ms: now });
    } else return current;
  }
};

const OFFERS: readonly PoolEvent["type"][] = ["task_dispatched", "task_offered", "task_lost"];

/** A task is offered right away, unless it has to rest first. */
const isOffer = (event: PoolEvent, now: Timestamp): boolean =>
  OFFERS.includes(event.type) || (event.type === "task_retried" && event.not_before_ms <= now);

const decided = (
  before: PoolState,
  turn: Turn,
  said: { readonly task_id?: string; readonly now: Timestamp },
): PoolDecision => {
  const { state, events } = turn;
  const touched = touchedTasks(before, events);
  const task = touched.find(({ id }) => id === said.task_id) ?? openTask(state, said.task_id ?? "") ?? null;
  const offered = events.flatMap((event) => (isOffer(event, said.now) && "task_id" in event ? [event.task_id] : []));
  const open = new Set(state.running.map(({ id }) => id));
  const effects = [...new Set(offered)]
    .filter((id) => open.has(id))
    .map((id) => ({ type: "offer_task", task_id: id }) as const);
  return { ok: true, events, effects, reply: { task, is_new: events.length > 0 }, state };
};

const nothing = (task: PoolTask | null): PoolDecision => ({
  ok: true,
  events: [],
  effects: [],
  reply: { task, is_new: false },
});

const sameConfig = (a: Pool["config"], b: Pool["config"]): boolean =>
  canonicalJson(a as unknown as Json) === canonicalJson(b as unknown as Json);

const create = (state: PoolState, { tenant, config }: Told<"create">, context: Context): PoolDecision => {
  const { pool } = state;
  if (pool !== null) {
    if (sameConfig(pool.config, config)) return nothing(null);
    const text = `pool_create: pool '${config.name}' already exists (id=${pool.id}); use pool_get to reuse`;
    return reject("pool_already_exists", text, { pool_id: pool.id });
  }
  const id = poolId(config, context.nextId);
  const made = { tenant, id, config, created_at_ms: context.now, is_draining: false };
  const events = [{ type: "pool_created", pool: made }] as const;
  return { ok: true, events, effects: [], reply: { task: null, is_new: true } };
};

/** A task as it is when it was just submitted. */
const newTask = (command: Told<"submit">, seq: number, now: Timestamp): PoolTask => ({
  ...command.ask,
  id: command.task_id,
  seq,
  status: "queued",
  request_digest: command.request_digest,
  asked_at_ms: now,
  submitted_at_ms: now,
  dispatched: null,
  slot_index: null,
  started_at_ms: null,
  finished_at_ms: null,
  token: null,
  lease_expires_at_ms: null,
  attempt: 0,
  failures: 0,
  losses: 0,
  orders: 0,
  order_at_ms: null,
  not_before_ms: now,
  error: null,
  rejection: null,
});

const dropped = (
  { queue }: PoolState,
  { config }: Pool,
  drop: Pick<TaskRejection, "reason" | "policy" | "replacement_task_id">,
): TaskRejection => ({ ...drop, queue_depth: queue.length, max_depth: config.backpressure.max_depth });

const poolIsFull = ({ config }: Pool): { readonly ok: false; readonly rejection: Rejection } =>
  config.backpressure.kind === "fail_fast"
    ? reject(
        "pool_busy",
        `HARN-POL-002: pool.submit: pool '${config.name}' has no immediate capacity under fail_fast backpressure`,
      )
    : reject(
        "pool_full",
        `HARN-POL-001: pool.submit: pool '${config.name}' queue is full under fail_submitter backpressure`,
      );

/** What becomes of a task that the pool has no room for (spec/workers 26.2). */
const overflow = (state: PoolState, pool: Pool, task: PoolTask, now: Timestamp): PoolDecision => {
  const { kind, on_full } = pool.config.backpressure;
  const start: Turn = { state, events: [] };
  const said = { task_id: task.id, now };
  if (kind === "ring_buffer" || on_full === "drop_oldest") {
    const policy = kind === "ring_buffer" ? "ring_buffer" : "drop_oldest";
    const reason = kind === "ring_buffer" ? "ring_buffer_drop_oldest" : "drop_oldest_queue_full";
    const rejection = dropped(state, pool, { reason, policy, replacement_task_id: task.id });
    const [oldest] = state.queue;
    const out: Turn =
      oldest === undefined
        ? start
        : happened(start, { type: "task_rejected", task_id: oldest.id, rejection, at_ms: now });
    return decided(state, filled(happened(out, { type: "task_submitted", task }), pool, now), said);
  }
  if (on_full === "drop_newest") {
    const drop = { reason: "drop_newest_queue_full", policy: "drop_newest", replacement_task_id: null };
    const rejection = dropped(state, pool, drop);
    const created = happened(start, { type: "task_submitted", task });
    return decided(state, happened(created, { type: "task_rejected", task_id: task.id, rejection, at_ms: now }), said);
  }
  if (on_full === "block_submitter")
    return decided(state, happened(start, { type: "task_blocked", task: { ...task, status: "blocked" } }), said);
  return poolIsFull(pool);
};

const submit = (state: PoolState, pool: Pool, command: Told<"submit">, { now }: Context): PoolDecision => {
  const { known, request_digest: digest } = command;
  if (known !== null) {
    if (digest === known.request_digest) return nothing(known);
    return reject("idempotency_key_reused", `the idempotency key was used for another request: ${known.id}`);
  }
  const { name } = pool.config;
  if (pool.is_draining) return reject("pool_draining", `pool '${name}' is to be removed and takes no more tasks`);
  if (state.queue.length + state.blocked.length + state.running.length >= MAX_OPEN)
    return reject("unavailable", `pool '${name}' has ${MAX_OPEN} open tasks: let some of them end first`);
  const task = newTask(command, state.seq + 1, now);
  if (!isAcceptable(state, pool)) return overflow(state, pool, task, now);
  const turn = happened({ state, events: [] }, { type: "task_submitted", task });
  return decided(state, filled(turn, pool, now), { task_id: task.id, now });
};

const isClaimable = (task: PoolTask, now: Timestamp): boolean =>
  task.status === "running" && task.lease_expires_at_ms === null && task.not_before_ms <= now;

/** Nothing is claimed where somebody else has done so, or the task is over: an offer may come late and twice. */
const claim = (state: PoolState, pool: Pool, { task_id }: Told<"claim">, { now, nextId }: Context): PoolDecision => {
  const task = state.running.find(({ id }) => id === task_id);
  if (task === undefined || !isClaimable(task, now)) return nothing(null);
  const claimed = { task_id, token: nextId("claim"), expires_at_ms: now + leaseMs(pool) };
  return decided(state, happened({ state, events: [] }, { type: "task_claimed", ...claimed }), { task_id, now });
};

const stale = (taskId: string): PoolDecision =>
  reject("stale_attempt", `the claim on task ${taskId} is not the current one: stop working on it`, {
    task_id: taskId,
  });

const renew = (state: PoolState, pool: Pool, { task_id, token }: Told<"renew">, { now }: Context): PoolDecision => {
  const task = state.running.find(({ id }) => id === task_id);
  if (task === undefined || task.token !== token) return stale(task_id);
  const renewed = { task_id, token, expires_at_ms: now + leaseMs(pool) };
  return decided(state, happened({ state, events: [] }, { type: "claim_renewed", ...renewed }), { task_id, now });
};

const endOf = (task: PoolTask, outcome: TaskOutcome, now: Timestamp): PoolEvent => {
  const { id: task_id, failures, retry } = task;
  if (outcome.type === "succeeded") return { type: "task_completed", task_id, at_ms: now };
  const { error, retryable } = outcome;
  if (!retryable || failures + 1 >= retry.max_attempts) return { type: "task_failed", task_id, error, at_ms: now };
  const not_before_ms = now + Math.min(retry.backoff_ms * 2 ** failures, MAX_BACKOFF_MS);
  const order_at_ms = not_before_ms > now ? not_before_ms : offerAgainAt(now, 0);
  return { type: "task_retried", task_id, error, not_before_ms, order_at_ms };
};

const end = (state: PoolState, pool: Pool, command: Told<"end">, { now }: Context): PoolDecision => {
  const { task_id, token, known, outcome } = command;
  const task = state.running.find(({ id }) => id === task_id);
  // Whoever ended a task and did not hear so asks again.
  if (task === undefined) return known !== null && known.token === token ? nothing(known) : stale(task_id);
  if (task.token !== token) return stale(task_id);
  const turn = happened({ state, events: [] }, endOf(task, outcome, now));
  return decided(state, filled(turn, pool, now), { task_id, now });
};

/** What is due for a running task: its claim has run out or nobody has claimed it; with `all` whoever could have is gone. */
const dueEvent = (task: PoolTask, now: Timestamp, all: boolean): PoolEvent | null => {
  const { id: task_id, lease_expires_at_ms: lease, losses } = task;
  if (lease !== null && lease > now && !all) return null;
  if (lease !== null) {
    if (losses + 1 < MAX_LOSSES) return { type: "task_lost", task_id, order_at_ms: offerAgainAt(now, 0) };
    const error = `pool: task ${task_id} was given up: nobody who claimed it gave a sign of life (${losses + 1} times)`;
    return { type: "task_failed", task_id, error, at_ms: now };
  }
  if (!isClaimable(task, now) || (!all && (task.order_at_ms ?? 0) > now)) return null;
  return { type: "task_offered", task_id, order_at_ms: offerAgainAt(now, task.orders + 1) };
};

const sweep = (state: PoolState, pool: Pool, { all }: Told<"sweep">, { now }: Context): PoolDecision => {
  let turn: Turn = { state, events: [] };
  for (const task of state.running) {
    const event = dueEvent(task, now, all);
    if (event !== null) turn = happened(turn, event);
  }
  return decided(state, filled(turn, pool, now), { now });
};

const decideExisting = (
  state: PoolState,
  pool: Pool,
  command: Exclude<PoolCommand, Told<"create">>,
  context: Context,
): PoolDecision => {
  switch (command.type) {
    case "submit":
      return submit(state, pool, command, context);
    case "claim":
      return claim(state, pool, command, context);
    case "renew":
      return renew(state, pool, command, context);
    case "end":
      return end(state, pool, command, context);
    case "sweep":
      return sweep(state, pool, command, context);
    case "drain":
      if (pool.is_draining) return nothing(null);
      return { ok: true, events: [{ type: "pool_drained" }], effects: [], reply: { task: null, is_new: true } };
  }
};

/** A pool with its open tasks (spec/workers 26). */
export const poolMachine: Machine<PoolState, PoolCommand, PoolEvent, OfferTask, PoolReply> = {
  initial: NO_POOL,
  evolve: evolvePool,
  decide: (state, command, context) => {
    if (command.type === "create") return create(state, command, context);
    if (state.pool === null) return reject("pool_not_found", "there is no such pool");
    return decideExisting(state, state.pool, command, context);
  },
};

/** When the pool has to look after its running tasks next; null for never (I1). */
export const wakeAt = ({ running }: PoolState): Timestamp | null => {
  const times = running.flatMap(({ lease_expires_at_ms: lease, order_at_ms: order }) => lease ?? order ?? []);
  return times.length === 0 ? null : Math.min(...times);
};

/** Whether no task waits or runs. */
export const isEmpty = ({ queue, running, blocked }: PoolState): boolean =>
  queue.length + running.length + blocked.length === 0;

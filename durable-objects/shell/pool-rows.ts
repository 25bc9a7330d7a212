import { NO_POOL } from "../../src/engine/pool/machine.ts";
import { touchedTasks } from "../../src/engine/pool/evolve.ts";
import type { EndedCounts, Pool, PoolEvent, PoolState, PoolTask } from "../../src/engine/pool/state.ts";
import type { Json } from "../../src/lib/json.ts";
import type { SqlRow, Store } from "../storage/store.ts";

/** A task with the result that is stored for it; undefined for none. */
export interface StoredTask {
  readonly task: PoolTask;
  readonly result: Json | undefined;
}

/** Writes a new task: one row. */
const insertTask = (store: Store, task: PoolTask, args: string): number =>
  store.write(
    "INSERT INTO task (task_id, seq, status, dispatched, finished_at_ms, state, args) VALUES (?, ?, ?, ?, ?, ?, ?)",
    task.id,
    task.seq,
    task.status,
    task.dispatched,
    task.finished_at_ms,
    JSON.stringify(task),
    args,
  );

/** Writes down where a task is now: one row. */
const updateTask = (store: Store, task: PoolTask, result: string | null): number =>
  store.write(
    "UPDATE task SET seq = ?, status = ?, dispatched = ?, finished_at_ms = ?, state = ?, result = ? WHERE task_id = ?",
    task.seq,
    task.status,
    task.dispatched,
    task.finished_at_ms,
    JSON.stringify(task),
    result,
    task.id,
  );

/** Writes down what a pool is: one row. */
const storePool = (store: Store, pool: Pool): number =>
  store.write(
    "INSERT INTO pool (id, state) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state",
    JSON.stringify(pool),
  );

/** What a command carries that is stored beside a task. */
export interface TaskTexts {
  readonly args?: string;
  readonly ended?: { readonly id: string; readonly result: string };
}

/** Writes down what has happened: one row for each task that it happened to. */
export const storeEvents = (
  store: Store,
  { before, after }: { readonly before: PoolState; readonly after: PoolState },
  events: readonly PoolEvent[],
  { args = "null", ended }: TaskTexts,
): void => {
  if (after.pool !== null && after.pool !== before.pool) storePool(store, after.pool);
  const added = new Set(events.flatMap((event) => ("task" in event ? [event.task.id] : [])));
  for (const task of touchedTasks(before, events)) {
    if (added.has(task.id)) insertTask(store, task, args);
    else updateTask(store, task, ended?.id === task.id ? ended.result : null);
  }
};

const taskOf = (row: SqlRow): PoolTask => JSON.parse(String(row["state"])) as PoolTask;

/** The task with an id; null for none. */
export const loadTask = (store: Store, taskId: string): StoredTask | null => {
  const row = store.query("SELECT state, result FROM task WHERE task_id = ?", taskId)[0];
  if (row === undefined) return null;
  const { result } = row;
  return { task: taskOf(row), result: typeof result === "string" ? (JSON.parse(result) as Json) : undefined };
};

/** What the function of a task is given. */
export const loadArgs = (store: Store, taskId: string): Json => {
  const row = store.query("SELECT args FROM task WHERE task_id = ?", taskId)[0];
  return row === undefined ? null : (JSON.parse(String(row["args"])) as Json);
};

/** The newest tasks, in the order in which they were submitted. */
export const newestTasks = (store: Store, limit: number): readonly PoolTask[] =>
  store
    .query("SELECT state FROM task ORDER BY seq DESC LIMIT ?", limit)
    .map(taskOf)
    .toSorted((a, b) => a.submitted_at_ms - b.submitted_at_ms || a.seq - b.seq);

const endedCounts = (store: Store): EndedCounts => {
  const counts = { completed: 0, failed: 0, rejected: 0 };
  for (const row of store.query("SELECT status, count(*) AS tasks FROM task GROUP BY status")) {
    const status = String(row["status"]);
    if (status === "completed" || status === "failed" || status === "rejected") counts[status] = Number(row["tasks"]);
  }
  return counts;
};

const OPEN = "SELECT state FROM task WHERE status IN ('blocked', 'queued', 'running') ORDER BY seq";

/** The pool with its open tasks, as they were when they were last written. */
export const loadPool = (store: Store): PoolState => {
  const row = store.query("SELECT state FROM pool")[0];
  if (row === undefined) return NO_POOL;
  const open = store.query(OPEN).map(taskOf);
  const having = (status: PoolTask["status"]): readonly PoolTask[] => open.filter((task) => task.status === status);
  const last = store.query("SELECT coalesce(max(seq), 0) AS seq, coalesce(max(dispatched), 0) AS dispatched FROM task");
  const served = store.query("SELECT state FROM task WHERE dispatched IS NOT NULL ORDER BY dispatched DESC LIMIT 1")[0];
  return {
    pool: JSON.parse(String(row["state"])) as Pool,
    seq: Number(last[0]?.["seq"]),
    dispatched: Number(last[0]?.["dispatched"]),
    queue: having("queued"),
    running: having("running").toSorted((a, b) => (a.dispatched ?? 0) - (b.dispatched ?? 0)),
    blocked: having("blocked"),
    last_key: served === undefined ? null : (taskOf(served).key ?? ""),
    ended: endedCounts(store),
  };
};

const KEPT_MS = 7 * 86_400_000;

/** Forgets tasks that were over 7 days ago. */
export const forgetEnded = (store: Store, now: number): number =>
  store.write("DELETE FROM task WHERE finished_at_ms < ?", now - KEPT_MS);

/** Forgets a pool and all its tasks. */
export const forgetPool = (store: Store): void => {
  store.write("DELETE FROM task");
  store.write("DELETE FROM pool");
};

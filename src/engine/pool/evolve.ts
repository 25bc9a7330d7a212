import type { EndedCounts, PoolEvent, PoolState, PoolTask, TaskEvent } from "./state.ts";

type Moved = Exclude<TaskEvent, { readonly task: PoolTask }>;

/** A task after something has happened to it. */
export const evolveTask = (task: PoolTask, event: Moved): PoolTask => {
  switch (event.type) {
    case "task_placed":
      return { ...task, status: "queued", seq: event.seq, submitted_at_ms: event.at_ms };
    case "task_rejected": {
      const { rejection, at_ms } = event;
      return { ...task, status: "rejected", rejection, error: rejection.reason, finished_at_ms: at_ms };
    }
    case "task_dispatched": {
      const { dispatched, slot_index, at_ms, order_at_ms } = event;
      return { ...task, status: "running", dispatched, slot_index, started_at_ms: at_ms, order_at_ms };
    }
    case "task_claimed": {
      const { token, expires_at_ms } = event;
      const claimed = { token, lease_expires_at_ms: expires_at_ms, order_at_ms: null, orders: 0 };
      return { ...task, ...claimed, attempt: task.attempt + 1 };
    }
    case "claim_renewed":
      return { ...task, lease_expires_at_ms: event.expires_at_ms, order_at_ms: null, orders: 0 };
    case "task_offered":
      return { ...task, orders: task.orders + 1, order_at_ms: event.order_at_ms };
    case "task_lost":
      return { ...task, lease_expires_at_ms: null, losses: task.losses + 1, order_at_ms: event.order_at_ms };
    case "task_retried": {
      const { error, not_before_ms, order_at_ms } = event;
      const freed = { token: null, lease_expires_at_ms: null, order_at_ms };
      return { ...task, ...freed, failures: task.failures + 1, error, not_before_ms };
    }
    case "task_completed":
      return { ...task, status: "completed", ...over(event.at_ms), error: null };
    case "task_failed":
      return { ...task, status: "failed", ...over(event.at_ms), error: event.error };
  }
};

const over = (at: number) => ({ finished_at_ms: at, lease_expires_at_ms: null, order_at_ms: null });

const without = (tasks: readonly PoolTask[], id: string): readonly PoolTask[] => tasks.filter((task) => task.id !== id);

const counted = (ended: EndedCounts, how: keyof EndedCounts): EndedCounts => ({ ...ended, [how]: ended[how] + 1 });

/** The open task with an id. */
export const openTask = ({ running, queue, blocked }: PoolState, id: string): PoolTask | undefined => {
  const has = (task: PoolTask): boolean => task.id === id;
  return running.find(has) ?? queue.find(has) ?? blocked.find(has);
};

/** A task in its new place among the open ones, or among those that are over. */
const moved = (state: PoolState, task: PoolTask): PoolState => {
  switch (task.status) {
    case "blocked":
    case "queued":
      return { ...state, blocked: without(state.blocked, task.id), queue: [...state.queue, task] };
    case "running": {
      const index = state.running.findIndex(({ id }) => id === task.id);
      if (index !== -1) return { ...state, running: state.running.with(index, task) };
      const from = { queue: without(state.queue, task.id), last_key: task.key ?? "" };
      return { ...state, ...from, running: [...state.running, task], dispatched: task.dispatched ?? state.dispatched };
    }
    case "rejected":
      return { ...state, queue: without(state.queue, task.id), ended: counted(state.ended, "rejected") };
    case "completed":
    case "failed":
      return { ...state, running: without(state.running, task.id), ended: counted(state.ended, task.status) };
  }
};

/** A pool after something has happened; what speaks of a task that is not open changes nothing. */
export const evolvePool = (state: PoolState, event: PoolEvent): PoolState => {
  switch (event.type) {
    case "pool_created":
      return state.pool === null ? { ...state, pool: event.pool } : state;
    case "pool_drained":
      return state.pool === null ? state : { ...state, pool: { ...state.pool, is_draining: true } };
    case "task_submitted":
      return { ...state, seq: event.task.seq, queue: [...state.queue, event.task] };
    case "task_blocked":
      return { ...state, seq: event.task.seq, blocked: [...state.blocked, event.task] };
    default: {
      const task = openTask(state, event.task_id);
      if (task === undefined) return state;
      const next = moved(state, evolveTask(task, event));
      return event.type === "task_placed" ? { ...next, seq: event.seq } : next;
    }
  }
};

/** The tasks that events are about, as they are after them. */
export const touchedTasks = (before: PoolState, events: readonly PoolEvent[]): readonly PoolTask[] => {
  const touched = new Map<string, PoolTask>();
  for (const event of events) {
    if (event.type === "pool_created" || event.type === "pool_drained") continue;
    if ("task" in event) touched.set(event.task.id, event.task);
    else {
      const task = touched.get(event.task_id) ?? openTask(before, event.task_id);
      if (task !== undefined) touched.set(task.id, evolveTask(task, event));
    }
  }
  return [...touched.values()];
};

import type { PoolConfig, PoolTask } from "./state.ts";

/** What choosing needs of a task. */
export type QueuedTask = Pick<PoolTask, "id" | "seq" | "priority" | "key">;

const mostUrgent = (queue: readonly QueuedTask[]): QueuedTask | undefined => {
  let best: QueuedTask | undefined;
  for (const task of queue) {
    const comesFirst =
      best === undefined || task.priority > best.priority || (task.priority === best.priority && task.seq < best.seq);
    if (comesFirst) best = task;
  }
  return best;
};

/** The key after the one that was served last, in the order in which keys appear; the first where that one has no task. */
const nextInTurn = (queue: readonly QueuedTask[], lastKey: string | null): QueuedTask | undefined => {
  const firsts = new Map<string, QueuedTask>();
  for (const task of queue) if (!firsts.has(task.key ?? "")) firsts.set(task.key ?? "", task);
  const keys = [...firsts.keys()];
  const last = lastKey === null ? -1 : keys.indexOf(lastKey);
  return firsts.get(keys[(last + 1) % keys.length] ?? "");
};

/** The task that takes the next free slot, of a queue in the order of arrival (spec/workers 26.3). */
export const pickTask = (
  { kind }: Pick<PoolConfig["queue"], "kind">,
  queue: readonly QueuedTask[],
  lastKey: string | null,
): QueuedTask | undefined => {
  switch (kind) {
    case "fifo":
      return queue[0];
    case "lifo":
      return queue.at(-1);
    case "priority":
      return mostUrgent(queue);
    case "fair_round_robin":
      return nextInTurn(queue, lastKey);
  }
};

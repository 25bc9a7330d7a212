import { describe, expect, it } from "vitest";
import { pickTask, type QueuedTask } from "../../../src/engine/pool/pick.ts";
import type { QueueKind } from "../../../src/engine/pool/state.ts";

const task = (seq: number, priority = 0, key: string | null = null): QueuedTask => ({
  id: String(seq),
  seq,
  priority,
  key,
});

/** The order in which tasks leave a queue that gets no others. */
const orderOf = (kind: QueueKind, tasks: readonly QueuedTask[], lastKey: string | null = null): readonly number[] => {
  const order: number[] = [];
  let queue = tasks;
  let last = lastKey;
  for (;;) {
    const picked = pickTask({ kind }, queue, last);
    if (picked === undefined) return order;
    order.push(picked.seq);
    last = picked.key ?? "";
    queue = queue.filter((other) => other !== picked);
  }
};

describe("which task comes next", () => {
  it("[L-26.3] fifo takes the front, lifo the back", () => {
    const tasks = [task(1), task(2), task(3)];
    expect(orderOf("fifo", tasks)).toEqual([1, 2, 3]);
    expect(orderOf("lifo", tasks)).toEqual([3, 2, 1]);
  });

  it("[L-26.3, L-29.17] priority takes the highest, and the earliest of equals", () => {
    expect(orderOf("priority", [task(1, 0), task(2, 5), task(3, 5), task(4, 10)])).toEqual([4, 2, 3, 1]);
    expect(orderOf("priority", [task(3, 1), task(2, 1), task(1, -1)])).toEqual([2, 3, 1]);
  });

  it("[L-26.3] fair round robin serves keys in turn, each in its own order", () => {
    const tasks = [task(1, 0, "a"), task(2, 0, "a"), task(3, 0, "b"), task(4, 0, "c"), task(5, 0, "b")];
    // Keys are in turn as they appear in the queue that is left: behind `b` of a, c, b comes a again.
    expect(orderOf("fair_round_robin", tasks)).toEqual([1, 3, 2, 4, 5]);
    const even = [task(1, 0, "a"), task(2, 0, "b"), task(3, 0, "a"), task(4, 0, "b"), task(5, 0, "a")];
    expect(orderOf("fair_round_robin", even)).toEqual([1, 2, 3, 4, 5]);
  });

  it("[L-26.3] it goes on behind the key that was served last, and begins anew where that one is gone", () => {
    const tasks = [task(1, 0, "a"), task(2, 0, "b"), task(3, 0, "c")];
    expect(pickTask({ kind: "fair_round_robin" }, tasks, "a")?.seq).toBe(2);
    expect(pickTask({ kind: "fair_round_robin" }, tasks, "c")?.seq).toBe(1);
    expect(pickTask({ kind: "fair_round_robin" }, tasks, "gone")?.seq).toBe(1);
    expect(pickTask({ kind: "fair_round_robin" }, tasks, null)?.seq).toBe(1);
  });

  it("[L-26.3] no key is a key of its own", () => {
    const tasks = [task(1), task(2), task(3, 0, "a")];
    expect(orderOf("fair_round_robin", tasks)).toEqual([1, 3, 2]);
    expect(pickTask({ kind: "fair_round_robin" }, tasks, "")?.seq).toBe(3);
  });

  it("[L-26.3] nothing comes of an empty queue", () => {
    for (const kind of ["fifo", "lifo", "priority", "fair_round_robin"] as const)
      expect(pickTask({ kind }, [], "a")).toBeUndefined();
  });
});

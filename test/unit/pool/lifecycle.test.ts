import { describe, expect, it } from "vitest";
import { HostedPool, refusalOf, replyOf } from "./fixture.ts";

const claimed = (host: HostedPool, id: string) => {
  const task = replyOf(host.shell.claim(id));
  if (task === null) throw new Error(`${id} is not to be had`);
  return task;
};

describe("making a pool", () => {
  it("[L-26.1, L-30.7] the same scope, scope id, name and options are the same pool", () => {
    const host = new HostedPool({ scope: "pipeline", scope_id: "w" });
    const again = replyOf(host.shell.create("acme", host.config));
    expect(again).toEqual({ pool: host.pool, is_new: false });
    expect(refusalOf(host.shell.create("acme", { ...host.config, max_concurrent: 2 }))).toEqual({
      code: "pool_already_exists",
      detail: `pool_create: pool 'p' already exists (id=${host.pool.id}); use pool_get to reuse`,
    });
  });

  it("[L-26.5] its snapshot", () => {
    const host = new HostedPool({ backpressure: { kind: "queue", max_depth: 4 }, scope: "pipeline", scope_id: "w" });
    const task = host.put({ key: "a", priority: 2 });
    expect(host.view()).toEqual({
      _type: "pool",
      id: host.pool.id,
      name: "p",
      max_concurrent: 1,
      created_at: "2025-10-09T08:53:20.000Z",
      active: 1,
      queued: 0,
      completed: 0,
      failed: 0,
      rejected: 0,
      total: 1,
      queue_strategy: "priority",
      backpressure: { _type: "backpressure", kind: "queue", max_depth: 4, on_full: "block_submitter" },
      blocked_submitters: 0,
      tasks: [task],
      scope: "pipeline",
      scope_id: "w",
      durable: true,
      stale_after_ms: 30_000,
      draining: false,
    });
    expect(new HostedPool().view()).not.toHaveProperty("scope_id");
  });

  it("[L-26.4] an unknown pool and an unknown task are not found", () => {
    const host = new HostedPool();
    expect(refusalOf(host.shell.show("pool_x", 1))).toEqual({
      code: "pool_not_found",
      detail: "pool not found: pool_x",
    });
    expect(refusalOf(host.shell.tasks(host.pool.id, ["t"]))).toEqual({
      code: "task_not_found",
      detail: "task not found: t",
    });
    expect(refusalOf(host.shell.submit("pool_x", { options: {}, request_key: null })).code).toBe("pool_not_found");
    expect(host.load().pending()).toEqual([]);
  });
});

describe("running tasks", () => {
  it("[L-26.3] free slots are filled at once, and again when a task ends", () => {
    const host = new HostedPool({ max_concurrent: 2, queue: "fifo" });
    const [a, b, c] = [host.put(), host.put(), host.put()];
    expect([a.status, b.status, c.status]).toEqual(["running", "running", "queued"]);
    expect(host.offers.map((offer) => offer.task_id)).toEqual([a.id, b.id]);
    host.complete(b.id);
    expect(host.running()).toEqual([a.id, c.id]);
    expect(host.offers.at(-1)).toEqual({
      v: 1,
      tenant: "acme",
      scope: "session",
      scope_id: null,
      name: "p",
      task_id: c.id,
    });
  });

  it("[L-29.17] tasks of a busy pool run by priority", () => {
    const host = new HostedPool();
    const first = host.put();
    const tasks = [0, 5, 5, 10].map((priority) => host.put({ priority }).id);
    const order: (number | undefined)[] = [];
    for (let id: string | undefined = first.id; id !== undefined; [id] = host.running()) {
      host.complete(id);
      order.push(tasks.indexOf(id));
    }
    expect(order.slice(1)).toEqual([3, 1, 2, 0]);
  });

  it("[L-26.4] a task ends with its result or its error", () => {
    const host = new HostedPool({ max_concurrent: 2 });
    const [good, bad] = [host.put({ args: { n: 1 } }), host.put()];
    const work = claimed(host, good.id);
    expect(work).toMatchObject({ handler: "echo", args: { n: 1 }, attempt: 1, timeout_ms: 300_000, lease_ms: 30_000 });
    host.now += 40;
    const ended = replyOf(host.shell.end(good.id, work.token, { type: "succeeded", result: { ok: true } }));
    expect(ended).toMatchObject({
      status: "completed",
      result: { ok: true },
      started_at: "2025-10-09T08:53:20.000Z",
      finished_at: "2025-10-09T08:53:20.040Z",
    });
    const failing = claimed(host, bad.id);
    const failed = replyOf(host.shell.end(bad.id, failing.token, { type: "failed", error: "boom", retryable: true }));
    expect(failed).toMatchObject({ status: "failed", error: "boom" });
    host.restart();
    expect(host.task(good.id)).toEqual(ended);
    expect(host.view()).toMatchObject({ completed: 1, failed: 1, active: 0 });
  });

  it("[I6] only whoever has claimed a task may end it, and asking again is ending once", () => {
    const host = new HostedPool();
    const { id } = host.put();
    const { token } = claimed(host, id);
    expect(replyOf(host.shell.claim(id))).toBeNull();
    expect(refusalOf(host.shell.end(id, "other", { type: "succeeded" })).code).toBe("stale_attempt");
    expect(refusalOf(host.shell.renew(id, "other")).code).toBe("stale_attempt");
    const ended = replyOf(host.shell.end(id, token, { type: "succeeded", result: 1 }));
    expect(replyOf(host.shell.end(id, token, { type: "succeeded", result: 2 }))).toEqual(ended);
    expect(refusalOf(host.shell.end(id, "other", { type: "succeeded" })).code).toBe("stale_attempt");
    expect(refusalOf(host.shell.renew(id, token)).code).toBe("stale_attempt");
    expect(replyOf(host.shell.claim(id))).toBeNull();
    expect(host.view().completed).toBe(1);
  });

  it("[L-26.4] a task may be tried again after a rest, and keeps its slot", () => {
    const host = new HostedPool();
    const { id } = host.put({ retry: { max_attempts: 3, backoff_ms: 1_000 } });
    const other = host.put();
    const fail = (): string => {
      const { token } = claimed(host, id);
      return replyOf(host.shell.end(id, token, { type: "failed", error: "no", retryable: true })).status;
    };
    expect(fail()).toBe("running");
    expect(replyOf(host.shell.claim(id))).toBeNull();
    expect(host.task(other.id).status).toBe("queued");
    host.now += 1_000;
    host.ring();
    expect(host.offers.at(-1)?.task_id).toBe(id);
    expect(fail()).toBe("running");
    host.now += 1_999;
    expect(replyOf(host.shell.claim(id))).toBeNull();
    host.now += 1;
    expect(fail()).toBe("failed");
    expect(host.task(id)).toMatchObject({ attempts: 3, error: "no" });
    expect(host.task(other.id).status).toBe("running");
  });

  it("[I6] one failure counts once, however often it is reported", () => {
    const host = new HostedPool();
    const { id } = host.put({ retry: { max_attempts: 3, backoff_ms: 0 } });
    const { token } = claimed(host, id);
    const fail = () => host.shell.end(id, token, { type: "failed", error: "no", retryable: true });
    expect(replyOf(fail()).status).toBe("running");
    for (let again = 0; again < 3; again += 1) expect(refusalOf(fail()).code).toBe("stale_attempt");
    expect(refusalOf(host.shell.renew(id, token)).code).toBe("stale_attempt");
    expect(claimed(host, id).attempt).toBe(2);
  });

  it("[L-26.4] what no other attempt can mend is not tried again", () => {
    const host = new HostedPool();
    const { id } = host.put({ retry: { max_attempts: 3 } });
    const { token } = claimed(host, id);
    const ended = host.shell.end(id, token, { type: "failed", error: "no function", retryable: false });
    expect(replyOf(ended)).toMatchObject({ status: "failed", attempts: 1 });
  });

  it("[L-26.4] without a rest the next attempt is offered at once", () => {
    const host = new HostedPool();
    const { id } = host.put({ retry: { max_attempts: 2, backoff_ms: 0 } });
    const { token } = claimed(host, id);
    host.shell.end(id, token, { type: "failed", error: "no", retryable: true });
    host.send();
    expect(host.offers.map((offer) => offer.task_id)).toEqual([id, id]);
  });

  it("[api] arguments and results are bounded", () => {
    const host = new HostedPool();
    const long = "x".repeat(262_144);
    expect(refusalOf(host.submit({ args: long })).code).toBe("payload_too_large");
    const { id } = host.put();
    const { token } = claimed(host, id);
    expect(refusalOf(host.shell.end(id, token, { type: "succeeded", result: long })).code).toBe("payload_too_large");
  });
});

describe("lost consumers", () => {
  it("[L-26.6, L-31] a claim that is not renewed gives the task to somebody else", () => {
    const host = new HostedPool({ stale_after_ms: 6_000 });
    const { id } = host.put();
    const first = claimed(host, id);
    host.now += 5_000;
    expect(replyOf(host.shell.renew(id, first.token))).toBeNull();
    host.now += 5_999;
    host.ring();
    expect(host.offers).toHaveLength(1);
    host.now += 1;
    host.ring();
    expect(host.offers).toHaveLength(2);
    const second = claimed(host, id);
    expect(second.attempt).toBe(2);
    expect(refusalOf(host.shell.end(id, first.token, { type: "succeeded", result: 1 })).code).toBe("stale_attempt");
    expect(replyOf(host.shell.end(id, second.token, { type: "succeeded", result: 2 }))).toMatchObject({ result: 2 });
  });

  it("[L-26.6] a late result counts as long as nobody else has begun", () => {
    const host = new HostedPool();
    const { id } = host.put();
    const { token } = claimed(host, id);
    host.now += 60_000;
    host.ring();
    expect(replyOf(host.shell.renew(id, token))).toBeNull();
    host.now += 60_000;
    host.ring();
    expect(replyOf(host.shell.end(id, token, { type: "succeeded", result: 1 })).status).toBe("completed");
  });

  it("[L-26.6] a task over which five consumers are lost is given up, and its slot is free", () => {
    const host = new HostedPool();
    const { id } = host.put();
    const next = host.put();
    for (let loss = 1; loss <= 5; loss += 1) {
      expect(claimed(host, id).attempt).toBe(loss);
      host.now += 30_000;
      host.ring();
    }
    expect(host.task(id)).toMatchObject({
      status: "failed",
      error: `pool: task ${id} was given up: nobody who claimed it gave a sign of life (5 times)`,
    });
    expect(host.task(next.id).status).toBe("running");
    expect(host.offers.at(-1)?.task_id).toBe(next.id);
  });

  it("[I1] an offer that nobody takes is made again, less and less often", () => {
    const host = new HostedPool();
    const { id } = host.put();
    const gaps: number[] = [];
    for (let count = 0; count < 7; count += 1) {
      const before = host.now;
      host.now = host.alarm ?? Infinity;
      gaps.push((host.now - before) / 1_000);
      host.ring();
    }
    expect(gaps).toEqual([10, 20, 40, 80, 160, 300, 300]);
    expect(host.offers.map((offer) => offer.task_id)).toEqual(Array.from({ length: 8 }, () => id));
  });

  it("[I1] what an earlier process had in its hands and queues is offered again at once when it is said to be gone", () => {
    const host = new HostedPool({ max_concurrent: 4 });
    const [a, b, c, d] = [host.put(), host.put(), host.put(), host.put({ retry: { max_attempts: 2 } })];
    const { token } = claimed(host, a.id);
    host.shell.end(d.id, claimed(host, d.id).token, { type: "failed", error: "no", retryable: true });
    host.restart();
    host.shell.sweep(true);
    // The last one rests before its next attempt.
    expect(host.shell.takeOffers().map((offer) => offer.task_id)).toEqual([a.id, b.id, c.id]);
    expect(claimed(host, a.id).attempt).toBe(2);
    expect(refusalOf(host.shell.renew(a.id, token)).code).toBe("stale_attempt");
    host.shell.sweep(false);
    expect(host.shell.takeOffers()).toEqual([]);
  });

  it("[L-30.7] tasks that were queued over a restart stay queued, and running ones run", () => {
    const host = new HostedPool({ queue: "fifo" });
    const [a, b, c] = [host.put(), host.put(), host.put()];
    host.restart();
    expect([a, b, c].map(({ id }) => host.task(id).status)).toEqual(["running", "queued", "queued"]);
    host.complete(a.id);
    expect(host.task(b.id).status).toBe("running");
  });

  it("[L-26.3] whose turn it is outlives the object's memory, however often", () => {
    const host = new HostedPool({ queue: "fair_round_robin" });
    const [a1, a2, b1] = ["a", "a", "b", "c"].map((key) => host.put({ key }).id);
    host.restart();
    host.complete(a1 ?? "");
    expect(host.running()).toEqual([b1]);
    host.restart();
    host.complete(b1 ?? "");
    expect(host.running()).toEqual([a2]);
  });
});

describe("removing a pool", () => {
  it("[L-31] an empty pool goes, with its tasks", () => {
    const host = new HostedPool();
    const { id } = host.put();
    host.complete(id);
    expect(replyOf(host.shell.remove(host.pool.id))).toMatchObject({ is_removed: true, pool: { completed: 1 } });
    expect(refusalOf(host.shell.show(host.pool.id, 1)).code).toBe("pool_not_found");
    expect(host.alarm).toBeNull();
    const again = replyOf(host.shell.create("acme", host.config));
    expect(again.is_new).toBe(true);
    expect(again.pool.id).not.toBe(host.pool.id);
    expect(refusalOf(host.shell.tasks(again.pool.id, [id])).code).toBe("task_not_found");
  });

  it("[L-31] any other takes no more tasks and goes when it is empty", () => {
    const host = new HostedPool();
    const [first, second] = [host.put(), host.put()];
    expect(replyOf(host.shell.remove(host.pool.id))).toMatchObject({ is_removed: false, pool: { draining: true } });
    expect(refusalOf(host.submit())).toMatchObject({ code: "pool_draining" });
    host.restart();
    expect(refusalOf(host.submit())).toMatchObject({ code: "pool_draining" });
    expect(replyOf(host.shell.remove(host.pool.id)).is_removed).toBe(false);
    host.complete(first.id);
    host.complete(second.id);
    expect(replyOf(host.shell.remove(host.pool.id)).is_removed).toBe(true);
  });

  it("[L-26.6] tasks are forgotten a week after their end", () => {
    const host = new HostedPool();
    const [old, open] = [host.put(), host.put()];
    host.complete(old.id);
    host.now += 7 * 86_400_000 + 1;
    host.restart();
    expect(refusalOf(host.shell.tasks(host.pool.id, [old.id])).code).toBe("task_not_found");
    expect(host.task(open.id).status).toBe("running");
  });
});

const costOf = (host: HostedPool, work: () => unknown): number => {
  host.rows = 0;
  work();
  return host.rows;
};

describe("what tasks cost", () => {
  it("[I3] a task writes a row for each thing that happens to it", () => {
    const host = new HostedPool();
    const ids: string[] = [];
    expect(costOf(host, () => ids.push(host.put().id))).toBe(1);
    expect(costOf(host, () => ids.push(host.put().id))).toBe(1);
    const [first = "", second = ""] = ids;
    const { token } = claimed(host, first);
    expect(costOf(host, () => host.shell.renew(first, token))).toBe(1);
    // Its own end, and the slot that the next one gets with it.
    expect(costOf(host, () => host.shell.end(first, token, { type: "succeeded", result: 1 }))).toBe(2);
    let last = "";
    expect(costOf(host, () => (last = claimed(host, second).token))).toBe(1);
    expect(costOf(host, () => host.shell.end(second, last, { type: "succeeded", result: 1 }))).toBe(1);
    expect(costOf(host, () => host.submit({ id: "k" }))).toBe(1);
    expect(costOf(host, () => host.submit({ id: "k" }))).toBe(0);
    expect(costOf(host, () => [host.view(), host.task(first), host.shell.pending()])).toBe(0);
  });

  it("[I3] what fails in the middle of a commit leaves nothing behind", () => {
    const host = new HostedPool();
    const { write } = host.store;
    Object.assign(host.store, {
      write: (sql: string, ...values: (string | number | null)[]) => {
        const rows = write(sql, ...values);
        if (sql.startsWith("INSERT INTO task")) throw new Error("the disk is full");
        return rows;
      },
    });
    expect(() => host.submit()).toThrow("the disk is full");
    Object.assign(host.store, { write });
    expect(host.view()).toMatchObject({ total: 0 });
    host.restart();
    expect(host.view()).toMatchObject({ total: 0, tasks: [] });
    expect(host.put().status).toBe("running");
  });
});

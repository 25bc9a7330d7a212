import { describe, expect, it } from "vitest";
import { HostedPool, replyOf } from "./fixture.ts";

describe("the audit of a pool", () => {
  it("[L-26.7, L-30.7] has every kind, with its schema, in the order of time", () => {
    const host = new HostedPool({ backpressure: { kind: "ring_buffer", capacity: 1 } });
    const first = host.put({ submitter: { run_id: "run-1" }, priority: 3, key: "k", id: "i" });
    host.now += 10;
    const dropped = host.put();
    host.now += 10;
    const last = host.put();
    host.now += 10;
    host.complete(first.id);
    host.now += 10;
    host.complete(last.id);
    const audit = replyOf(host.shell.audit(host.pool.id, 100));
    expect(audit.map(({ kind, payload }) => [kind, payload["task_id"]])).toEqual([
      ["pool_create", undefined],
      ["pool_submit", first.id],
      ["pool_dequeue", first.id],
      ["pool_submit", dropped.id],
      ["pool_submit", last.id],
      ["pool_drop", dropped.id],
      ["pool_dequeue", last.id],
      ["pool_complete", first.id],
      ["pool_complete", last.id],
    ]);
    expect(audit[0]).toMatchObject({ headers: { schema: "harn.pool_create.v1" }, payload: { max_concurrent: 1 } });
    expect(audit[1]).toEqual({
      kind: "pool_submit",
      at: "2025-10-09T08:53:20.000Z",
      headers: { schema: "harn.pool_submit.v1" },
      payload: {
        pool_id: host.pool.id,
        pool: "p",
        task_id: first.id,
        submitted_at: "2025-10-09T08:53:20.000Z",
        priority: 3,
        key: "k",
        idempotency_key: "i",
        submitted_by: "run-1",
      },
    });
    expect(audit[5]).toEqual({
      kind: "pool_drop",
      at: "2025-10-09T08:53:20.020Z",
      headers: { schema: "harn.pool_drop.v1", policy: "ring_buffer" },
      payload: {
        pool_id: host.pool.id,
        pool: "p",
        task_id: dropped.id,
        replacement_task_id: last.id,
        reason: "ring_buffer_drop_oldest",
        policy: "ring_buffer",
        queue_depth: 1,
        max_depth: 1,
        occurred_at: "2025-10-09T08:53:20.020Z",
      },
    });
    expect(audit[6]).toMatchObject({
      headers: { schema: "harn.pool_dequeue.v1" },
      payload: { dequeued_at: "2025-10-09T08:53:20.030Z", queued_for_ms: 10, slot_index: 0 },
    });
    expect(audit[8]).toMatchObject({
      headers: { schema: "harn.pool_complete.v1" },
      payload: { status: "completed", ran_for_ms: 10, attempts: 1, error: null },
    });
  });

  it("[L-26.7] a ticket has not submitted yet, and slots are counted from zero", () => {
    const host = new HostedPool({ max_concurrent: 2, backpressure: { kind: "queue", max_depth: 1 } });
    const tasks = [host.put(), host.put(), host.put()];
    const ticket = host.put();
    const about = (id: string) =>
      replyOf(host.shell.audit(host.pool.id, 100)).filter(({ payload }) => payload["task_id"] === id);
    expect(about(ticket.id)).toEqual([]);
    expect(about(tasks[1]?.id ?? "")[1]).toMatchObject({ payload: { slot_index: 1 } });
    host.complete(tasks[0]?.id ?? "");
    expect(about(ticket.id).map(({ kind }) => kind)).toEqual(["pool_submit"]);
    expect(about(tasks[2]?.id ?? "")[1]).toMatchObject({ payload: { slot_index: 0 } });
  });
});

describe("what a pool has not settled", () => {
  it("[L-21.4] queued tasks in the order of the queue, then running ones by id", () => {
    const host = new HostedPool({ max_concurrent: 2 });
    const running = [host.put({ id: "x" }), host.put({ id: "y" })].map(({ id }) => id);
    const queued = [host.put(), host.put({ priority: 5, key: "k", id: "z" })].map(({ id }) => id);
    host.now += 250;
    const pending = host.shell.pending();
    expect(pending.map(({ id }) => id)).toEqual([...queued, ...running.toSorted()]);
    expect(pending[1]).toEqual({
      id: queued[1],
      task_id: queued[1],
      pool_id: host.pool.id,
      pool_name: "p",
      status: "queued",
      priority: 5,
      key: "k",
      idempotency_key: "z",
      submitted_at: "2025-10-09T08:53:20.000Z",
      submitted_at_ms: 1_760_000_000_000,
      submitted_by: "user",
      started_at: null,
      age_ms: 250,
    });
    expect(pending[2]).toMatchObject({ status: "running", started_at: "2025-10-09T08:53:20.000Z" });
    for (const id of running) host.complete(id);
    for (const id of queued) host.complete(id);
    expect(host.shell.pending()).toEqual([]);
  });
});

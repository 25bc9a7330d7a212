import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/lib/json.ts";
import { HostedPool, refusalOf, replyOf } from "./fixture.ts";

const bounded = (on_full: string, more: JsonObject = {}): HostedPool =>
  new HostedPool({ backpressure: { kind: "queue", max_depth: 2, on_full }, queue: "fifo", ...more });

describe("a task without a place", () => {
  it("[L-26.2] unbounded has room for every one", () => {
    const host = new HostedPool();
    for (let count = 0; count < 20; count += 1) host.put();
    expect(host.view()).toMatchObject({ active: 1, queued: 19, total: 20 });
  });

  it("[L-26.2] fail_fast takes only what can run at once", () => {
    const host = new HostedPool({ backpressure: "fail_fast", max_concurrent: 2 });
    const first = host.put();
    host.put();
    expect(refusalOf(host.submit())).toEqual({
      code: "pool_busy",
      detail: "HARN-POL-002: pool.submit: pool 'p' has no immediate capacity under fail_fast backpressure",
    });
    host.complete(first.id);
    expect(host.put().status).toBe("running");
    expect(host.view()).toMatchObject({ active: 2, queued: 0, completed: 1 });
  });

  it("[L-26.2] fail_submitter refuses, and nothing is kept of the task", () => {
    const host = bounded("fail_submitter");
    for (let count = 0; count < 3; count += 1) host.put();
    expect(refusalOf(host.submit())).toEqual({
      code: "pool_full",
      detail: "HARN-POL-001: pool.submit: pool 'p' queue is full under fail_submitter backpressure",
    });
    expect(host.view()).toMatchObject({ active: 1, queued: 2, rejected: 0, total: 3 });
  });

  it("[L-26.2] drop_oldest rejects the front of the queue in the order of arrival, whatever its strategy", () => {
    const host = bounded("drop_oldest", { queue: "priority" });
    const [, oldest] = [host.put(), host.put({ priority: 9 }), host.put()];
    const newest = host.put();
    expect(newest.status).toBe("queued");
    expect(host.task(oldest?.id ?? "")).toMatchObject({
      status: "rejected",
      error: "drop_oldest_queue_full",
      rejection_reason: "drop_oldest_queue_full",
      rejection_policy: "drop_oldest",
    });
    expect(host.view()).toMatchObject({ active: 1, queued: 2, rejected: 1 });
  });

  it("[L-26.2] a ring buffer does the same under its own name", () => {
    const host = new HostedPool({ backpressure: { kind: "ring_buffer", capacity: 1 } });
    const [, oldest] = [host.put(), host.put()];
    host.put();
    expect(host.task(oldest?.id ?? "")).toMatchObject({
      status: "rejected",
      rejection_reason: "ring_buffer_drop_oldest",
      rejection_policy: "ring_buffer",
    });
  });

  it("[L-26.2] drop_newest makes the task and rejects it at once", () => {
    const host = bounded("drop_newest");
    for (let count = 0; count < 3; count += 1) host.put();
    const answer = replyOf(host.submit());
    expect(answer).toMatchObject({
      is_new: true,
      task: { status: "rejected", rejection_reason: "drop_newest_queue_full", rejection_policy: "drop_newest" },
    });
    expect(host.task(answer.task.id)).toEqual(answer.task);
    expect(host.view()).toMatchObject({ queued: 2, rejected: 1 });
  });

  it("[L-26.2, L-31] block_submitter answers at once with a ticket, which gets its place in its turn", () => {
    const host = bounded("block_submitter");
    const tasks = [host.put(), host.put(), host.put()];
    const [one, two] = [host.put(), host.put()];
    expect(one).toMatchObject({ status: "blocked", tickets_before: 0 });
    expect(two).toMatchObject({ status: "blocked", tickets_before: 1 });
    expect(host.view()).toMatchObject({ active: 1, queued: 2, blocked_submitters: 2, total: 3 });
    host.now += 500;
    host.complete(tasks[0]?.id ?? "");
    expect(host.task(one.id)).toMatchObject({ status: "queued" });
    expect(host.task(one.id).submitted_at > one.submitted_at).toBe(true);
    expect(host.task(one.id)).not.toHaveProperty("tickets_before");
    expect(host.task(two.id)).toMatchObject({ status: "blocked", tickets_before: 0 });
    for (const task of [...tasks.slice(1), one]) host.complete(task.id);
    expect(host.task(two.id).status).toBe("running");
    expect(host.view()).toMatchObject({ active: 1, queued: 0, blocked_submitters: 0, completed: 4 });
  });

  it("[L-31] a ticket outlives the object's memory", () => {
    const host = bounded("block_submitter");
    const [first] = [host.put(), host.put(), host.put()];
    const ticket = host.put();
    host.restart();
    expect(host.task(ticket.id)).toMatchObject({ status: "blocked", tickets_before: 0 });
    host.complete(first?.id ?? "");
    expect(host.task(ticket.id).status).toBe("queued");
  });
});

describe("submitting again", () => {
  it("[L-26.2] the same key is the same task, whatever has become of it", () => {
    const host = new HostedPool();
    const first = host.put({ idempotency_key: "k", args: 1 });
    expect(replyOf(host.submit({ id: "k", args: 2 }))).toMatchObject({ is_new: false, task: { id: first.id } });
    const claimed = replyOf(host.shell.claim(first.id));
    host.shell.end(first.id, claimed?.token ?? "", { type: "failed", error: "no", retryable: true });
    host.restart();
    expect(replyOf(host.submit({ idempotency_key: "k" }))).toMatchObject({
      is_new: false,
      task: { id: first.id, status: "failed", error: "no" },
    });
    expect(host.view()).toMatchObject({ total: 1 });
  });

  it("[L-26.2] a blocked and a dropped task are found again as well", () => {
    const blocking = bounded("block_submitter");
    for (let count = 0; count < 3; count += 1) blocking.put();
    const ticket = blocking.put({ id: "k" });
    expect(replyOf(blocking.submit({ id: "k" }))).toEqual({ task: ticket, is_new: false });
    const dropping = bounded("drop_newest");
    for (let count = 0; count < 3; count += 1) dropping.put();
    const rejected = dropping.put({ id: "k" });
    expect(replyOf(dropping.submit({ id: "k" }))).toEqual({ task: rejected, is_new: false });
  });

  it("[I5] the key of a request makes the same request safe, and refuses another one", () => {
    const host = new HostedPool();
    const first = replyOf(host.submit({ args: 1 }, "r"));
    expect(replyOf(host.submit({ args: 1 }, "r"))).toMatchObject({ is_new: false, task: { id: first.task.id } });
    expect(refusalOf(host.submit({ args: 2 }, "r"))).toMatchObject({ code: "idempotency_key_reused" });
    expect(replyOf(host.submit({ args: 2 }, "other")).is_new).toBe(true);
  });
});

import { describe, expect, it } from "vitest";
import { decodeWebhookOrder } from "../../../src/schema/worker-webhook.ts";
import type { WebhookOrder } from "../../../src/engine/worker/webhook.ts";
import { went, WorkerFixture } from "../../support/worker-fixture.ts";

const TARGET = { url: "https://receiver.test/in", headers: {}, secret_ref: null };
const HOUR_MS = 3_600_000;

const sending = (order: Partial<WebhookOrder> = {}): WorkerFixture =>
  WorkerFixture.spawned({ webhook: { target: TARGET, events: null, ...order } });

const begun = (order: Partial<WebhookOrder> = {}): WorkerFixture => {
  const worker = sending(order);
  worker.tell({ type: "cycle_began", cycle: 1, run_id: "run_1" });
  return worker;
};

const report = (from: number, delivered: number, error: string | null = null) =>
  ({ type: "report_webhook", from, delivered, error }) as const;

describe("the webhook of a worker", () => {
  it("[L-13] owes nothing before there is an event, and each event from then on", () => {
    const worker = sending();
    expect(worker.worker.webhook).toMatchObject({ emitted: 0, next_at_ms: null });
    worker.tell({ type: "cycle_began", cycle: 1, run_id: "run_1" });
    expect(worker.worker.webhook).toMatchObject({ emitted: 1, newest: 1, settled: 0, next_at_ms: worker.now });
    worker.tell(report(0, 1));
    expect(worker.worker.webhook).toMatchObject({ settled: 1, next_at_ms: null });
    worker.tell({ type: "cycle_ended", cycle: 1, result: went("done") });
    expect(worker.worker.webhook).toMatchObject({ emitted: 2, newest: 2, settled: 1, next_at_ms: worker.now });
  });

  it("[L-13] owes only the events that are wanted", () => {
    const worker = begun({ events: ["WorkerCompleted"] });
    expect(worker.worker.webhook).toMatchObject({ emitted: 1, newest: 0, next_at_ms: null });
    worker.tell({ type: "cycle_ended", cycle: 1, result: went("done") });
    expect(worker.worker.webhook).toMatchObject({ emitted: 2, newest: 2, next_at_ms: worker.now });
  });

  it("[L-13] waits longer after each failure, an hour at most, and begins anew after a success", () => {
    const worker = begun();
    worker.tell({ type: "cycle_ended", cycle: 1, result: went("done") });
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 12; attempt += 1) {
      worker.tell(report(0, 0, "the receiver answered 503"));
      expect(worker.worker.webhook).toMatchObject({ attempts: attempt, settled: 0 });
      waits.push((worker.worker.webhook?.next_at_ms ?? 0) - worker.now);
    }
    for (const [index, wait] of waits.entries()) {
      const base = Math.min(5_000 * 2 ** index, HOUR_MS);
      expect(wait).toBeGreaterThanOrEqual(base);
      expect(wait).toBeLessThanOrEqual(base * 1.2);
    }
    worker.tell(report(0, 1, "the receiver answered 503"));
    expect(worker.worker.webhook).toMatchObject({ attempts: 1, settled: 1, failing_since_ms: worker.now });
  });

  it("[L-13] is given up when failures have lasted twelve hours, and takes later events again", () => {
    const worker = begun();
    worker.tell(report(0, 0, "the receiver could not be reached"));
    worker.now += 12 * HOUR_MS - 1;
    worker.tell(report(0, 0, "the receiver could not be reached"));
    expect(worker.worker.webhook?.next_at_ms).not.toBeNull();
    worker.now += 1;
    worker.tell(report(0, 0, "the receiver could not be reached"));
    expect(worker.worker.webhook).toMatchObject({ settled: 1, attempts: 0, failing_since_ms: null, next_at_ms: null });
    worker.tell({ type: "cycle_ended", cycle: 1, result: went("done") });
    expect(worker.worker.webhook).toMatchObject({ settled: 1, newest: 2, next_at_ms: worker.now });
  });

  it("[L-13] is given up at once where no attempt can do better", () => {
    const worker = begun();
    worker.tell({ ...report(0, 0, "the tenant has no webhook any more"), hopeless: true });
    expect(worker.worker.webhook).toMatchObject({ settled: 1, next_at_ms: null });
  });

  it("[L-13] takes no report about what was settled meanwhile, or never was", () => {
    const worker = begun();
    worker.tell(report(0, 1));
    const { webhook } = worker.worker;
    for (const late of [report(0, 0, "late"), report(0, 1), report(1, 0), report(1, 2), report(1, 1)]) {
      worker.tell(late);
      expect(worker.worker.webhook).toBe(webhook);
    }
    const silent = WorkerFixture.running();
    silent.tell(report(0, 0, "nobody"));
    expect(silent.worker.webhook).toBeUndefined();
  });
});

describe("the webhook of a spawn config", () => {
  it("[L-13] names where events go, which, and what signs", () => {
    expect(decodeWebhookOrder(undefined)).toEqual({ ok: true, value: null });
    expect(
      decodeWebhookOrder({
        url: "https://a.test/x",
        events: ["WorkerFailed"],
        secret_ref: "HOOK",
        headers: { a: "b" },
      }),
    ).toEqual({
      ok: true,
      value: {
        target: { url: "https://a.test/x", headers: { a: "b" }, secret_ref: "HOOK" },
        events: ["WorkerFailed"],
      },
    });
  });

  it.each([
    [{ url: "https://a.test", secret: "s" }, "secret_ref"],
    [{ url: "ftp://a.test" }, "config.webhook.url"],
    [{ url: "https://a.test", events: [] }, "config.webhook.events"],
    [{ url: "https://a.test", headers: { Authorization: "Bearer s" } }, "{{secret.NAME}}"],
    [{ url: "https://a.test", headers: { "webhook-id": "s" } }, "sets itself"],
    [{ url: "https://a.test", more: 1 }, "config.webhook"],
  ])("[L-13] refuses %j", (given, text) => {
    const read = decodeWebhookOrder(given);
    expect(read).toMatchObject({ ok: false, error: expect.stringContaining(text) });
  });
});

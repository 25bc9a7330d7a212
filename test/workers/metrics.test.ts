import { env } from "cloudflare:workers";
import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { indexDeadLetter, indexEvent } from "../../src/queue/index-events.ts";
import { MetricBuffer } from "../../src/queue/metric-buffer.ts";
import { TriggerMoments } from "../../src/queue/trigger-metrics.ts";
import worker from "../../src/index.ts";
import { clientFor, get, migrateDatabase, post, refusal, send } from "./http-setup.ts";
import { put } from "./trigger-setup.ts";

beforeAll(migrateDatabase);

let count = 0;

/** Gives the consumer of the index queue a batch. */
const index = async (bodies: readonly unknown[], at = new Date()) => {
  const messages = bodies.map((body) => ({ id: `m${(count += 1)}`, timestamp: at, attempts: 1, body }));
  const batch = createMessageBatch("godwit-index", messages);
  const ctx = createExecutionContext();
  await worker.queue(batch, env, ctx);
  return getQueueResult(batch, ctx);
};

const HISTOGRAM = "harn_trigger_predicate_cost_usd";

const metrics = (name: string, value: number, labels = {}, buckets?: readonly number[]) => ({
  name,
  labels: { trigger_id: "hub", ...labels },
  value,
  ...(buckets === undefined ? {} : { buckets }),
});

const page = async (tenant: string): Promise<string> => {
  const response = await get("/metrics", { "Godwit-Tenant": tenant });
  expect(response.status).toBe(200);
  expect(response.headers.get("Content-Type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return response.text();
};

const made = async (scope: string): Promise<string> => {
  const response = await post("/v1/keys", { scopes: [scope] }, { "Godwit-Tenant": "acme" });
  return (await response.json<{ key: string }>()).key;
};

const read = (key: string) => send("/metrics", { headers: { Authorization: `Bearer ${key}` } });

const pendingOf = (trigger: string, n: number): string => `godwit_dead_letters_pending{trigger_id="${trigger}"} ${n}\n`;

describe("GET /metrics", () => {
  it("[T-21] adds up what batches bring, a row for each series, apart for each tenant", async () => {
    const samples = [
      metrics("harn_trigger_received_total", 2),
      metrics(HISTOGRAM, 0.5, {}, [0, 0, 0, 0, 0, 1, 0]),
      metrics(HISTOGRAM, 3, {}, [1, 0, 0, 0, 0, 0, 2]),
    ];
    const message = (tenant: string) => ({ v: 1, tenant, metrics: samples });
    await index([message("one"), message("two"), message("one")]);
    await index([message("one")]);
    const text = await page("one");
    expect(text).toContain(
      '# TYPE harn_trigger_received_total counter\nharn_trigger_received_total{trigger_id="hub"} 6\n',
    );
    expect(text).toContain(`${HISTOGRAM}_bucket{trigger_id="hub",le="0"} 3\n`);
    expect(text).toContain(`${HISTOGRAM}_bucket{trigger_id="hub",le="1"} 6\n`);
    expect(text).toContain(`${HISTOGRAM}_bucket{trigger_id="hub",le="+Inf"} 12\n`);
    expect(text).toContain(`${HISTOGRAM}_sum{trigger_id="hub"} 10.5\n`);
    expect(await page("two")).toContain('harn_trigger_received_total{trigger_id="hub"} 2\n');
    const rows = await env.DB.prepare("SELECT name FROM metric_counters WHERE tenant = 'one'").all();
    expect(rows.results).toHaveLength(2);
  });

  it("[T-21] a message about figures that cannot be read is let go, and the others count", async () => {
    const bad = [
      { v: 1, tenant: "bad" },
      { v: 1, tenant: "bad", metrics: [{ name: 1 }] },
      { v: 1, tenant: "bad", metrics: [], event: {} },
    ];
    const good = { v: 1, tenant: "bad", metrics: [metrics("harn_trigger_retries_total", 1)] };
    const result = await index([...bad, good]);
    expect(result.explicitAcks).toHaveLength(4);
    expect(await page("bad")).toContain('harn_trigger_retries_total{trigger_id="hub"} 1\n');
  });

  it("[T-20.1] needs a key with the scope `triggers`, which sees its own tenant", async () => {
    expect(await refusal(send("/metrics"))).toMatchObject({ status: 401, code: "unauthorized" });
    await post("/v1/tenants", { tenant: "acme" });
    const [weak, strong] = [await made("runs:read"), await made("triggers")];
    expect(await refusal(read(weak))).toMatchObject({ status: 403 });
    await index([{ v: 1, tenant: "acme", metrics: [metrics("harn_trigger_retries_total", 7)] }]);
    expect(await (await read(strong)).text()).toContain('harn_trigger_retries_total{trigger_id="hub"} 7\n');
    expect(await clientFor(strong).triggers.metrics()).not.toContain(HISTOGRAM);
  });

  it("[T-21] what a buffer tells reaches the page through the queue", async () => {
    const buffer = new MetricBuffer(env);
    const moments = new TriggerMoments(buffer.for("told"), {
      tenant: "told",
      trigger_id: "hub",
      version: 1,
      provider: "github",
    });
    moments.received(0.02);
    moments.received(400);
    await buffer.flush();
    await vi.waitFor(
      async () =>
        expect(await page("told")).toContain('harn_trigger_received_total{provider="github",trigger_id="hub"} 2\n'),
      { timeout: 10_000 },
    );
    const labels = 'binding_key="hub@v1",provider="github",status="normalized",tenant_id="told",trigger_id="hub"';
    const name = "harn_trigger_webhook_accepted_to_normalized_seconds";
    expect(await page("told")).toContain(
      `${name}_bucket{${labels},le="300"} 1\n${name}_bucket{${labels},le="+Inf"} 2\n`,
    );
  }, 20_000);

  it("[T-21] gauges are those of the moment, with zero for a trigger that has nothing", async () => {
    const tenant = { "Godwit-Tenant": "gauges" };
    await put("quiet", {}, tenant);
    const at = new Date(Date.now() - 60_000).toISOString();
    const event = (id: string, status: string) => ({
      v: 1,
      seq: 1,
      tenant: "gauges",
      event: {
        event_id: id,
        trigger_id: "busy",
        provider: "github",
        kind: "k",
        dedupe_key: id,
        status,
        run_id: null,
        receipt: null,
        error: null,
        received_at: at,
        updated_at: at,
      },
    });
    const dead = {
      seq: 1,
      dlq_id: "dlq_1",
      event_id: "e4",
      trigger_id: "busy",
      binding_version: 1,
      provider: "github",
      kind: "k",
      state: "pending" as const,
      error: null,
      error_class: null,
      created_at: at,
      updated_at: at,
    };
    await index([
      event("e1", "parked"),
      event("e2", "retrying"),
      event("e3", "dispatching"),
      { ...event("e4", "dead_lettered"), dead_letter: dead },
    ]);
    const text = await page("gauges");
    expect(text).toContain('harn_trigger_inflight{trigger_id="busy"} 2\nharn_trigger_inflight{trigger_id="quiet"} 0\n');
    expect(text).toContain(pendingOf("busy", 1));
    const age = /harn_trigger_oldest_pending_age_seconds\{trigger_id="busy"\} ([\d.]+)/.exec(text)?.[1];
    expect(Number(age)).toBeGreaterThanOrEqual(60);
    expect(text).toContain("slack_events_auto_disable_min_success_ratio 0.05\n");
    await indexDeadLetter(env, "gauges", { ...dead, seq: 2, state: "resolved" });
    await vi.waitFor(async () => expect(await page("gauges")).not.toContain(pendingOf("busy", 1)), { timeout: 10_000 });
    await indexEvent(env, "gauges", { row: event("e4", "dead_lettered").event, seq: 2 }, { dead_letter: dead });
    await index([{ v: 1, tenant: "gauges", dead_letter: dead }]);
    expect(await page("gauges")).toContain(pendingOf("quiet", 0));
    expect(await page("gauges")).not.toContain(pendingOf("busy", 1));
  }, 20_000);
});

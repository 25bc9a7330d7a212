import { describe, expect, it } from "vitest";
import type { Bindings } from "../../../src/http/call.ts";
import type { Series } from "../../../src/lib/metric-series.ts";
import { MetricBuffer } from "../../../src/queue/metric-buffer.ts";
import { TriggerMoments } from "../../../src/queue/trigger-metrics.ts";

interface Sent {
  readonly tenant: string;
  readonly metrics: readonly Series[];
}

/** The bindings that a buffer needs, with what they were given. */
const world = ({ breaks = false } = {}) => {
  const sent: Sent[] = [];
  const points: AnalyticsEngineDataPoint[] = [];
  const env = {
    INDEX_QUEUE: {
      send: (message: Sent) => {
        if (breaks) return Promise.reject(new Error("the queue is away"));
        sent.push(message);
        return Promise.resolve();
      },
    },
    METRICS: {
      writeDataPoint: (point: AnalyticsEngineDataPoint) => {
        if (breaks) throw new Error("too many points");
        points.push(point);
      },
    },
  };
  return { sent, points, env: env as unknown as Pick<Bindings, "INDEX_QUEUE" | "METRICS"> };
};

let tenants = 0;

const newTenant = (): string => `tenant-${(tenants += 1)}`;

const subject = (tenant: string) => ({ tenant, trigger_id: "t", version: 3, provider: "github" });

const samplesOf = (happen: (moments: TriggerMoments) => void): readonly string[] => {
  const buffer = new MetricBuffer(world().env);
  const tenant = newTenant();
  happen(new TriggerMoments(buffer.for(tenant), subject(tenant)));
  return buffer.take(tenant).map(({ name, labels }) => `${name} ${labels["status"] ?? labels["outcome"] ?? ""}`);
};

describe("what a request counts", () => {
  it("[T-21] is told in one message for each tenant, with one entry for each series", async () => {
    const { env, sent } = world();
    const buffer = new MetricBuffer(env);
    const [one, other] = [newTenant(), newTenant()];
    for (let i = 0; i < 5; i += 1) buffer.for(one).count("harn_trigger_deduped_total", { trigger_id: "t" });
    buffer.for(other).observe("harn_http_body_size_bytes", {}, 100);
    await buffer.flush();
    expect(sent).toEqual([
      { v: 1, tenant: one, metrics: [{ name: "harn_trigger_deduped_total", labels: { trigger_id: "t" }, value: 5 }] },
      expect.objectContaining({ tenant: other }),
    ]);
    await buffer.flush();
    expect(sent).toHaveLength(2);
  });

  it("[T-21] is not told again when it went with another message", async () => {
    const { env, sent } = world();
    const tenant = newTenant();
    const buffer = new MetricBuffer(env);
    buffer.for(tenant).count("harn_trigger_deduped_total", {}, 4);
    expect(buffer.take(tenant)).toMatchObject([{ value: 4 }]);
    expect(buffer.take(tenant)).toEqual([]);
    await buffer.flush();
    expect(sent).toEqual([]);
  });

  it("[T-21] of strangers is told at once, and then once in ten seconds or with the next message", async () => {
    const { env, sent } = world();
    const tenant = newTenant();
    const refuse = async (now: number): Promise<void> => {
      const buffer = new MetricBuffer(env);
      new TriggerMoments(buffer.for(tenant), subject(tenant)).rejected("invalid_signature");
      await buffer.rest(now);
    };
    for (const now of [0, 1, 2, 9_999, 10_000]) await refuse(now);
    expect(sent.map(({ metrics }) => metrics[0]?.value)).toEqual([1, 4]);
    await refuse(10_001);
    expect(new MetricBuffer(env).take(tenant)).toMatchObject([{ value: 1 }]);
  });

  it("[T-21] is split where it does not fit into a message", async () => {
    const { env, sent } = world();
    const tenant = newTenant();
    const buffer = new MetricBuffer(env);
    for (let i = 0; i < 450; i += 1) buffer.for(tenant).count("harn_trigger_deduped_total", { trigger_id: `t${i}` });
    await buffer.flush();
    expect(sent.map(({ metrics }) => metrics.length)).toEqual([200, 200, 50]);
  });

  it("[T-26.2] is a point of Analytics Engine for each sample, at most 200 of an invocation", () => {
    const { env, points } = world();
    const moments = new TriggerMoments(new MetricBuffer(env).for("acme"), subject("acme"));
    moments.attemptEnded("timeout", 1.5);
    expect(points).toEqual([
      {
        indexes: ["t"],
        blobs: ["harn_trigger_dispatch_runtime_seconds", "t@v3", "github", "acme", "timeout"],
        doubles: [1.5],
      },
    ]);
    for (let i = 0; i < 300; i += 1) moments.attemptEnded("failed", 1);
    expect(points).toHaveLength(200);
  });

  it("[T-26.2] needs no Analytics Engine, and survives a queue that is away", async () => {
    const buffer = new MetricBuffer({ INDEX_QUEUE: world({ breaks: true }).env.INDEX_QUEUE });
    buffer.for(newTenant()).count("harn_trigger_deduped_total", {});
    await expect(buffer.flush()).resolves.toBeUndefined();
    const broken = new MetricBuffer(world({ breaks: true }).env);
    broken.for(newTenant()).count("harn_trigger_deduped_total", {}, Number.NaN);
    broken.for(newTenant()).count("harn_trigger_deduped_total", {});
    await expect(broken.flush()).resolves.toBeUndefined();
  });
});

describe("the moments of an event", () => {
  it("[T-21] latencies have the labels of the specification", () => {
    const buffer = new MetricBuffer(world().env);
    const tenant = newTenant();
    new TriggerMoments(buffer.for(tenant), subject(tenant)).stored(0.2);
    expect(buffer.take(tenant)).toMatchObject([
      {
        name: "harn_trigger_webhook_accepted_to_queue_append_seconds",
        labels: { trigger_id: "t", binding_key: "t@v3", provider: "github", tenant_id: tenant, status: "queued" },
        value: 0.2,
      },
    ]);
  });

  it("[T-21] succeeded and skipped dispatches are successes, waiting is neither", () => {
    const dispatched = "harn_trigger_dispatched_total";
    const ends = (["succeeded", "skipped", "waiting", "dlq", "failed", "cancelled"] as const).map((outcome) =>
      samplesOf((moments) => moments.dispatchEnded("local", outcome)),
    );
    expect(ends).toEqual([
      [`${dispatched} succeeded`, "dispatch_succeeded_total "],
      [`${dispatched} skipped`, "dispatch_succeeded_total "],
      [`${dispatched} waiting`],
      [`${dispatched} dlq`, "dispatch_failed_total "],
      [`${dispatched} failed`, "dispatch_failed_total "],
      [`${dispatched} cancelled`, "dispatch_failed_total "],
    ]);
  });

  it("[T-21] every moment has its samples", () => {
    const samples = samplesOf((moments) => {
      moments.answered({ method: "POST", status: 202, seconds: 0.1, bytes: 10 });
      moments.received(0.1);
      moments.duplicate();
      moments.admitted(1);
      moments.predicate("true", 0.01);
      moments.modelCalled({ provider: "openai", model: "m", outcome: "success", cost_usd: 0.01, is_cached: false });
      moments.modelCalled({ provider: "openai", model: "m", outcome: "success", cost_usd: 0, is_cached: true });
      moments.budgetExhausted("retry_later");
      moments.backpressure("circuit", "opened");
      moments.attemptStarted(1);
      moments.a2aHop("host/agent", "completed", 1);
      moments.retryScheduled(2);
      moments.deadLettered("retry_exhausted", 60);
    });
    expect(samples).toEqual([
      "harn_http_requests_total 202",
      "harn_http_request_duration_seconds ",
      "harn_http_body_size_bytes ",
      "harn_trigger_received_total ",
      "harn_trigger_webhook_accepted_to_normalized_seconds normalized",
      "harn_trigger_deduped_total ",
      "inbox_duplicates_total ",
      "harn_trigger_queue_age_at_dispatch_admission_seconds admitted",
      "harn_trigger_predicate_evaluations_total ",
      "harn_trigger_predicate_cost_usd ",
      "harn_llm_calls_total success",
      "harn_llm_cost_usd_total ",
      "harn_llm_cache_hits_total ",
      "harn_trigger_budget_exhausted_total ",
      "harn_backpressure_events_total ",
      "harn_trigger_queue_age_at_dispatch_start_seconds started",
      "harn_a2a_hops_total completed",
      "harn_a2a_hop_duration_seconds ",
      "harn_trigger_retries_total ",
      "retry_scheduled_total ",
      "harn_trigger_retry_delay_seconds scheduled",
      "harn_trigger_dlq_total ",
      "harn_trigger_accepted_to_dlq_seconds retry_exhausted",
    ]);
  });

  it("[T-19.1] a Linear delivery out of time is counted apart", () => {
    const buffer = new MetricBuffer(world().env);
    const tenant = newTenant();
    for (const provider of ["linear", "github"]) {
      new TriggerMoments(buffer.for(tenant), { ...subject(tenant), provider }).rejected("timestamp_out_of_window");
    }
    const names = buffer.take(tenant).map(({ name }) => name);
    expect(names.filter((name) => name === "connector_linear_timestamp_rejections_total")).toHaveLength(1);
    expect(names).toHaveLength(3);
  });
});

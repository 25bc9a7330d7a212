import { env } from "cloudflare:workers";
import { createExecutionContext, createMessageBatch, createScheduledController, getQueueResult } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { sweepLists } from "../../src/cron/retention.ts";
import worker from "../../src/index.ts";
import type { TriggerStats } from "../../src/schema/trigger-stats.ts";
import { clientFor, get, migrateDatabase, refusal } from "./http-setup.ts";
import { put } from "./trigger-setup.ts";

beforeAll(migrateDatabase);

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();

interface Given {
  readonly id: string;
  readonly status: string;
  /** How long ago it was received. */
  readonly age: number;
  readonly more?: Readonly<Record<string, unknown>>;
  readonly seq?: number;
}

const message = (trigger: string, { id, status, age, more = {}, seq = 1 }: Given) => ({
  v: 1,
  seq,
  tenant: "default",
  event: {
    event_id: id,
    trigger_id: trigger,
    provider: "github",
    kind: "issues.opened",
    dedupe_key: id,
    status,
    run_id: null,
    receipt: null,
    error: null,
    received_at: ago(age),
    updated_at: ago(age),
    ...more,
  },
});

const deadLetter = (trigger: string, id: string, state = "pending", age = 0) => ({
  v: 1,
  tenant: "default",
  dead_letter: {
    seq: 1,
    dlq_id: `dlq_${id}`,
    event_id: id,
    trigger_id: trigger,
    binding_version: 1,
    provider: "github",
    kind: "issues.opened",
    state,
    error: "boom",
    error_class: "unknown",
    created_at: ago(age),
    updated_at: ago(age),
  },
});

let count = 0;

const index = async (bodies: readonly unknown[]) => {
  const messages = bodies.map((body) => ({ id: `m${(count += 1)}`, timestamp: new Date(), attempts: 1, body }));
  const batch = createMessageBatch("godwit-index", messages);
  const ctx = createExecutionContext();
  await worker.queue(batch, env, ctx);
  const result = await getQueueResult(batch, ctx);
  expect(result.explicitAcks).toHaveLength(bodies.length);
};

const statsOf = async (trigger: string, query = ""): Promise<TriggerStats> =>
  (await get(`/v1/triggers/${trigger}/stats${query}`)).json<TriggerStats>();

const settled = (id: string, age: number, took: number): Given => ({
  id,
  status: "dispatched",
  age,
  more: { settled_at: ago(age - took), binding_version: 1, attempt_count: 1 },
});

const counted = (name: string, value: number) => ({ name, labels: { trigger_id: "busy" }, value });

describe("the figures of a trigger", () => {
  it("[T-22.2] count the events of the window by what became of them", async () => {
    await put("busy");
    const events: readonly Given[] = [
      settled("b1", 2 * HOUR, 100),
      settled("b2", 2 * HOUR, 300),
      settled("b3", 3 * HOUR, 9_000),
      { id: "b4", status: "skipped", age: HOUR, more: { skip_stage: "predicate" } },
      { id: "b5", status: "skipped", age: HOUR },
      { id: "b6", status: "failed", age: HOUR, more: { error_class: "auth_failed" } },
      { id: "b7", status: "dead_lettered", age: 20 * SECOND },
      { id: "b8", status: "accepted", age: 10 * SECOND },
      { id: "b9", status: "waiting", age: 23 * HOUR },
      { id: "b10", status: "retrying", age: 10 * SECOND },
      { id: "old", status: "failed", age: 25 * HOUR },
    ];
    await index([
      ...events.map((event) => message("busy", event)),
      deadLetter("busy", "b7"),
      {
        ...message("busy", { id: "b1", status: "accepted", age: 2 * HOUR, seq: 0 }),
        metrics: [counted("harn_trigger_deduped_total", 2)],
      },
      {
        v: 1,
        tenant: "default",
        metrics: [counted("godwit_trigger_rejected_total", 3), counted("harn_trigger_received_total", 9)],
      },
    ]);
    const stats = await statsOf("busy");
    expect(stats).toMatchObject({
      trigger_id: "busy",
      window_seconds: 86_400,
      received: 15,
      accepted: 10,
      duplicates: 2,
      rejected: 3,
      by_status: { accepted: 1, dead_lettered: 1, dispatched: 3, failed: 1, retrying: 1, skipped: 2, waiting: 1 },
      dispatched: 3,
      skipped: { match: 1, predicate: 1 },
      failed: 1,
      dead_lettered: 1,
      success_ratio: 0.6,
      in_flight: 1,
      dlq_pending: 1,
      health: { state: "degraded" },
    });
    expect(stats.latency_ms.median).toBeCloseTo(300, -2);
    expect(stats.latency_ms.p99).toBeCloseTo(9_000, -2);
    expect(stats.oldest_pending_age_seconds).toBeGreaterThanOrEqual(10);
    expect(stats.oldest_pending_age_seconds).toBeLessThan(60);
    expect(stats.hours).toHaveLength(25);
    const total = (name: "accepted" | "dispatched" | "rejected") =>
      stats.hours.reduce((sum, hour) => sum + hour[name], 0);
    expect([total("accepted"), total("dispatched"), total("rejected")]).toEqual([10, 3, 3]);
    expect(stats.hours.map(({ hour }) => hour)).toEqual(stats.hours.map(({ hour }) => hour).toSorted());
    expect(await statsOf("busy", "?window=26h")).toMatchObject({ accepted: 11, failed: 2 });
  });

  it("[T-22.2] of a trigger that nothing came for are zero, and it is idle, paused or silent", async () => {
    await put("calm");
    expect(await statsOf("calm")).toMatchObject({
      received: 0,
      by_status: {},
      success_ratio: null,
      latency_ms: { median: null, p99: null },
      last_received_at: null,
      oldest_pending_age_seconds: null,
      health: { state: "idle" },
    });
    expect(await statsOf("calm", "?silent_after=1h")).toMatchObject({ health: { state: "silent" } });
    const { triggers } = clientFor();
    await triggers.pause("calm");
    expect((await triggers.stats("calm", { window: "1h" })).health.state).toBe("paused");
  });

  it("[T-22.2] are refused for a trigger that does not exist and for a bad window", async () => {
    expect(await refusal(get("/v1/triggers/nobody/stats"))).toMatchObject({ status: 404, code: "trigger_not_found" });
    expect(await refusal(get("/v1/triggers/calm/stats", { "Godwit-Tenant": "other" }))).toMatchObject({ status: 404 });
    expect(await refusal(get("/v1/triggers/calm/stats?window=1y"))).toMatchObject({
      status: 400,
      details: { issues: [{ path: "window" }] },
    });
  });
});

const listed = async (query: string): Promise<readonly string[]> =>
  (await (await get(`/v1/events?trigger_id=views${query}`)).json<{ items: { event_id: string }[] }>()).items.map(
    (one) => one.event_id,
  );

const walk = async (view: string): Promise<readonly string[]> => {
  const found: string[] = [];
  for (let cursor = ""; ;) {
    const response = await get(`/v1/events?trigger_id=views&view=${view}&limit=2${cursor}`);
    const page = await response.json<{ items: { event_id: string }[]; next_cursor: string | null }>();
    found.push(...page.items.map((one) => one.event_id));
    if (page.next_cursor === null) return found;
    cursor = `&cursor=${page.next_cursor}`;
  }
};

describe("the views of the list of events", () => {
  it("[T-15] unsettled, stranded and terminal are three different things", async () => {
    const statuses =
      "accepted parked deferred waiting dispatching retrying dispatched skipped failed cancelled dead_lettered";
    const events = statuses.split(" ").map((status, at): Given => ({ id: status, status, age: HOUR - at * SECOND }));
    await index([
      ...events.map((event) => message("views", event)),
      message("views", { id: "fresh", status: "accepted", age: SECOND }),
    ]);
    expect(await listed("&view=unsettled")).toEqual(["accepted", "parked", "deferred", "waiting", "fresh"]);
    expect(await listed("&view=unsettled&min_age=5m")).toEqual(["accepted", "parked", "deferred", "waiting"]);
    expect(await listed("&view=stranded")).toEqual(["accepted"]);
    expect(await listed("&view=stranded&min_age=1s")).toEqual(["accepted", "fresh"]);
    expect(await listed("&view=terminal")).toEqual(["dead_lettered", "cancelled", "failed", "skipped", "dispatched"]);
    expect(await listed("&view=terminal&status=failed")).toEqual(["failed"]);
    for (const status of statuses.split(" ")) expect(await listed(`&status=${status}`)).toContain(status);
    expect(await refusal(get("/v1/events?view=odd"))).toMatchObject({ status: 400 });
    expect(await refusal(get("/v1/events?min_age=odd"))).toMatchObject({ status: 400 });
  });

  it("[T-15] what waits is paged oldest first, the others newest first", async () => {
    expect(await walk("unsettled")).toEqual(await listed("&view=unsettled"));
    expect(await walk("terminal")).toEqual(await listed("&view=terminal"));
  });

  it("[T-26.2] a later message without the new columns keeps them", async () => {
    await index([
      message("keeps", { id: "k", status: "retrying", age: SECOND, more: { attempt_count: 2, replay_of: "e0" } }),
    ]);
    await index([
      message("keeps", { id: "k", status: "failed", age: SECOND, seq: 2, more: { error_class: "unknown" } }),
    ]);
    const { items } = await clientFor().triggers.listEvents({ trigger_id: "keeps" });
    expect(items).toMatchObject([
      { status: "failed", attempt_count: 2, replay_of: "e0", error_class: "unknown", settled_at: null },
    ]);
  });
});

const ids = async (): Promise<readonly string[]> => {
  const sql = "SELECT event_id FROM events WHERE trigger_id = 'old' ORDER BY event_id";
  return (await env.DB.prepare(sql).all<{ event_id: string }>()).results.map((row) => row.event_id);
};

describe("the sweep of old rows", () => {
  it("[T-26.2] deletes what is over and old, never what waits or has a pending dead letter", async () => {
    const old = 100 * DAY;
    await index([
      message("old", { id: "over", status: "dispatched", age: old }),
      message("old", { id: "waiting", status: "waiting", age: old }),
      message("old", { id: "young", status: "dispatched", age: 80 * DAY }),
      message("old", { id: "dead", status: "dead_lettered", age: old }),
      message("old", { id: "decided", status: "dead_lettered", age: old }),
      deadLetter("old", "dead", "pending", old),
      deadLetter("old", "decided", "discarded", old),
      {
        v: 1,
        tenant: "default",
        metrics: [{ name: "harn_trigger_retries_total", labels: { trigger_id: "old" }, value: 1 }],
      },
    ]);
    await sweepLists({ DB: env.DB }, Date.now());
    expect(await ids()).toEqual(["dead", "waiting", "young"]);
    const left = await env.DB.prepare("SELECT dlq_id FROM dead_letters WHERE trigger_id = 'old'").all();
    expect(left.results).toEqual([{ dlq_id: "dlq_dead" }]);
    expect(
      (await env.DB.prepare("SELECT count(*) AS n FROM metric_counters").first<{ n: number }>())?.n,
    ).toBeGreaterThan(0);
    await sweepLists({ DB: env.DB, GODWIT_EVENT_LIST_DAYS: "30" }, Date.now());
    expect(await ids()).toEqual(["dead", "waiting"]);
    await sweepLists({ DB: env.DB }, Date.now() + 91 * DAY);
    for (const table of ["metric_counters", "trigger_hours"]) {
      expect(await env.DB.prepare(`SELECT count(*) AS n FROM ${table}`).first()).toEqual({ n: 0 });
    }
  });

  it("[T-26.2] is made by the scheduled handler, once an hour", async () => {
    const hour = Math.floor(Date.now() / HOUR) * HOUR;
    await index([message("old", { id: "hourly", status: "skipped", age: 200 * DAY })]);
    await worker.scheduled(createScheduledController({ scheduledTime: new Date(hour + 5 * MINUTE) }), env);
    expect(await ids()).toContain("hourly");
    await worker.scheduled(createScheduledController({ scheduledTime: new Date(hour) }), env);
    expect(await ids()).not.toContain("hourly");
  });
});

import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { TriggerObject } from "../../src/http/trigger-object.ts";
import type { EventRow } from "../../src/schema/trigger-event.ts";
import type { Receipt } from "../../src/schema/trigger.ts";
import { clientFor, migrateDatabase, refusal, ROOT_KEY, send } from "./http-setup.ts";
import {
  accepted,
  defineWorkflow,
  deliver,
  endedRun,
  eventIn,
  get,
  ISSUE_OPENED,
  post,
  put,
  SECRET,
  shown,
} from "./trigger-setup.ts";

beforeAll(async () => {
  await migrateDatabase();
  await defineWorkflow();
});

const client = clientFor();

const SHARDS = 4;

const shardOf = (id: string, shard: number): TriggerObject =>
  env.TRIGGER.getByName(`default/${id}/${shard}`) as unknown as TriggerObject;

const listed = async <Row>(path: string): Promise<readonly Row[]> =>
  (await (await get(path)).json<{ items: Row[] }>()).items;

const delivered = (trigger: string, keys: readonly string[]): Promise<readonly Receipt[]> =>
  Promise.all(keys.map((id) => accepted(`/hooks/${trigger}`, { body: ISSUE_OPENED, id })));

const keysOf = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `key-${index}`);

describe("a trigger of several objects", () => {
  it("[T-7.1] every key has one run, wherever it lies, and is found in the list and by its id", async () => {
    expect((await put("wide", { shards: SHARDS })).status).toBe(200);
    const keys = keysOf(40);
    const receipts = await delivered("wide", [...keys, ...keys.slice(0, 20)]);
    expect(new Set(receipts.map(({ event_id }) => event_id)).size).toBe(40);
    expect(receipts.filter(({ duplicate }) => duplicate)).toHaveLength(20);
    for (const { event_id } of receipts.slice(0, 40)) {
      const event = await eventIn(event_id, "dispatched");
      expect(event.attempts).toHaveLength(1);
      await endedRun(event.runs[0] ?? "");
    }
    const rows = await vi.waitUntil(
      async () => {
        const found = await listed<EventRow>("/v1/events?trigger_id=wide&limit=100");
        return found.length === 40 && found.every(({ status }) => status === "dispatched") ? found : false;
      },
      { timeout: 10_000, interval: 50 },
    );
    expect(new Set(rows.map(({ shard }) => shard))).toEqual(new Set([0, 1, 2, 3]));
    expect(await listed("/v1/runs?trigger_id=wide&limit=100")).toHaveLength(40);
    const body = await get(`/v1/events/${receipts[0]?.event_id}/body`);
    expect(await body.text()).toBe(ISSUE_OPENED);
  }, 40_000);

  it("[T-10.5] runs of several objects are one at a time where their trigger says so", async () => {
    const handler = { workflow: "triage", completion: "finished" };
    expect((await put("narrow", { shards: SHARDS, handler, concurrency: { max: 1 } })).status).toBe(200);
    const receipts = await delivered("narrow", keysOf(8));
    const times: (readonly [number, number])[] = [];
    for (const { event_id } of receipts) {
      const event = await eventIn(event_id, "dispatched");
      const attempt = event.attempts[0] as unknown as { readonly started_at: string; readonly settled_at: string };
      times.push([Date.parse(attempt.started_at), Date.parse(attempt.settled_at)]);
    }
    const order = times.toSorted(([left], [right]) => left - right);
    for (const [index, [started]] of order.entries())
      if (index > 0) expect(started).toBeGreaterThanOrEqual(order[index - 1]?.[1] ?? 0);
    expect(new Set(times.map(([started]) => started)).size).toBeGreaterThan(1);
  }, 40_000);

  it("[T-6.2] pausing, resuming and deleting reach every object", async () => {
    await put("stop", { shards: SHARDS });
    await delivered("stop", keysOf(8));
    expect((await post("/v1/triggers/stop/pause", {})).status).toBe(200);
    const event = { provider: "github", kind: "issues.opened", dedupe_key: "direct", headers: {} } as never;
    for (let shard = 0; shard < SHARDS; shard += 1) {
      // Also for whoever has not heard of it: the shard itself knows.
      const answer = await shardOf("stop", shard).acceptInShard({ tenant: "default", version: 1, event });
      expect(answer).toMatchObject({ ok: false, rejection: { code: "trigger_paused" } });
    }
    expect(await refusal(deliver("/hooks/stop", { body: ISSUE_OPENED, id: "while" }))).toMatchObject({
      code: "trigger_paused",
    });
    expect((await post("/v1/triggers/stop/resume", {})).status).toBe(200);
    await delivered("stop", keysOf(16));
    const gone = await send("/v1/triggers/stop", {
      method: "DELETE",
      headers: { Authorization: `Bearer ${ROOT_KEY}` },
    });
    expect(gone.status).toBe(204);
    for (let shard = 0; shard < SHARDS; shard += 1)
      expect(await shardOf("stop", shard).acceptInShard({ tenant: "default", version: 1, event })).toMatchObject({
        ok: false,
      });
    expect((await deliver("/hooks/stop", { body: ISSUE_OPENED, id: "after" })).status).toBe(404);
  }, 40_000);

  it("[T-5.1] the number of objects is for good", async () => {
    await put("fixed", { shards: SHARDS });
    for (const change of [{ shards: 8 }, {}, { shards: 1 }])
      expect(await refusal(put("fixed", change))).toMatchObject({
        status: 409,
        code: "invalid_transition",
        detail: "`shards` of trigger 'fixed' is 4 and cannot be changed: use another id",
      });
    expect((await put("fixed", { shards: SHARDS, match: {} })).status).toBe(200);
    expect((await shown("fixed")).version).toBe(2);
  });

  it("[T-26.2] after a rotation the former secret is worth nothing at any of the objects", async () => {
    await put("rotated", { shards: SHARDS });
    await delivered("rotated", keysOf(8));
    const rotation = { secret: "Another one, which is long enough", overlap_seconds: 0 };
    expect((await post("/v1/triggers/rotated/rotate_secret", rotation)).status).toBe(200);
    for (const id of keysOf(16).slice(8))
      expect(await refusal(deliver("/hooks/rotated", { body: ISSUE_OPENED, id, secret: SECRET }))).toMatchObject({
        code: "invalid_signature",
      });
    for (const id of keysOf(16).slice(8))
      expect(await accepted("/hooks/rotated", { body: ISSUE_OPENED, id, secret: rotation.secret })).toMatchObject({
        duplicate: false,
      });
  }, 20_000);

  it("[T-22.2] events that are fired, replayed, cancelled, logged and retried are found where they lie", async () => {
    const manual = { provider: "manual", secret: undefined, match: {}, shards: SHARDS };
    await put("acts", { ...manual, handler: { workflow: "defined-late" }, retry: { max: 1, backoff: "immediate" } });
    const fired: string[] = [];
    for (const n of [1, 2, 3, 4, 5, 6]) {
      const { event_id: id } = await client.triggerEvents.fire("acts", { payload: { n } });
      fired.push(id);
    }
    for (const id of fired) expect((await eventIn(id, "dead_lettered")).attempts).toHaveLength(1);
    const letters = await vi.waitUntil(
      async () => {
        const { items } = await client.deadLetters.list({ trigger_id: "acts" });
        return items.length === 6 ? items : false;
      },
      { timeout: 10_000, interval: 20 },
    );
    await defineWorkflow("defined-late");
    for (const { dlq_id } of letters) expect((await post(`/v1/dlq/${dlq_id}/retry`, {})).status).toBeLessThan(300);
    for (const id of fired) {
      await vi.waitUntil(async () => (await client.triggers.getEvent(id)).replays?.[0]?.status === "dispatched", {
        timeout: 10_000,
        interval: 20,
      });
      const { items } = await client.triggerEvents.log(id, { replay: 1 });
      expect(items.map(({ kind }) => kind)).toContain("DispatchSucceeded");
    }
    const finished = { handler: { workflow: "slow", completion: "finished" }, concurrency: { max: 1 } };
    await put("held", { ...manual, ...finished });
    const first = await client.triggerEvents.fire("held", {});
    await eventIn(first.event_id, "retrying");
    const waiting = await client.triggerEvents.fire("held", {});
    await eventIn(waiting.event_id, "parked");
    await client.triggerEvents.cancel(waiting.event_id, { reason: "stop" });
    await eventIn(waiting.event_id, "cancelled");
    const next = await client.triggerEvents.fire("held", {});
    await eventIn(next.event_id, "parked");
    await client.triggerEvents.cancel(first.event_id, { reason: "stop" });
    await eventIn(first.event_id, "cancelled");
    // The place is free now; there still is no such workflow.
    await eventIn(next.event_id, "retrying");
  }, 40_000);
});

import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { sweepLists } from "../../src/cron/retention.ts";
import { watch } from "../../src/cron/watchdog.ts";
import { beginOperation, findOperation, type Operation } from "../../src/http/operation-rows.ts";
import { workPage } from "../../src/http/operation-work.ts";
import type { OperationView } from "../../src/schema/api-operation.ts";
import type { EventView } from "../../src/schema/trigger-event.ts";
import { clientFor, get, migrateDatabase, post, refusal } from "./http-setup.ts";
import { defineWorkflow, eventIn, put } from "./trigger-setup.ts";

const client = clientFor();

beforeAll(async () => {
  await migrateDatabase();
  await defineWorkflow();
});

const manual = { provider: "manual", secret: undefined, match: {} } as const;

const failing = { ...manual, handler: { workflow: "missing" }, retry: { max: 1, backoff: "immediate" } } as const;

/** Fires events with the payloads 1 to n and waits until all of them have a status. */
const fired = async (trigger: string, count: number, status: EventView["status"]): Promise<readonly string[]> => {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  const receipts = await Promise.all(numbers.map((n) => client.triggerEvents.fire(trigger, { payload: { n } })));
  const ids = receipts.map((one) => one.event_id);
  for (const id of ids) await eventIn(id, status);
  return ids;
};

const finished = (id: string): Promise<OperationView> =>
  vi.waitUntil(
    async () => {
      const view = await client.operations.get(id);
      return view.state === "done" ? view : false;
    },
    { timeout: 20_000, interval: 50 },
  );

describe("operations on many events", () => {
  it("[T-22.6] a condition that is misspelt is refused, and not left out", async () => {
    for (const path of ["/v1/dlq/retry", "/v1/dlq/discard", "/v1/events/replay", "/v1/events/cancel"]) {
      const where = path.startsWith("/v1/dlq") ? {} : { where: "true" };
      const answer = await refusal(post(path, { ...where, trigger: "x", dry_run: true }));
      expect(answer).toMatchObject({
        status: 400,
        code: "invalid_request",
        details: { issues: [{ path: "trigger", message: "unknown key `trigger`" }] },
      });
    }
  });

  it("[T-22.6] a filter says what is replayed; a dry run does nothing, and the same request is one operation", async () => {
    await put("many", manual);
    const ids = await fired("many", 3, "dispatched");
    const where = "binding.id == 'many' AND event.payload.n >= 2 and NOT (outcome.status == 'failed')";
    const dry = await client.operations.replay({ where, dry_run: true, requested_by: "me" });
    expect(dry).toMatchObject({
      operation: "replay",
      state: "done",
      dry_run: true,
      filter: where,
      requested_by: "me",
      matched_count: 2,
      executed_count: 0,
      skipped_count: 0,
      items: [
        {
          binding_id: "many",
          binding_version: 1,
          binding_key: "many@v1",
          latest_status: "succeeded",
          status: "dry_run",
        },
        { status: "dry_run" },
      ],
    });
    expect(dry.audit_id).toMatch(/^trigger_audit_/);
    const call = { idempotency_key: "replay-many" };
    const done = await client.operations.replay({ where }, call);
    expect(done).toMatchObject({
      matched_count: 2,
      executed_count: 2,
      items: [{ status: "requested", replay: 1 }, {}],
    });
    expect(done.items.map((one) => one.event_id).toSorted()).toEqual(ids.slice(1).toSorted());
    expect(await client.operations.replay({ where }, call)).toEqual(done);
    const replays = await Promise.all(ids.map(async (id) => (await client.triggers.getEvent(id)).replays.length));
    expect(replays).toEqual([0, 1, 1]);
    const empty = await client.operations.replay({ where, trigger_id: "other" });
    expect(empty).toMatchObject({ state: "done", matched_count: 0, items: [] });
    const old = await client.operations.replay({ where, until: "2000-01-01T00:00:00Z" });
    expect(old.matched_count).toBe(0);
  });

  it("[T-22.6] a filter that cannot be read is refused with its place", async () => {
    expect(await refusal(post("/v1/events/replay", { where: " " }))).toMatchObject({
      status: 400,
      details: { issues: [{ path: "where", message: "filter expression cannot be empty" }] },
    });
    const bad = await refusal(post("/v1/dlq/retry", { filter: "event.kind ==" }));
    expect(bad).toMatchObject({ status: 400, details: { issues: [{ path: "filter" }] } });
    expect(await refusal(post("/v1/events/cancel", {}))).toMatchObject({ status: 400 });
    const unknown = await refusal(get("/v1/operations/none"));
    expect(unknown).toMatchObject({ status: 404, code: "operation_not_found" });
    const began = await client.operations.retry({ trigger_id: "none" });
    const cursor = await refusal(get(`/v1/operations/${began.operation_id}?cursor=x`));
    expect(cursor).toMatchObject({ status: 400, details: { issues: [{ path: "cursor" }] } });
  });

  it("[T-22.6] what is over cannot be cancelled", async () => {
    await put("over", manual);
    await put("open", { ...manual, handler: { workflow: "nowhere" } });
    const [over] = await fired("over", 1, "dispatched");
    const open = await fired("open", 2, "retrying");
    const where = "binding.id == 'over' || binding.id == 'open'";
    const done = await client.operations.cancel({ where, reason: "a test" });
    expect(done).toMatchObject({ matched_count: 3, requested_count: 2, skipped_count: 1 });
    expect(done.items.find((one) => one.event_id === over)).toMatchObject({
      status: "not_cancellable",
      cancellable: false,
    });
    for (const id of open)
      expect(await eventIn(id, "cancelled")).toMatchObject({ cancel: { audit_id: done.audit_id, reason: "a test" } });
  });

  it("[T-12.7] dead letters are tried again at a rate that their triggers keep", async () => {
    await put("letters", failing);
    const ids = await fired("letters", 3, "dead_lettered");
    await vi.waitUntil(async () => (await client.deadLetters.list({ trigger_id: "letters" })).items.length === 3, {
      timeout: 10_000,
    });
    const done = await client.operations.retry({
      trigger_id: "letters",
      filter: "event.payload.n > 0",
      rate_per_second: 0.1,
    });
    expect(done).toMatchObject({ state: "done", matched_count: 3, executed_count: 3, rate_per_second: 0.1 });
    const begun = Date.parse(done.requested_at);
    const last = done.items[2];
    const { record } = await client.triggerEvents.getReplay(last?.event_id ?? "", 1);
    expect(record).toMatchObject({ status: "accepted", next_at: new Date(begun + 20_000).toISOString() });
    expect(record.replay).toMatchObject({ dlq_id: last?.dlq_id });
    expect(ids).toContain(last?.event_id);
    const gone = await client.operations.discard({ trigger_id: "letters", limit: 2, reason: "a test" });
    expect(gone).toMatchObject({ operation: "dlq_discard", matched_count: 2, executed_count: 2 });
  });
});

describe("what is kept of operations", () => {
  it("[T-22.6] those that are done go with the lists, items and all; those that are not stay", async () => {
    await put("kept", manual);
    await fired("kept", 1, "dispatched");
    const [old, open, young] = [
      await client.operations.replay({ where: "true", trigger_id: "kept", dry_run: true }),
      await client.operations.replay({ where: "true", trigger_id: "kept", dry_run: true }),
      await client.operations.replay({ where: "true", trigger_id: "kept", dry_run: true }),
    ];
    const age = env.DB.prepare(
      "UPDATE operations SET updated_at = '2001-01-01T00:00:00.000Z', state = ?2 WHERE operation_id = ?1",
    );
    await env.DB.batch([age.bind(old.operation_id, "done"), age.bind(open.operation_id, "running")]);
    await sweepLists(env, Date.now());
    expect(await refusal(get(`/v1/operations/${old.operation_id}`))).toMatchObject({ code: "operation_not_found" });
    for (const one of [open, young]) expect((await client.operations.get(one.operation_id)).items).toHaveLength(1);
    const { results } = await env.DB.prepare("SELECT 1 FROM operation_items WHERE operation_id = ?")
      .bind(old.operation_id)
      .all();
    expect(results).toEqual([]);
  });
});

describe("large operations", () => {
  it("[T-22.6] go on in the queue, and are shown page by page", async () => {
    await put("crowd", manual);
    await fired("crowd", 110, "dispatched");
    const begun = await client.operations.replay({ where: "true", trigger_id: "crowd", dry_run: true });
    expect(begun.state).toBe("running");
    expect(begun).toMatchObject({ matched_count: 100 });
    const done = await finished(begun.operation_id);
    expect(done).toMatchObject({ matched_count: 110, executed_count: 0 });
    const first = await client.operations.get(begun.operation_id, { limit: 100 });
    const rest = await client.operations.get(begun.operation_id, { limit: 100, cursor: first.next_cursor ?? "" });
    expect(new Set([...first.items, ...rest.items].map((one) => one.event_id)).size).toBe(110);
    expect(rest.next_cursor).toBeNull();
  }, 60_000);

  it("[T-22.6] an operation whose message was lost is sent on by the watchdog; its rate holds for what cannot wait in a trigger", async () => {
    await put("stuck", { ...manual, handler: { workflow: "nowhere" } });
    const ids = await fired("stuck", 2, "retrying");
    const fast = await client.operations.cancel({ where: "true", trigger_id: "stuck", rate_per_second: 0.1 });
    expect(fast).toMatchObject({ state: "running", matched_count: 1, requested_count: 1 });
    const past = new Date(Date.now() - 3_600_000).toISOString();
    // As if it had begun an hour ago: the time of its second event has come, and nobody has looked after it since.
    await env.DB.prepare(
      "UPDATE operations SET updated_at = ?1, request = replace(request, '0.1', '1000') WHERE operation_id = ?2",
    )
      .bind(past, fast.operation_id)
      .run();
    await watch(env as Env, Date.now());
    expect(await finished(fast.operation_id)).toMatchObject({ matched_count: 2, requested_count: 2 });
    for (const id of ids) await eventIn(id, "cancelled");
  }, 30_000);

  it("[T-22.6] a page that was done and not written down is done again without a second replay", async () => {
    await put("crash", manual);
    const ids = await fired("crash", 2, "dispatched");
    const name = { tenant: "default", operation_id: "trigger_audit_crash" };
    const request = { where: null, trigger_id: "crash", dry_run: false };
    await beginOperation(env.DB, { ...name, kind: "replay", request, created_at: new Date().toISOString() });
    const before = (await findOperation(env.DB, name.tenant, name.operation_id)) as Operation;
    const DB = { prepare: env.DB.prepare.bind(env.DB), batch: () => Promise.reject(new Error("died")) };
    await expect(workPage({ ...env, DB } as unknown as Env, before, Date.now())).rejects.toThrow();
    expect((await client.triggers.getEvent(ids[0] ?? "")).replays).toHaveLength(1);
    const [one, two] = [workPage(env as Env, before, Date.now()), workPage(env as Env, before, Date.now())];
    await Promise.all([one, two]);
    expect(await findOperation(env.DB, name.tenant, name.operation_id)).toMatchObject({
      state: "done",
      matched: 2,
      executed: 2,
    });
    expect((await client.operations.get(name.operation_id)).items).toMatchObject([{ replay: 1 }, { replay: 1 }]);
    for (const id of ids) expect((await client.triggers.getEvent(id)).replays).toHaveLength(1);
  });
});

import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { migrateDatabase, refusal, ROOT_KEY, send } from "./http-setup.ts";
import { accepted, defineWorkflow, eventIn, get, ISSUE_OPENED, post, put, SECRET, shown } from "./trigger-setup.ts";

beforeAll(async () => {
  await migrateDatabase();
  await defineWorkflow();
});

const remove = (id: string): Promise<Response> =>
  send(`/v1/triggers/${id}`, { method: "DELETE", headers: { Authorization: `Bearer ${ROOT_KEY}` } });

const ids = async (query = ""): Promise<readonly string[]> => {
  const page = await (await get(`/v1/triggers${query}`)).json<{ items: { trigger_id: string }[] }>();
  return page.items.map((one) => one.trigger_id);
};

describe("triggers", () => {
  it("[T-6.1] a trigger is shown without its secret, in one version for each definition", async () => {
    const made = await (await put("hub")).json<Record<string, unknown>>();
    expect(made).toMatchObject({ trigger_id: "hub", version: 1, state: "active", has_secret: true, rejections: [] });
    expect(await (await put("hub")).json()).toEqual(made);
    await put("hub", { secret: "other" });
    expect((await shown("hub")).version).toBe(1);
    await put("hub", { match: {} });
    const now = await shown("hub");
    expect(now.version).toBe(2);
    expect(now.versions.map((one) => one.state)).toEqual(["terminated", "active"]);
    expect(JSON.stringify([made, now])).not.toContain(SECRET);
  });

  it("[T-5.7] every bad field is named with its path", async () => {
    const bad = {
      secret: undefined,
      match: { events: [1], path: 1 },
      handler: { workflow: "" },
      max_body_bytes: 0.5,
      when: 1,
    };
    const answer = await refusal(put("bad", bad));
    expect(answer).toMatchObject({ status: 400, code: "invalid_request" });
    const { issues } = answer.details as { issues: { path: string }[] };
    expect(issues.map((one) => one.path).toSorted()).toEqual([
      "handler.workflow",
      "match.events[0]",
      "match.path",
      "max_body_bytes",
      "when",
    ]);
    const options = await refusal(put("bad", { handler: { workflow: "w", options: { max_steps: "many" } } }));
    expect(options).toMatchObject({ status: 400, details: { issues: [{ path: "handler.options.max_steps" }] } });
    const infinite = `{"provider":"github","secret":"s","handler":{"workflow":"w"},"max_body_bytes":1e999}`;
    const headers = { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json" };
    expect(await refusal(send("/v1/triggers/bad", { method: "PUT", headers, body: infinite }))).toMatchObject({
      status: 400,
      details: { issues: [{ path: "max_body_bytes" }] },
    });
    expect(await refusal(put("a b"))).toMatchObject({ status: 400, details: { issues: [{ path: "trigger_id" }] } });
    expect(await refusal(get("/v1/triggers/bad"))).toMatchObject({ status: 404, code: "trigger_not_found" });
    expect(await refusal(get("/v1/triggers/%ff"))).toMatchObject({ status: 400 });
    expect(await refusal(get("/v1/triggers/%00"))).toMatchObject({ status: 400 });
  });

  it("[T-6.2] pausing, resuming and deleting are shown and can be repeated", async () => {
    await put("moody");
    for (const [verb, state] of [
      ["pause", "paused"],
      ["pause", "paused"],
      ["resume", "active"],
    ] as const) {
      expect(await (await post(`/v1/triggers/moody/${verb}`, {})).json()).toMatchObject({ state });
    }
    expect((await remove("moody")).status).toBe(204);
    expect((await remove("moody")).status).toBe(404);
    expect((await get("/v1/triggers/moody")).status).toBe(404);
    expect((await post("/v1/triggers/moody/pause", {})).status).toBe(404);
    expect(await (await put("moody")).json()).toMatchObject({ state: "active", version: 1 });
  });

  it("[T-6.2] the list has the tenant's triggers, in pages", async () => {
    const tenant = { "Godwit-Tenant": "lists" };
    for (const id of ["c", "a", "b"]) await put(id, {}, tenant);
    const first = await (await get("/v1/triggers?limit=2", tenant)).json<{ items: object[]; next_cursor: string }>();
    expect(first.items).toMatchObject([
      { trigger_id: "a", provider: "github", state: "active", definition: { handler: { workflow: "triage" } } },
      { trigger_id: "b" },
    ]);
    const rest = await get(`/v1/triggers?limit=2&cursor=${first.next_cursor}`, tenant);
    expect(await rest.json()).toMatchObject({ items: [{ trigger_id: "c" }], next_cursor: null });
    expect(await ids()).not.toContain("c");
    expect(await refusal(get("/v1/triggers?cursor=x"))).toMatchObject({ status: 400 });
  });
});

describe("events", () => {
  it("[T-26.2] the list is filtered and paged; a single event is the trigger's own", async () => {
    await put("source");
    const made = [];
    for (let i = 0; i < 3; i += 1) made.push(await accepted("/hooks/source", { body: ISSUE_OPENED }));
    for (const { event_id: id } of made) await eventIn(id, "dispatched");
    type Page = { items: { event_id: string; status: string }[]; next_cursor: string | null };
    const page = (query: string): Promise<Page> =>
      get(`/v1/events?trigger_id=source${query}`).then((answer) => answer.json<Page>());
    await vi.waitUntil(async () => (await page("&status=dispatched")).items.length === 3, { timeout: 10_000 });
    const first = await page("&limit=2");
    const second = await page(`&limit=2&cursor=${first.next_cursor}`);
    const found = [...first.items, ...second.items].map((one) => one.event_id);
    expect(found.toSorted()).toEqual(made.map((one) => one.event_id).toSorted());
    expect(second.next_cursor).toBeNull();
    expect((await page("&status=failed")).items).toEqual([]);
    expect((await page(`&since=${encodeURIComponent("2999-01-01T00:00:00Z")}`)).items).toEqual([]);
    expect(await refusal(get("/v1/events/none"))).toMatchObject({ status: 404, code: "event_not_found" });
    expect(await refusal(get("/v1/events?status=odd"))).toMatchObject({ status: 400 });
    expect(await refusal(get("/v1/events?cursor=W10"))).toMatchObject({ status: 400 });
  }, 20_000);
});

const unknownDeliveries = async (): Promise<unknown[]> =>
  (await (await get("/v1/unknown_deliveries")).json<{ items: unknown[] }>()).items;

describe("deliveries for nobody", () => {
  it("[T-19.1] are answered 404 and counted for the tenant, without their body", async () => {
    for (let i = 0; i < 4; i++) {
      const answer = send("/hooks/nobody", { method: "POST", body: `{"secret":"do not keep me ${i}"}` });
      expect(await refusal(answer)).toMatchObject({ status: 404, code: "trigger_not_found" });
      await send(`/hooks/no-such-tenant-${i}/nobody`, { method: "POST", body: "{}" });
    }
    await vi.waitFor(async () => expect(JSON.stringify(await unknownDeliveries())).toContain("nobody"));
    expect(JSON.stringify(await unknownDeliveries())).not.toContain("do not keep me");
    const { results } = await env.DB.prepare("SELECT DISTINCT tenant FROM unknown_deliveries").all();
    expect(results).toEqual([{ tenant: "default" }]);
  });
});

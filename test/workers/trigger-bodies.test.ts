import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { MAX_BODY_BYTES } from "../../src/schema/trigger-definition.ts";
import { clientFor, migrateDatabase, refusal } from "./http-setup.ts";
import {
  accepted,
  defineWorkflow,
  deliver,
  endedRun,
  eventIn,
  get,
  ISSUE_OPENED,
  objectOf,
  put,
} from "./trigger-setup.ts";

beforeAll(async () => {
  await migrateDatabase();
  await defineWorkflow();
});

const bodyOf = (eventId: string): Promise<Response> =>
  vi.waitUntil(
    async () => {
      const response = await get(`/v1/events/${eventId}/body`);
      if (response.status === 200) return response;
      const { code } = await response.json<{ code: string }>();
      return code === "event_not_found" ? false : Promise.reject(new Error(code));
    },
    { timeout: 5_000, interval: 20 },
  );

/** A document that no second writing would give back byte by byte. */
const oddly = (bytes: number): string =>
  `{"action" : "opened","issue":{"number":1.50},"pad":"${"x".repeat(bytes - 55)}"}\n`;

const keys = async (prefix: string): Promise<readonly string[]> =>
  (await env.BODIES.list({ prefix })).objects.map(({ key }) => key);

describe("bodies", () => {
  it("[T-26.2] small ones lie in the row, large ones in the bucket, and both come back byte by byte", async () => {
    await put("exact");
    for (const [size, isInline] of [
      [1_000, true],
      [65_536, true],
      [65_537, false],
      [300_000, false],
    ] as const) {
      const body = oddly(size);
      expect(new TextEncoder().encode(body)).toHaveLength(size);
      const { event_id: id } = await accepted("/hooks/exact", { body });
      const given = await bodyOf(id);
      expect([given.headers.get("Content-Type"), given.headers.get("Content-Length")]).toEqual([
        "application/json",
        String(size),
      ]);
      expect(await given.text()).toBe(body);
      const { event } = await eventIn(id, "dispatched");
      expect([event.raw_body !== undefined, event.raw_body_ref !== undefined]).toEqual([isInline, !isInline]);
      if (event.raw_body_ref !== undefined) {
        expect(event.raw_body_ref).toMatchObject({ size, key: `bodies/30/default/${event.raw_body_ref.sha256}` });
      }
    }
    expect(await keys("bodies/30/default/")).toHaveLength(2);
  });

  it("[T-26.2] one without a byte is one, too", async () => {
    await put("empty", { provider: "webhook", signature_scheme: "bearer", secret: "token", match: {} });
    const delivery = { body: "", headers: { Authorization: "Bearer token" } };
    const given = await bodyOf((await accepted("/hooks/empty", delivery)).event_id);
    expect([given.status, (await given.arrayBuffer()).byteLength]).toEqual([200, 0]);
  });

  it("[T-26.2] a type that a browser would run comes back as bytes, and the client gives them as they are", async () => {
    await put("typed", {
      provider: "webhook",
      signature_scheme: "github",
      secret: "It's a Secret to Everybody",
      match: {},
    });
    const body = Uint8Array.from({ length: 70_000 }, (_, index) => index % 251);
    for (const bytes of [body, body.subarray(0, 100)]) {
      const { event_id: id } = await accepted("/hooks/typed", {
        body: bytes,
        headers: { "Content-Type": "text/html" },
      });
      const given = await bodyOf(id);
      expect(given.headers.get("Content-Type")).toBe("application/octet-stream");
      expect(given.headers.get("Content-Disposition")).toBe("attachment");
      expect(await clientFor().triggers.getEventBody(id)).toEqual(bytes);
    }
  });

  it("[T-26.2] nothing is kept before the signature was verified", async () => {
    await put("guarded", { body_retention_days: 7 });
    expect((await deliver("/hooks/guarded", { body: oddly(100_000), secret: "wrong" })).status).toBe(401);
    expect(await keys("bodies/7/")).toEqual([]);
    await accepted("/hooks/guarded", { body: oddly(100_000) });
    expect(await keys("bodies/7/")).toHaveLength(1);
  });

  it("[T-26.2] a trigger that keeps none has none, and says so", async () => {
    await put("forgetful", { body_retention_days: 0 });
    for (const size of [1_000, 100_000]) {
      const { event_id: id } = await accepted("/hooks/forgetful", { body: oddly(size) });
      const { event } = await eventIn(id, "dispatched");
      expect(Object.keys(event).filter((key) => key.startsWith("raw_body"))).toEqual([]);
      expect(await refusal(get(`/v1/events/${id}/body`))).toMatchObject({ status: 404, code: "body_not_found" });
    }
    expect(await refusal(put("odd", { body_retention_days: 2 }))).toMatchObject({
      status: 400,
      details: { issues: [{ path: "body_retention_days", message: "must be one of 0, 1, 7, 30, 90, 365" }] },
    });
  });

  it("[T-26.2] tenants do not read each other's bodies", async () => {
    await put("owned", { secret: "theirs" }, { "Godwit-Tenant": "acme" });
    const { event_id: id } = await accepted("/hooks/acme/owned", { body: oddly(100_000), secret: "theirs" });
    await vi.waitUntil(async () => (await get(`/v1/events/${id}/body`, { "Godwit-Tenant": "acme" })).status === 200, {
      timeout: 5_000,
    });
    expect(await refusal(get(`/v1/events/${id}/body`))).toMatchObject({ status: 404, code: "event_not_found" });
    expect(await keys("bodies/30/acme/")).toHaveLength(1);
  });

  it("[T-20.2] a body of the largest size is taken in, read back and handled", async () => {
    await put("large", { max_body_bytes: MAX_BODY_BYTES });
    const [head, tail] = ['{"action":"opened","issue":{"body":"', '"}}'];
    // One such character, and all of the text takes two bytes each on its way between objects.
    const body = `${head}🙂${"x".repeat(MAX_BODY_BYTES - 4 - head.length - tail.length)}${tail}`;
    const { event_id: id } = await accepted("/hooks/large", { body });
    expect(await (await bodyOf(id)).text()).toBe(body);
    const event = await eventIn(id, "dispatched");
    expect(event.event.provider_payload["raw"]).toEqual(JSON.parse(body));
    const run = await endedRun(event.runs[0] ?? "");
    expect(run["status"]).toBe("completed");
    expect(await refusal(deliver("/hooks/large", { body: `${body} ` }))).toMatchObject({ status: 413 });
  }, 30_000);
});

/** The event of the test below as its row holds it. */
const payload = (): Promise<string> =>
  runInDurableObject(objectOf("aging"), (_instance, { storage }) =>
    String(storage.sql.exec("SELECT payload FROM event").one()["payload"]),
  );

it("[T-26.2] the row of an event loses its bytes when their time is over", async () => {
  await put("aging", { body_retention_days: 1 });
  const { event_id: id } = await accepted("/hooks/aging", { body: ISSUE_OPENED });
  await eventIn(id, "dispatched");
  expect(await payload()).toContain("raw_body");
  await runInDurableObject(objectOf("aging"), (_instance, { storage }) => {
    const { state } = storage.sql.exec("SELECT state FROM event").one();
    const aged = String(state).replaceAll(/"received_at":"[^"]+"/g, '"received_at":"2020-01-01T00:00:00.000Z"');
    storage.sql.exec("UPDATE event SET state = ?", aged);
  });
  expect(await refusal(get(`/v1/events/${id}/body`))).toMatchObject({ status: 404, code: "body_not_found" });
  expect(await payload()).not.toContain("raw_body");
  expect(await payload()).toContain("octo-repo");
});

import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { utf8Bytes } from "../../src/connectors/encoding.ts";
import { standardSignature } from "../../src/connectors/signature-standard.ts";
import type { PlacedUpdate } from "../../src/engine/worker/updates.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { deliverWorkerWebhook } from "../../src/queue/worker-webhook.ts";
import { get, MASTER_KEY, migrateDatabase, refusal, post, ROOT_KEY, send } from "./http-setup.ts";
import { answered, runWith, startRun } from "./run-setup.ts";
import { says, spawned, workerWith } from "./worker-setup.ts";

beforeAll(migrateDatabase);

interface Sent {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: JsonObject;
}

const FETCH = globalThis.fetch;

/** A receiver at a host that answers with these statuses, then with 200. */
const receiving = (host: string, statuses: readonly number[] = []): readonly Sent[] => {
  const seen: Sent[] = [];
  vi.stubGlobal("fetch", (input: RequestInfo | URL, init?: RequestInit) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (url.host !== host) return FETCH(input as string, init);
    const body = JSON.parse(String(init?.body)) as JsonObject;
    seen.push({ headers: Object.fromEntries(new Headers(init?.headers)), body });
    return Promise.resolve(new Response(null, { status: statuses[seen.length - 1] ?? 200 }));
  });
  return seen;
};

const deliveriesOf = async (id: string): Promise<readonly JsonObject[]> =>
  ((await (await get(`/v1/workers/${id}/webhook_deliveries`)).json()) as { items: readonly JsonObject[] }).items;

const updatesOf = async (id: string): Promise<readonly PlacedUpdate[]> =>
  ((await (await get(`/v1/workers/${id}/events`)).json()) as { items: readonly PlacedUpdate[] }).items;

const tenantWebhook = (body: unknown, method = "PUT"): Promise<Response> =>
  send(
    "/v1/worker_webhook",
    {
      method,
      headers: { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json" },
      ...(method === "PUT" ? { body: JSON.stringify(body) } : {}),
    },
    {},
  );

const spawn = (webhook: JsonObject): Promise<Response> => post("/v1/workers", { task: "x", node: says("x"), webhook });

describe("the webhook of a worker", () => {
  it("[L-13.3] gets its events in order, each under an id of its own", async () => {
    const seen = receiving("one.test");
    const webhook = { url: "https://one.test/in", headers: { "x-for": "me" } };
    const id = String((await spawned({ task: "Draft", node: says("a note"), webhook }))["id"]);
    await workerWith(id, "completed");
    await answered(`/v1/workers/${id}/input`, { text: "One more" });
    await expect
      .poll(() => seen.map(({ body }) => body["event"]), { timeout: 15_000 })
      .toEqual(["WorkerSpawned", "WorkerCompleted", "WorkerSpawned", "WorkerCompleted"]);
    expect(seen.map(({ headers }) => headers["webhook-id"])).toEqual([1, 2, 3, 4].map((seq) => `${id}.${seq}`));
    expect(seen[1]).toMatchObject({
      headers: { "content-type": "application/json", "x-for": "me" },
      body: {
        eventId: `${id}.2`,
        sessionUpdate: "worker_update",
        workerId: id,
        workerMode: "stage",
        status: "completed",
        terminal: true,
        metadata: { task: "Draft" },
      },
    });
    await expect
      .poll(async () => (await deliveriesOf(id)).map(({ state }) => state), { timeout: 10_000 })
      .toEqual(["delivered", "delivered", "delivered", "delivered"]);
    expect(await (await get(`/v1/workers/${id}/snapshot`)).text()).not.toContain("one.test");
  });

  it("[L-13.3] is tried again after a failure, and shows what is pending and why", async () => {
    const seen = receiving("two.test", [503]);
    const webhook = { url: "https://two.test/in", events: ["WorkerCompleted"] };
    const id = String((await spawned({ task: "Draft", node: says("a note"), webhook }))["id"]);
    await expect
      .poll(() => deliveriesOf(id), { timeout: 15_000 })
      .toMatchObject([
        {
          id: `${id}.2`,
          event: "WorkerCompleted",
          state: "pending",
          attempts: 1,
          last_error: "the receiver answered 503",
          next_attempt_at: expect.any(String),
        },
      ]);
    await expect
      .poll(() => deliveriesOf(id), { timeout: 15_000 })
      .toMatchObject([{ state: "delivered", attempts: 2, next_attempt_at: null }]);
    expect(seen.map(({ headers }) => headers["webhook-id"])).toEqual([`${id}.2`, `${id}.2`]);
  });

  it("[L-13.3] goes to no private host, and keeps no secret", async () => {
    expect(await refusal(spawn({ url: "http://127.0.0.1/in" }))).toMatchObject({ status: 400 });
    expect(await refusal(spawn({ url: "https://a.test", secret: "abc" }))).toMatchObject({
      status: 400,
      detail: expect.stringContaining("secret_ref"),
    });
    expect(await refusal(get("/v1/workers/worker_none/webhook_deliveries"))).toMatchObject({ status: 404 });
  });
});

describe("the webhook of a tenant", () => {
  it("[L-13.3] gets the events of all its workers, signed, and is never shown its secret", async () => {
    const secret = `whsec_${btoa("a secret of the tenant")}`;
    const put = await tenantWebhook({ url: "https://three.test/in", events: ["WorkerCompleted"], secret });
    expect(put.status).toBe(200);
    expect(await put.text()).not.toContain(btoa("a secret of the tenant"));
    const shown = await (await get("/v1/worker_webhook")).json();
    expect(shown).toMatchObject({ webhook: { url: "https://three.test/in", has_secret: true } });
    const seen = receiving("three.test");
    const graph = { entry: "ask", nodes: { ask: { ...says("found"), kind: "subagent" } }, edges: [] };
    const run = await runWith(await startRun(graph), "completed");
    const id = run.child_runs[0]?.worker_id ?? "";
    // The queue of these tests has no master key: its attempt fails, and says why.
    await expect
      .poll(() => deliveriesOf(id), { timeout: 15_000 })
      .toMatchObject([{ state: "pending", last_error: expect.stringContaining("GODWIT_MASTER_KEY") }]);
    const taken = { target: "tenant", from: 0, through: 2, items: await updatesOf(id) } as const;
    const reports: unknown[] = [];
    const worker = {
      takeWebhook: () => Promise.resolve(taken),
      reportWebhook: (report: unknown) => Promise.resolve(reports.push(report)),
    };
    const settings = { ...env, GODWIT_MASTER_KEY: MASTER_KEY, AGENT_WORKER: { getByName: () => worker } };
    await deliverWorkerWebhook(settings as unknown as Env, { tenant: "default", worker_id: id });
    expect(reports).toEqual([{ type: "report_webhook", from: 0, delivered: 2, error: null }]);
    expect(seen.map(({ headers }) => headers["webhook-id"])).toEqual([`${id}.1`, `${id}.2`]);
    const [first] = seen;
    const request = { headers: first?.headers, body: utf8Bytes(JSON.stringify(first?.body)), secrets: [secret] };
    expect((await standardSignature.verify({ ...request, now: Date.now() } as never)).ok).toBe(true);
    expect((await tenantWebhook(null, "DELETE")).status).toBe(204);
    expect(await (await get("/v1/worker_webhook")).json()).toEqual({ webhook: null });
    await deliverWorkerWebhook(settings as unknown as Env, { tenant: "default", worker_id: id });
    expect(reports.at(-1)).toMatchObject({ error: "the tenant has no webhook any more", hopeless: true });
  });
});

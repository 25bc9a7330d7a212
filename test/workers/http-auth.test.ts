import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { clientFor, get, migrateDatabase, post, refusal, ROOT_KEY, send, TWO_STAGES } from "./http-setup.ts";

const bearer = (key: string, tenant?: string) => ({
  Authorization: `Bearer ${key}`,
  ...(tenant === undefined ? {} : { "Godwit-Tenant": tenant }),
});
const root = clientFor();

beforeAll(migrateDatabase);

describe("keys", () => {
  it("[api] serves nothing below /v1 without a root key, and says what to set", async () => {
    for (const setting of ["", undefined]) {
      const settings = { GODWIT_ROOT_KEY: setting } as Record<string, string>;
      const answer = await refusal(send("/v1/runs", { headers: bearer("") }, settings));
      expect(answer).toMatchObject({ status: 503, code: "unavailable" });
      expect(answer.detail).toContain("GODWIT_ROOT_KEY");
      expect((await send("/healthz", {}, settings)).status).toBe(200);
    }
  });

  it("[api] refuses a request without a valid key", async () => {
    const keys = ["wrong", ROOT_KEY.slice(0, -1), `${ROOT_KEY}x`, `gw_${"0".repeat(32)}_${"0".repeat(64)}`, "gw_x_y"];
    for (const key of keys) {
      const response = await send("/v1/runs", { headers: bearer(key) });
      expect(response.headers.get("WWW-Authenticate")).toBe("Bearer");
      expect(await response.json()).toMatchObject({ status: 401, code: "unauthorized" });
    }
    for (const Authorization of ["", "Bearer", `Basic ${ROOT_KEY}`, ROOT_KEY])
      expect(await refusal(send("/v1/version", { headers: { Authorization } }))).toMatchObject({ status: 401 });
  });

  it("[api] lets a key do what its scopes say, for its own tenant only", async () => {
    const admin = clientFor(undefined, "acme");
    const { key, key_id: keyId } = await admin.createKey({ name: "reader", scopes: ["runs:read"] });
    expect(key).toMatch(new RegExp(`^gw_${keyId}_`));
    const reader = { ...bearer(key), "Content-Type": "application/json" };
    expect((await send("/v1/runs", { headers: reader })).status).toBe(200);
    expect((await send("/v1/version", { headers: reader })).status).toBe(200);
    const body = JSON.stringify({ graph: TWO_STAGES, task: "x", drive: "manual" });
    const write = refusal(send("/v1/runs", { method: "POST", headers: reader, body }));
    expect(await write).toMatchObject({ status: 403, code: "forbidden", details: { scope: "runs:write" } });
    expect(await refusal(send("/v1/keys", { headers: reader }))).toMatchObject({ status: 403 });
    expect(await refusal(send("/v1/runs", { headers: bearer(key, "default") }))).toMatchObject({ status: 403 });
    const run = await admin.createRun({ graph: TWO_STAGES, task: "x", drive: "manual" });
    expect((await send(`/v1/runs/${run.run_id}`, { headers: reader })).status).toBe(200);
    const foreign = await root.createRun({ graph: TWO_STAGES, task: "x", drive: "manual" });
    expect(await refusal(send(`/v1/runs/${foreign.run_id}`, { headers: reader }))).toMatchObject({
      code: "run_not_found",
    });
  });

  it("[api] stores only the hash of a key, and refuses a revoked key at once", async () => {
    const made = await root.createKey({ scopes: ["admin"] });
    const admin = clientFor(made.key);
    const { items } = await admin.listKeys({ limit: 200 });
    expect(items.map((item) => item.key_id)).toContain(made.key_id);
    expect(JSON.stringify(items)).not.toContain(made.key.slice(-64));
    const { results } = await env.DB.prepare("SELECT * FROM api_keys").all();
    expect(JSON.stringify(results)).not.toContain(made.key.slice(-64));
    await clientFor(undefined, "other")
      .revokeKey(made.key_id)
      .then(
        () => expect.unreachable("another tenant revoked the key"),
        (error: unknown) => expect(error).toMatchObject({ code: "key_not_found" }),
      );
    await root.revokeKey(made.key_id);
    expect(await refusal(send("/v1/runs", { headers: bearer(made.key) }))).toMatchObject({ status: 401 });
    expect((await send(`/v1/keys/${made.key_id}`, { method: "DELETE", headers: bearer(ROOT_KEY) })).status).toBe(204);
  });

  it("[I5] gives a repeated request the same key, and refuses another request under its idempotency key", async () => {
    const call = { idempotency_key: "key-1" };
    const first = await root.createKey({ scopes: ["workers"] }, call);
    expect(await root.createKey({ scopes: ["workers"] }, call)).toEqual(first);
    const other = refusal(post("/v1/keys", { scopes: ["queues"] }, { "Idempotency-Key": "key-1" }));
    expect(await other).toMatchObject({ status: 409, code: "idempotency_key_reused" });
    const { results } = await env.DB.prepare("SELECT reply FROM idempotency").all();
    expect(JSON.stringify(results)).not.toContain(first.key.slice(-64));
  });

  it("[api] refuses unknown scopes and none", async () => {
    expect(await refusal(post("/v1/keys", { scopes: [] }))).toMatchObject({ status: 400 });
    expect(await refusal(post("/v1/keys", { scopes: ["runs"] }))).toMatchObject({ status: 400 });
  });

  it("[api] pages through keys", async () => {
    const client = clientFor(undefined, "many");
    for (let i = 0; i < 3; i++) await client.createKey({ scopes: ["workers"] });
    const first = await client.listKeys({ limit: 2 });
    const second = await client.listKeys({ limit: 2, cursor: first.next_cursor ?? "" });
    expect(second.next_cursor).toBeNull();
    expect(new Set([...first.items, ...second.items].map((item) => item.key_id)).size).toBe(3);
  });
});

describe("tenants", () => {
  it("[api] takes the tenant of the root key from a header, if it is one", async () => {
    for (const tenant of ["-a", "A", "a/b", "", "x".repeat(64)]) {
      const answer = refusal(get("/v1/runs", { "Godwit-Tenant": tenant }));
      expect(await answer, tenant).toMatchObject({ status: 400, details: { issues: [{ path: "Godwit-Tenant" }] } });
    }
  });

  it("[api] lets only the root key name tenants", async () => {
    expect((await post("/v1/tenants", { tenant: "acme", name: "Acme" })).status).toBe(201);
    const again = await post("/v1/tenants", { tenant: "acme" });
    expect(again.status).toBe(200);
    expect(await again.json()).toMatchObject({ tenant: "acme", name: "Acme" });
    const { key } = await root.createKey({ scopes: ["admin"] });
    const headers = { ...bearer(key), "Content-Type": "application/json" };
    const answer = refusal(send("/v1/tenants", { method: "POST", headers, body: '{"tenant":"mine"}' }));
    expect(await answer).toMatchObject({ status: 403, code: "forbidden" });
  });
});

describe("the database", () => {
  it("[api] answers 503 while its tables are missing, without its own error text", async () => {
    await env.DB.prepare("ALTER TABLE runs RENAME TO runs_gone").run();
    const response = await get("/v1/runs");
    await env.DB.prepare("ALTER TABLE runs_gone RENAME TO runs").run();
    expect(response.status).toBe(503);
    expect(response.headers.get("Retry-After")).toBe("1");
    const document = await response.text();
    expect(document).toContain("migrations");
    expect(document).not.toContain("no such table");
  });
});

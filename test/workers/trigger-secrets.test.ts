import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { clientFor, MASTER_KEY, migrateDatabase, refusal, ROOT_KEY, send } from "./http-setup.ts";
import { accepted, defineWorkflow, deliver, get, ISSUE_OPENED, objectOf, post, put, shown } from "./trigger-setup.ts";

beforeAll(async () => {
  await migrateDatabase();
  await defineWorkflow();
});

const rotate = (id: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  post(`/v1/triggers/${id}/rotate_secret`, body, headers);

const statusOf = async (id: string, secret: string, settings: Readonly<Record<string, string>> = {}): Promise<number> =>
  (await deliver(`/hooks/${id}`, { body: ISSUE_OPENED, secret, settings })).status;

describe("rotation", () => {
  it("[T-5.9] what takes no deliveries has no secret to rotate", async () => {
    await put("by-hand", { provider: "manual", secret: undefined, match: {} });
    const answer = await refusal(rotate("by-hand", { generate: true }));
    expect(answer).toMatchObject({ status: 400, code: "invalid_request", details: { issues: [{ path: "secret" }] } });
  });

  it("[T-5.9] the new secret verifies at once, the one before until the overlap is over, an older one never", async () => {
    await put("turned", { secret: "first" });
    expect(await statusOf("turned", "first")).toBe(202);
    const answer = await rotate("turned", { secret: "second", overlap_seconds: 60 });
    const { trigger, ...others } = await answer.json<{ trigger: { version: number; secrets: object } }>();
    expect(answer.status).toBe(200);
    expect(others).toEqual({});
    expect(trigger.version).toBe(1);
    expect(trigger.secrets).toEqual({
      current: { created_at: expect.any(String) },
      previous: { created_at: expect.any(String), expires_at: expect.any(String) },
    });
    for (const [secret, status] of [
      ["first", 202],
      ["second", 202],
      ["third", 401],
    ] as const)
      expect(await statusOf("turned", secret)).toBe(status);
    await rotate("turned", { secret: "third", overlap_seconds: 0 });
    expect(await Promise.all(["first", "second", "third"].map((secret) => statusOf("turned", secret)))).toEqual([
      401, 401, 202,
    ]);
    expect((await shown("turned")).secrets.previous).toBeNull();
  });

  it("[T-5.9] a made secret is shown once, and again to the same request only", async () => {
    await put("made", { secret: "first" });
    const key = { "Idempotency-Key": "rotate-1" };
    const { secret } = await (await rotate("made", { generate: true }, key)).json<{ secret: string }>();
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect(await statusOf("made", secret)).toBe(202);
    expect(await (await rotate("made", { generate: true }, key)).json()).toMatchObject({ secret });
    expect(await statusOf("made", "first")).toBe(202);
    expect(JSON.stringify(await shown("made"))).not.toContain(secret);
    const other = await clientFor().triggers.rotateSecret("made", { generate: true });
    expect(other.secret).not.toBe(secret);
    expect(await statusOf("made", "first")).toBe(401);
  });

  it("[T-5.9] what cannot be rotated is said", async () => {
    expect(await refusal(rotate("nobody", { generate: true }))).toMatchObject({ code: "trigger_not_found" });
    expect(await refusal(rotate("%20", { generate: true }))).toMatchObject({ code: "trigger_not_found" });
    await put("strict", { provider: "webhook", secret: "whsec_c2VjcmV0", match: {} });
    for (const body of [{}, { secret: "a", generate: true }, { secret: "?" }, { secret: "QQ==", overlap_seconds: 1e9 }])
      expect(await refusal(rotate("strict", body))).toMatchObject({ status: 400, code: "invalid_request" });
    const { secret } = await (await rotate("strict", { generate: true })).json<{ secret: string }>();
    expect(secret).toMatch(/^whsec_/);
  });

  it("[T-26.2] a delivery that was verified under other secrets is not accepted", async () => {
    await put("moved", { secret: "first" });
    const before = await objectOf("moved").binding();
    await rotate("moved", { secret: "second" });
    const delivery = { tenant: "default", version: before?.version ?? 0, event: {} as never };
    expect(await objectOf("moved").accept({ ...delivery, secrets_tag: before?.secrets_tag ?? "" })).toBe("stale");
  });
});

describe("references", () => {
  const settings = { GODWIT_SECRET_GITHUB_HOOK_V1: "one", GODWIT_SECRET_GITHUB_HOOK_V2: "two" };
  const definition = { provider: "github", handler: { workflow: "triage" } };
  const putIt = (change: object): Promise<Response> =>
    send(
      "/v1/triggers/referring",
      {
        method: "PUT",
        headers: { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json" },
        body: JSON.stringify({ ...definition, ...change }),
      },
      // They need no master key.
      { ...settings, GODWIT_MASTER_KEY: "" },
    );

  it("[T-5.9] two secrets of the deployment are valid at a time", async () => {
    expect((await putIt({ secret_refs: ["github/hook@1", "github/hook@2"] })).status).toBe(200);
    for (const [secret, status] of [
      ["one", 202],
      ["two", 202],
      ["three", 401],
    ] as const)
      expect(await statusOf("referring", secret, settings)).toBe(status);
    expect(await refusal(rotate("referring", { generate: true }))).toMatchObject({
      status: 400,
      detail: expect.stringContaining("`secret_refs`"),
    });
    expect((await shown("referring")).secrets).toEqual({ current: null, previous: null });
  });

  it("[T-5.9] references that lead nowhere are refused", async () => {
    for (const change of [
      { secret_refs: ["github/hook@3"] },
      { secret_refs: ["slack/hook@1"] },
      { secret_refs: [] },
      { secret_refs: ["github/hook@1", "github/hook@2", "github/hook@3"] },
      { secret_refs: ["github/hook@1"], secret: "s" },
    ])
      expect(await refusal(putIt(change))).toMatchObject({ status: 400 });
  });
});

/** Sends a request to a Worker with another master key. */
const under = (GODWIT_MASTER_KEY: string, path: string, method: string, body?: object): Promise<Response> =>
  send(
    path,
    {
      method,
      headers: { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    },
    { GODWIT_MASTER_KEY },
  );

describe("the master key", () => {
  const definition = { provider: "github", secret: "s", handler: { workflow: "triage" } };
  const NEW = btoa("n".repeat(32));

  it("[T-5.9] without it no secret is taken, and it is said what to set", async () => {
    const answer = await refusal(under("", "/v1/triggers/unkept", "PUT", definition));
    expect(answer).toMatchObject({ status: 503, code: "unavailable" });
    expect(answer.detail).toContain("set GODWIT_MASTER_KEY to the base64 of 32 random bytes, or use `secret_ref`");
    expect(await refusal(get("/v1/triggers/unkept"))).toMatchObject({ status: 404 });
  });

  it("[T-26.2] it is rotated: the new one in front, every trigger resealed, the old one gone", async () => {
    await put("resealed", { secret: "kept" });
    const lost = await refusal(under(NEW, "/v1/triggers/resealed/reseal", "POST"));
    expect(lost).toMatchObject({ status: 503, detail: expect.stringContaining("add that key") });
    const resealed = await under(`${NEW},${MASTER_KEY}`, "/v1/triggers/resealed/reseal", "POST");
    expect(await resealed.json()).toEqual(await shown("resealed"));
    expect(await statusOf("resealed", "kept", { GODWIT_MASTER_KEY: NEW })).toBe(202);
    const again = { ...definition, secret: "kept", match: { events: ["issues.opened"] } };
    const same = await under(NEW, "/v1/triggers/resealed", "PUT", again);
    expect(await same.json()).toMatchObject({ version: 1 });
  });
});

it("[T-5.9] a trigger whose secrets were lost takes nothing in, and says what to do", async () => {
  await put("lost", { secret: "kept" });
  await runInDurableObject(objectOf("lost"), (_instance, { storage }) => storage.sql.exec("DELETE FROM secret"));
  const answer = await refusal(deliver("/hooks/lost", { body: ISSUE_OPENED, secret: "kept" }));
  expect(answer).toMatchObject({ status: 503, code: "unavailable" });
  expect(answer.detail).toContain("put the trigger again with its `secret`");
  await put("lost", { secret: "kept" });
  expect(await statusOf("lost", "kept")).toBe(202);
});

it("[T-5.9] no secret is in anything that is stored, shown or logged", async () => {
  const lines: string[] = [];
  for (const level of ["log", "warn", "error", "info", "debug"] as const)
    vi.spyOn(console, level).mockImplementation((...given: unknown[]) => lines.push(given.map(String).join(" ")));
  const [first, second] = ["plain-text-one", "plain-text-two"];
  const seen = [await (await put("silent", { secret: first })).text()];
  seen.push(await (await rotate("silent", { secret: second })).text());
  const { secret: made } = await (await rotate("silent", { generate: true })).json<{ secret: string }>();
  const { event_id: id } = await accepted("/hooks/silent", { body: ISSUE_OPENED, secret: second });
  seen.push(await (await deliver("/hooks/silent", { body: ISSUE_OPENED, secret: "wrong" })).text());
  await vi.waitUntil(async () => (await get(`/v1/events/${id}`)).status === 200, { timeout: 5_000 });
  for (const path of ["/v1/triggers/silent", "/v1/triggers", "/v1/events", `/v1/events/${id}`])
    seen.push(await (await get(path)).text());
  seen.push(
    await runInDurableObject(objectOf("silent"), (_instance, { storage }) => {
      const tables = storage.sql
        .exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'")
        .toArray();
      return JSON.stringify(tables.map(({ name }) => storage.sql.exec(`SELECT * FROM "${String(name)}"`).toArray()));
    }),
  );
  const tables = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
  ).all<{ name: string }>();
  for (const { name } of tables.results)
    seen.push(JSON.stringify((await env.DB.prepare(`SELECT * FROM "${name}"`).all()).results));
  const all = [...seen, ...lines].join("\n");
  vi.restoreAllMocks();
  expect(all).toContain("silent");
  expect(all).toMatch(/"sealed":"v1\./);
  for (const secret of [first, second, made, MASTER_KEY]) expect(all).not.toContain(secret);
});

import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { get, migrateDatabase, refusal, ROOT_KEY, send } from "./http-setup.ts";
import { accepted, defineWorkflow, deliver, eventIn, hmac, ISSUE_OPENED, put } from "./trigger-setup.ts";

beforeAll(async () => {
  await migrateDatabase();
  await defineWorkflow();
});

const post = (path: string, body: string | Uint8Array, headers: Readonly<Record<string, string>>): Promise<Response> =>
  send(path, { method: "POST", body, headers });

const slackHeaders = async (body: string): Promise<Record<string, string>> => {
  const at = Math.floor(Date.now() / 1000);
  return { "X-Slack-Request-Timestamp": `${at}`, "X-Slack-Signature": `v0=${await hmac(`v0:${at}:${body}`)}` };
};

const packed = async (text: string): Promise<Uint8Array> =>
  new Uint8Array(
    await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
  );

const push = (text: string): Promise<Response> =>
  post("/hooks/agent", '{"task":{"id":"t","status":{"state":"completed"}}}', { Authorization: `Bearer ${text}` });

describe("what providers demand", () => {
  it("[T-19.5] Slack gets its text, nothing for a command, and no reason to try again", async () => {
    await put("slack-app", { provider: "slack", match: {} });
    const check = '{"type":"url_verification","challenge":"abc"}';
    const challenge = await post("/hooks/slack-app", check, await slackHeaders(check));
    expect([challenge.status, await challenge.text()]).toEqual([200, "abc"]);
    expect(challenge.headers.get("Content-Type")).toBe("text/plain; charset=utf-8");
    const command = "command=%2Fgo&trigger_id=1.2";
    const form = { ...(await slackHeaders(command)), "Content-Type": "application/x-www-form-urlencoded" };
    const answer = await post("/hooks/slack-app", command, form);
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
    const unsigned = await post("/hooks/slack-app", check, {});
    expect([unsigned.status, unsigned.headers.get("x-slack-no-retry")]).toEqual([401, "1"]);
  });

  it("[T-19.5] Linear gets 200", async () => {
    await put("linear-issues", { provider: "linear", match: {} });
    const body = JSON.stringify({ type: "Issue", action: "create", webhookTimestamp: Date.now(), data: { id: "i" } });
    const answer = await post("/hooks/linear-issues", body, { "Linear-Signature": await hmac(body) });
    expect(answer.status).toBe(200);
    const { event_id: id } = await answer.json<{ event_id: string }>();
    expect(await eventIn(id, "dispatched")).toMatchObject({ kind: "issue.create" });
  });

  it("[T-25] Notion's token is shown to the owner, not sent back, and refused once there is one", async () => {
    await put("notion-pages", { provider: "notion", secret: undefined, match: {} });
    const handshake = '{"verification_token":"secret_abc"}';
    const answer = await post("/hooks/notion-pages", handshake, {});
    expect([answer.status, await answer.text()]).toEqual([200, '{"status":"handshake_captured"}']);
    const captured = await (await get("/v1/triggers/notion-pages/handshake")).json();
    expect(captured).toMatchObject({ verification_token: "secret_abc", captured_at: expect.any(String) });
    expect(await refusal(send("/v1/triggers/notion-pages/handshake", {}))).toMatchObject({ status: 401 });
    expect(await refusal(post("/hooks/notion-pages", '{"type":"x"}', {}))).toMatchObject({ status: 503 });
    await put("notion-pages", { provider: "notion", secret: "secret_abc", match: {} });
    // It has become the secret, which nobody is shown.
    expect(await refusal(get("/v1/triggers/notion-pages/handshake"))).toMatchObject({ code: "handshake_not_found" });
    expect(await refusal(post("/hooks/notion-pages", handshake, {}))).toMatchObject({ status: 401 });
    const body = '{"id":"evt_1","type":"page.created"}';
    const signature = { "X-Notion-Signature": `sha256=${await hmac(body, "secret_abc")}` };
    expect((await post("/hooks/notion-pages", body, signature)).status).toBe(200);
  });

  it("[T-19.1] a refused signature is one line of the log, also where the binding was remembered", async () => {
    await put("told-once", {});
    const lines = vi.spyOn(console, "warn").mockReturnValue();
    const refused = await deliver("/hooks/told-once", { body: ISSUE_OPENED, secret: "wrong" });
    const again = await deliver("/hooks/told-once", { body: ISSUE_OPENED, secret: "wrong" });
    const told = lines.mock.calls.filter(([line]) => String(line).includes("told-once"));
    lines.mockRestore();
    expect([refused.status, again.status, told.length]).toEqual([401, 401, 2]);
  });

  it("[T-5.9] a deleted trigger forgets Notion's token", async () => {
    const definition = { provider: "notion", secret: undefined, match: {} };
    await put("notion-gone", definition);
    await post("/hooks/notion-gone", '{"verification_token":"secret_old"}', {});
    const address = "/v1/triggers/notion-gone/handshake";
    expect((await get(address)).status).toBe(200);
    const owner = { Authorization: `Bearer ${ROOT_KEY}` };
    expect((await send("/v1/triggers/notion-gone", { method: "DELETE", headers: owner })).status).toBe(204);
    expect(await refusal(get(address))).toMatchObject({ code: "handshake_not_found" });
    await put("notion-gone", definition);
    expect(await refusal(get(address))).toMatchObject({ code: "handshake_not_found" });
  });

  it("[T-19.5] another agent's token is verified and good for one event", async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: "k1" };
    const a2a_push = { expected_iss: "https://a.example", expected_aud: "godwit", jwks: { keys: [jwk] } };
    const made = await put("agent", { provider: "a2a-push", kind: "a2a-push", secret: undefined, match: {}, a2a_push });
    expect(made.status).toBe(200);
    const token = await new SignJWT({ iss: "https://a.example", aud: "godwit", jti: "j1" })
      .setProtectedHeader({ alg: "ES256", kid: "k1" })
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(privateKey);
    expect(await (await push(token)).json()).toMatchObject({ duplicate: false });
    expect(await (await push(token)).json()).toMatchObject({ duplicate: true });
    expect(await refusal(push(`${token.slice(0, -6)}AAAAAA`))).toMatchObject({ status: 401 });
    expect(await refusal(push("x"))).toMatchObject({ status: 401, detail: "a2a-push JWT is malformed" });
  });
});

const fromOrigin = (origin: string): Promise<Response> =>
  deliver("/hooks/origins", { body: ISSUE_OPENED, headers: { Origin: origin } });

describe("what comes in", () => {
  it("[T-19.1] packed bodies are verified as received; what cannot be unpacked is refused", async () => {
    await put("packed");
    const body = await packed(ISSUE_OPENED);
    const headers = { "Content-Encoding": "gzip" };
    const { event_id: id } = await accepted("/hooks/packed", { body, headers });
    expect((await eventIn(id, "dispatched")).event.provider_payload["raw"]).toEqual(JSON.parse(ISSUE_OPENED));
    expect(await refusal(deliver("/hooks/packed", { body: body.subarray(0, 50), headers }))).toMatchObject({
      status: 400,
    });
    expect(await refusal(deliver("/hooks/packed", { body: "", headers }))).toMatchObject({ status: 400 });
    const bomb = await packed(" ".repeat(2_000_000));
    expect(await refusal(deliver("/hooks/packed", { body: bomb, headers }))).toMatchObject({ status: 413 });
    const unknown = { "Content-Encoding": "br" };
    expect(await refusal(deliver("/hooks/packed", { body, headers: unknown }))).toMatchObject({ status: 400 });
  });

  it("[T-20.2] an origin that is not named is turned away", async () => {
    await put("origins", { allowed_origins: ["https://good.example"] });
    expect(await refusal(fromOrigin("https://evil.example"))).toMatchObject({
      status: 403,
      detail: "origin 'https://evil.example' is not allowed",
    });
    expect((await fromOrigin("https://good.example")).status).toBe(202);
    expect((await deliver("/hooks/origins", { body: ISSUE_OPENED })).status).toBe(202);
  });

  it("[T-20.4] more than a minute's deliveries at once are told when to come back", async () => {
    await put("limited", { ingest_per_minute: 1 });
    expect((await deliver("/hooks/limited", { body: ISSUE_OPENED })).status).toBe(202);
    const answer = await deliver("/hooks/limited", { body: ISSUE_OPENED });
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get("Retry-After"))).toBeGreaterThanOrEqual(1);
    expect(await answer.json()).toMatchObject({ code: "unavailable", detail: "ingest saturated" });
  });
});

it("[T-20.5] a trigger can have the answers of the original", async () => {
  await put("as-harn", { compatibility: "harn", match: {}, allowed_origins: ["https://a"] });
  const first = await deliver("/hooks/as-harn", { body: ISSUE_OPENED, id: "d1" });
  const receipt = await first.json<{ event_id: string }>();
  expect([first.status, receipt]).toMatchObject([200, { status: "accepted", trigger_id: "as-harn" }]);
  expect(await eventIn(receipt.event_id, "dispatched")).toMatchObject({ kind: "issues" });
  const second = await deliver("/hooks/as-harn", { body: ISSUE_OPENED, id: "d1" });
  expect(await second.json()).toEqual({ status: "duplicate_dropped", trigger_id: "as-harn" });
  const wrong = await deliver("/hooks/as-harn", { body: ISSUE_OPENED, secret: "x" });
  expect([wrong.status, await wrong.text()]).toEqual([400, "signature did not match the raw request body"]);
  const away = await deliver("/hooks/as-harn", { body: ISSUE_OPENED, headers: { Origin: "https://b" } });
  expect([away.status, await away.text()]).toEqual([403, "origin 'https://b' is not allowed"]);
});

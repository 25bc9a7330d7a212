import { beforeAll, describe, expect, it, vi } from "vitest";
import { clientFor, get, migrateDatabase, post, refusal, ROOT_KEY, send } from "./http-setup.ts";

beforeAll(migrateDatabase);

const at = (id: string, rest: string): string => `/v1/mailboxes/${id}/${rest}`;

const answer = async (response: Promise<Response>): Promise<Record<string, unknown>> => {
  const { status, body } = await response.then(async (got) => ({ status: got.status, body: await got.json() }));
  return { status, ...(body as object) };
};

const put = (path: string, body: unknown): Promise<Response> =>
  send(path, {
    method: "PUT",
    headers: { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

const pathsOf = (details: unknown): readonly string[] =>
  (details as { issues: { path: string }[] }).issues.map((issue) => issue.path).toSorted();

const key = (name: string): Readonly<Record<string, string>> => ({ "Idempotency-Key": name });

describe("messages", () => {
  it("[W-13] go in and come out in order", async () => {
    expect(await answer(post(at("m", "signal"), { name: "a", payload: { n: 1 } }))).toMatchObject({
      status: { workflow_id: "m", pending_count: 1, paused: false, generation: 1, base_dir: null },
      workflow_id: "m",
      message: { seq: 1, kind: "signal", name: "a", request_id: null, payload: { n: 1 } },
    });
    await post(at("m", "signal"), { name: "b" });
    expect(await answer(post(at("m", "receive"), undefined))).toMatchObject({ message: { seq: 1 } });
    expect(await answer(post(at("m", "receive"), undefined))).toMatchObject({ message: { seq: 2, payload: null } });
    expect(await answer(post(at("m", "receive"), undefined))).toEqual({ status: 200, workflow_id: "m", message: null });
  });

  it("[I5] are sent and received once under an idempotency key", async () => {
    const first = await answer(post(at("i", "signal"), { name: "a", payload: 1 }, key("k")));
    expect(await answer(post(at("i", "signal"), { name: "a", payload: 1 }, key("k")))).toEqual(first);
    const other = refusal(post(at("i", "signal"), { name: "a", payload: 2 }, key("k")));
    expect(await other).toMatchObject({ status: 409, code: "idempotency_key_reused" });
    await post(at("i", "signal"), { name: "b" });
    const received = await answer(post(at("i", "receive"), undefined, key("r")));
    expect(await answer(post(at("i", "receive"), undefined, key("r")))).toEqual(received);
    expect(await answer(get(at("i", "status")))).toMatchObject({ pending_count: 1 });
  });

  it("[api] with bad fields are refused with the path of each, and too large ones with the limit", async () => {
    const bad = await refusal(post(at("b", "signal"), { payload: 1 }));
    expect(bad).toMatchObject({ status: 400, code: "invalid_request" });
    expect(pathsOf(bad.details)).toEqual(["name"]);
    const update = await refusal(post(at("b", "update"), { name: "", timeout_ms: 30_001, wait: "no" }));
    expect(pathsOf(update.details)).toEqual(["name", "timeout_ms", "wait"]);
    expect(pathsOf((await refusal(post(at("b", "respond"), { value: 1 }))).details)).toEqual(["request_id"]);
    expect(pathsOf((await refusal(get(at("b%00", "status")))).details)).toEqual(["workflow_id"]);
    const large = await refusal(post(at("b", "signal"), { name: "a", payload: "x".repeat(131_072) }));
    expect(large).toMatchObject({ status: 413, code: "payload_too_large", details: { max_bytes: 131_072 } });
    expect(await answer(get(at("b", "status")))).toMatchObject({ pending_count: 0 });
  });

  it("[W-13] fill a mailbox up to its limit, then senders are told to wait", async () => {
    const payload = "x".repeat(131_070);
    for (let i = 0; i < 128; i++) expect((await post(at("full", "signal"), { name: "a", payload })).status).toBe(200);
    const response = await post(at("full", "signal"), { name: "a", payload });
    expect(response.headers.get("Retry-After")).toBe("1");
    expect(await refusal(Promise.resolve(response))).toMatchObject({ status: 429, code: "rate_limited" });
    expect((await post(at("full", "pause"), undefined)).status).toBe(200);
  }, 30_000);
});

describe("queries", () => {
  it("[W-13] show the last value, and null before there is one", async () => {
    expect(await answer(get(at("q", "queries/pct")))).toEqual({
      status: 200,
      workflow_id: "q",
      name: "pct",
      value: null,
      published_at: null,
    });
    expect(await answer(put(at("q", "queries/pct"), { value: 42 }))).toMatchObject({ query_count: 1 });
    expect(await answer(get(at("q", "queries/pct")))).toMatchObject({ value: 42 });
    const reused = refusal(put(at("q", "queries/pct"), { value: "x".repeat(131_072) }));
    expect(await reused).toMatchObject({ code: "payload_too_large" });
  });
});

describe("updates", () => {
  it("[W-13] are answered with the response as soon as it is there", async () => {
    const update = answer(post(at("u", "update"), { name: "ping", payload: 1 }));
    const message = await vi.waitUntil(async () => {
      const { message } = await answer(post(at("u", "receive"), undefined));
      return message as { kind: string; request_id: string; payload: number } | null;
    });
    expect(message).toMatchObject({ kind: "update", payload: 1 });
    const respond = post(at("u", "respond"), { request_id: message.request_id, value: "pong", name: "ping" });
    expect(await answer(respond)).toMatchObject({ response_count: 1 });
    expect(await update).toMatchObject({
      workflow_id: "u",
      request_id: message.request_id,
      status: "answered",
      value: "pong",
    });
  });

  it("[W-13] time out with the name and the workflow; the update stays, and a late response can be read", async () => {
    const body = { name: "ping", timeout_ms: 1 };
    const late = await refusal(post(at("silent", "update"), body, key("once")));
    expect(late).toMatchObject({
      status: 504,
      code: "update_timed_out",
      detail: "workflow update 'ping' timed out for 'silent'",
      details: { workflow_id: "silent" },
    });
    const { request_id: requestId } = late.details as { request_id: string };
    expect(await answer(get(at("silent", `updates/${requestId}`)))).toMatchObject({ status: "pending", value: null });
    expect(await answer(get(at("silent", "status")))).toMatchObject({ pending_count: 1 });
    await post(at("silent", "respond"), { request_id: requestId, value: { late: true } });
    const found = { status: "answered", request_id: requestId, value: { late: true } };
    expect(await answer(get(at("silent", `updates/${requestId}`)))).toMatchObject(found);
    expect(await answer(post(at("silent", "update"), body, key("once")))).toMatchObject(found);
    expect(await answer(get(at("silent", "status")))).toMatchObject({ pending_count: 1 });
  });

  it("[W-13] do not wait when told so", async () => {
    for (const body of [{ timeout_ms: 0 }, { wait: false }]) {
      const response = await post(at("async", "update"), { name: "ping", ...body });
      expect(response.status).toBe(202);
      expect(await response.json()).toMatchObject({
        status: "pending",
        request_id: expect.stringMatching(/^[\da-f-]{36}$/),
      });
    }
  });
});

describe("a mailbox", () => {
  it("[W-13] begins a new generation, without its responses", async () => {
    await post(at("g", "respond"), { request_id: "r", value: 1 });
    expect(await answer(post(at("g", "continue_as_new"), undefined))).toMatchObject({
      generation: 2,
      continue_as_new_count: 1,
      response_count: 0,
    });
  });

  it("[api] belongs to its tenant, and takes the scopes of runs", async () => {
    await post(at("t", "signal"), { name: "a" });
    const other = get(at("t", "status"), { "Godwit-Tenant": "other" });
    expect(await answer(other)).toMatchObject({ pending_count: 0 });
    const { key: text } = await clientFor().createKey({ scopes: ["runs:read"] });
    const headers = { Authorization: `Bearer ${text}` };
    expect((await send(at("t", "status"), { headers })).status).toBe(200);
    const refused = refusal(send(at("t", "receive"), { method: "POST", headers }));
    expect(await refused).toMatchObject({ status: 403, code: "forbidden" });
  });
});

import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { sendJson, startServer } from "./local-server.ts";
import { httpPlan, NOW, planOf, rerouted, run } from "./plans.ts";

const allow = { GODWIT_ALLOW_PRIVATE_HOSTS: "127.0.0.1" };

describe("requests and results", () => {
  test("[W-6.10] a JSON call has status, status_code, headers, text and data", async () => {
    const server = await startServer((_q, r) =>
      sendJson(r, 201, { id: 7 }, { "x-served-by": "a", "set-cookie": "session=secret" }),
    );
    const call = {
      method: "post",
      url: `${server.origin}/items?x=1`,
      headers: { "X-Team": "blue" },
      body: { name: "é" },
    };
    const result = await run(httpPlan(call), { env: allow });
    expect(result).toMatchObject({ status: "completed", status_code: 201, text: `{"id":7}`, data: { id: 7 } });
    expect(Object.keys(result).toSorted()).toEqual(["data", "headers", "status", "status_code", "text"]);
    expect(result["headers"]).toMatchObject({ "content-type": "application/json", "x-served-by": "a" });
    expect(result["headers"]).not.toHaveProperty("set-cookie");
    expect(server.requests[0]).toMatchObject({ method: "POST", path: "/items?x=1", body: `{"name":"é"}` });
    expect(server.requests[0]?.headers).toMatchObject({
      "content-type": "application/json",
      "idempotency-key": "run-1:work:1",
      "x-team": "blue",
    });
  });

  test("a text body goes out as it is, and a given idempotency key or content type wins", async () => {
    const server = await startServer((_q, r) => void r.end("plain"));
    const headers = { "content-type": "text/csv", "Idempotency-Key": "mine" };
    const result = await run(httpPlan({ method: "PUT", url: server.origin, headers, body: "a,b" }), { env: allow });
    expect(result).toMatchObject({ status: "completed", text: "plain" });
    expect(result).not.toHaveProperty("data");
    expect(server.requests[0]).toMatchObject({ method: "PUT", body: "a,b" });
    expect(server.requests[0]?.headers).toMatchObject({ "content-type": "text/csv", "idempotency-key": "mine" });
  });

  test("an idempotency key that is not ASCII is sent percent-encoded", async () => {
    const server = await startServer((_q, r) => void r.end());
    await run(httpPlan({ url: server.origin }, { idempotency_key: "run:größe:1" }), { env: allow });
    expect(server.requests[0]?.headers["idempotency-key"]).toBe("run%3Agr%C3%B6%C3%9Fe%3A1");
  });

  test("a body that is not the JSON its type promises stays text", async () => {
    const server = await startServer((_q, r) => void r.writeHead(200, { "content-type": "application/json" }).end("{"));
    const result = await run(httpPlan({ url: server.origin }), { env: allow });
    expect(result).toMatchObject({ status: "completed", text: "{" });
    expect(result).not.toHaveProperty("data");
  });

  test.each(["application/problem+json; charset=utf-8", "text/json"])("%s is read as JSON", async (type) => {
    const server = await startServer((_q, r) => void r.writeHead(200, { "content-type": type }).end("[1]"));
    expect((await run(httpPlan({ url: server.origin }), { env: allow }))["data"]).toEqual([1]);
  });

  test.each([
    [{ url: "/relative" }, "http.url is not an absolute URL"],
    [{ method: "CONNECT" }, 'http.method "CONNECT" is not one of'],
    [{ body: { a: 1 } }, "a GET call cannot have a body"],
    [{ headers: { "bad name": "x" } }, '"bad name" is no header name'],
    [{ headers: { "x-a": "1\r\nx-b: 2" } }, 'the value of "x-a" has a line break'],
    [{ headers: { Host: "other" } }, '"Host" is set by the transport'],
  ])("a call that cannot be made is refused: %j", async (call, message) => {
    const result = await run(httpPlan(call), { fetcher: rerouted("http://127.0.0.1:1", []) });
    expect(result["error_category"]).toBe("schema_validation");
    expect(result["error"]).toContain(message);
  });

  test("a plan without a call is refused", async () => {
    const result = await run(planOf({ mode: "http" }));
    expect(result["error"]).toBe("Error [schema_validation]: the plan has no http call");
  });
});

describe("failed answers", () => {
  test.each([
    [400, "generic", false],
    [401, "auth", false],
    [403, "auth", false],
    [404, "not_found", false],
    [408, "timeout", true],
    [409, "generic", false],
    [425, "generic", true],
    [429, "rate_limit", true],
    [500, "server_error", true],
    [502, "server_error", true],
    [503, "overloaded", true],
    [504, "server_error", true],
  ])("[W-0.3] status %i is a failed stage: %s, retryable: %s", async (status, category, retryable) => {
    const server = await startServer((_q, r) => void r.writeHead(status).end("the reason"));
    const result = await run(httpPlan({ url: `${server.origin}/a?token=1` }), { env: allow });
    expect(result).toEqual({
      __workflow_stage_error: true,
      status: "failed",
      text: "",
      visible_text: "",
      error: `Error [${category}]: GET ${server.origin}/a answered ${status}: the reason`,
      error_category: category,
      retryable,
      status_code: status,
    });
  });

  test.each([
    ["3", 3000],
    [new Date(NOW + 60_000).toUTCString(), 60_000],
    [new Date(NOW - 60_000).toUTCString(), 0],
  ])("[W-0.3] Retry-After: %s is kept in milliseconds", async (header, wait) => {
    const server = await startServer((_q, r) => void r.writeHead(503, { "retry-after": header }).end());
    const result = await run(httpPlan({ url: server.origin }), { env: allow });
    expect(result).toMatchObject({ error_category: "overloaded", retry_after_ms: wait });
  });

  test("a Retry-After that says nothing is left out", async () => {
    const server = await startServer((_q, r) => void r.writeHead(429, { "retry-after": "soon" }).end());
    expect(await run(httpPlan({ url: server.origin }), { env: allow })).not.toHaveProperty("retry_after_ms");
  });

  test("expect_status is the only status that succeeds", async () => {
    const server = await startServer((q, r) => void r.writeHead(Number(q.path.slice(1))).end());
    const at = (status: number) => httpPlan({ url: `${server.origin}/${status}`, expect_status: 404 });
    expect(await run(at(404), { env: allow })).toMatchObject({ status: "completed", status_code: 404 });
    const other = await run(at(200), { env: allow });
    expect(other).toMatchObject({ error_category: "generic", retryable: false, status_code: 200 });
    expect(other["error"]).toContain("answered 200, expected 404");
    expect(await run(at(503), { env: allow })).toMatchObject({ error_category: "overloaded", retryable: true });
  });

  test("[W-0.3] a refused connection and one that breaks are transient_network", async () => {
    const refused = await run(httpPlan({ url: "http://127.0.0.1:1/" }), { env: allow, fetcher: fetch });
    expect(refused).toMatchObject({ error_category: "transient_network", retryable: true });
    const server = await startServer((_q, r) => {
      r.writeHead(200, { "content-length": "100" });
      r.write("half", () => r.destroy());
    });
    expect((await run(httpPlan({ url: server.origin }), { env: allow }))["error_category"]).toBe("transient_network");
  });

  test("[W-0.3] a server that never answers is a timeout, by the shorter of both limits", async () => {
    const server = await startServer(() => {});
    const own = await run(httpPlan({ url: server.origin, timeout_ms: 50 }), { env: allow });
    expect(own["error"]).toBe("Error [timeout]: the stage did not finish within 50 ms");
    const stage = await run(httpPlan({ url: server.origin, timeout_ms: 9000 }, { timeout_ms: 40 }), { env: allow });
    expect(stage["error"]).toBe("Error [timeout]: the stage did not finish within 40 ms");
  });

  test("[W-0.3] a body that never ends is a timeout too", async () => {
    const server = await startServer((_q, r) => void r.write("a"));
    const result = await run(httpPlan({ url: server.origin, timeout_ms: 50 }), { env: allow });
    expect(result["error_category"]).toBe("timeout");
  });
});

describe("size", () => {
  const LIMIT = 25 * 1_048_576;

  test("a response beyond 25 MiB is refused without reading it to its end", async () => {
    const closed = Promise.withResolvers<void>();
    const server = await startServer((_q, r) => {
      r.on("close", () => closed.resolve());
      const more = (): void => void r.write("x".repeat(65_536), (failed) => (failed ? undefined : more()));
      more();
    });
    const result = await run(httpPlan({ url: server.origin }), { env: allow });
    expect(result["error"]).toContain(`the response has more than ${LIMIT} bytes`);
    expect(result).toMatchObject({ error_category: "generic", retryable: false, status_code: 200 });
    await closed.promise;
  });

  test("the limit counts decompressed bytes", async () => {
    const server = await startServer(
      (_q, r) => void r.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("x".repeat(LIMIT + 1))),
    );
    const result = await run(httpPlan({ url: server.origin }), { env: allow });
    expect(result["error"]).toContain("the response has more than");
  });

  test("a response within the limit whose result is beyond it is refused", async () => {
    const server = await startServer((_q, r) =>
      sendJson(
        r,
        200,
        Array.from({ length: 17 }, () => "x".repeat(65_000)),
      ),
    );
    const result = await run(httpPlan({ url: server.origin }), { env: allow });
    expect(result["error"]).toMatch(
      /^Error \[generic\]: the stage's result has \d+ bytes as JSON, more than the limit/,
    );
  });

  test("a large body of a failed answer shows as an excerpt", async () => {
    const server = await startServer((_q, r) => void r.writeHead(500).end("x".repeat(LIMIT + 10)));
    const result = await run(httpPlan({ url: server.origin }), { env: allow });
    expect(result["error"]).toMatch(/answered 500: x{300}\.\.\.$/);
  });
});

describe("secrets", () => {
  const env = { ...allow, GODWIT_SECRET_TOKEN: 's3cr&t "value"', GODWIT_SECRET_PATH: "hidden-path" };

  test("{{secret.NAME}} is filled in into url, headers and every text of the body", async () => {
    const server = await startServer((_q, r) => void r.end("ok"));
    const call = {
      method: "POST",
      url: `${server.origin}/{{secret.PATH}}`,
      headers: { authorization: "Bearer {{ secret.TOKEN }}" },
      body: { deep: [{ key: "<{{secret.TOKEN}}>" }] },
    };
    expect(await run(httpPlan(call), { env })).toMatchObject({ status: "completed" });
    expect(server.requests[0]).toMatchObject({ path: "/hidden-path" });
    expect(server.requests[0]?.headers.authorization).toBe('Bearer s3cr&t "value"');
    expect(JSON.parse(server.requests[0]?.body ?? "")).toEqual({ deep: [{ key: '<s3cr&t "value">' }] });
  });

  test("an unknown secret is named and nothing is sent", async () => {
    const server = await startServer((_q, r) => void r.end("ok"));
    const result = await run(httpPlan({ url: server.origin, headers: { a: "{{secret.NOPE}}" } }), { env });
    expect(result["error"]).toBe('Error [auth]: the secret "NOPE" is not configured: set GODWIT_SECRET_NOPE');
    expect(server.requests).toHaveLength(0);
  });

  test("secrets that a server echoes are redacted in text, data, headers and errors, in every spelling", async () => {
    const server = await startServer((q, r) =>
      sendJson(
        r,
        q.path.startsWith("/ok") ? 200 : 500,
        { [env.GODWIT_SECRET_PATH]: env.GODWIT_SECRET_TOKEN, url: encodeURIComponent(env.GODWIT_SECRET_TOKEN) },
        { "x-echo": String(q.headers.authorization), "x-base64": btoa(env.GODWIT_SECRET_TOKEN) },
      ),
    );
    const headers = { authorization: "{{secret.TOKEN}}" };
    const done = await run(httpPlan({ url: `${server.origin}/ok`, headers }), { env });
    expect(done).toMatchObject({
      status: "completed",
      text: `{"[redacted]":"[redacted]","url":"[redacted]"}`,
      data: { "[redacted]": "[redacted]", url: "[redacted]" },
      headers: { "x-echo": "[redacted]", "x-base64": "[redacted]" },
    });
    const failed = await run(httpPlan({ url: `${server.origin}/{{secret.PATH}}`, headers }), { env });
    expect(failed["error"]).toBe(
      `Error [server_error]: GET ${server.origin}/[redacted] answered 500: {"[redacted]":"[redacted]","url":"[redacted]"}`,
    );
  });

  test("an excerpt never ends inside a secret", async () => {
    const server = await startServer((_q, r) => void r.writeHead(500).end(`${"x".repeat(295)}hidden-path`));
    const result = await run(httpPlan({ url: server.origin }), { env });
    expect(result["error"]).not.toContain("hidde");
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import { clientFor, get, migrateDatabase, post, refusal, ROOT_KEY, send, TWO_STAGES } from "./http-setup.ts";

const AUTHORIZATION = { Authorization: `Bearer ${ROOT_KEY}` };
const JSON_TYPE = { "Content-Type": "application/json" };
const run = { graph: TWO_STAGES, task: "x", drive: "manual" } as const;

beforeAll(migrateDatabase);

/** A body without a declared length. */
const chunked = (chunk: string, times: number): ReadableStream<Uint8Array> => {
  let left = times;
  const bytes = new TextEncoder().encode(chunk);
  return new ReadableStream({
    pull(controller) {
      if (left === 0) return controller.close();
      left -= 1;
      controller.enqueue(bytes);
    },
  });
};

/** A chain of so many nodes. */
const graphOf = (count: number) => {
  const ids = Array.from({ length: count }, (_, index) => `n${index}`);
  return {
    entry: "n0",
    nodes: Object.fromEntries(ids.map((id) => [id, { kind: "stage", mode: "external" }])),
    edges: ids.slice(1).map((to, index) => ({ from: `n${index}`, to })),
  };
};

describe("bodies", () => {
  it("[api] says where JSON is malformed", async () => {
    const answer = await refusal(post("/v1/runs", '{"task": "x", }'));
    expect(answer).toMatchObject({ status: 400, code: "invalid_request" });
    expect(answer.detail).toMatch(/^the body is not valid JSON: .*position 14/);
    expect(await refusal(post("/v1/runs", '{"task": "x'))).toMatchObject({ status: 400 });
  });

  it("[api] refuses bytes that are no UTF-8", async () => {
    const body = new Uint8Array([0x22, 0xff, 0xfe, 0x22]);
    const answer = refusal(send("/v1/runs", { method: "POST", headers: { ...AUTHORIZATION, ...JSON_TYPE }, body }));
    expect(await answer).toMatchObject({ status: 400, detail: "the body is not valid JSON: it is not valid UTF-8" });
  });

  it("[api] refuses wrong types with the path of each bad field", async () => {
    const answer = await refusal(
      post("/v1/runs", { graph: TWO_STAGES, task: 7, version: "1", drive: "fast", options: [] }),
    );
    expect(answer).toMatchObject({ status: 400, code: "invalid_request" });
    const { issues } = answer.details as { issues: { path: string; message: string }[] };
    expect(issues.map(({ path }) => path).toSorted()).toEqual(["drive", "options", "task", "version"]);
    for (const body of [null, [], "text", 7, true])
      expect(await refusal(post("/v1/runs", JSON.stringify(body)))).toMatchObject({
        status: 400,
        code: "invalid_request",
      });
  });

  it("[api] refuses a missing body and a missing field", async () => {
    expect(await refusal(send("/v1/runs", { method: "POST", headers: AUTHORIZATION }))).toMatchObject({ status: 400 });
    const answer = await refusal(post("/v1/runs", { graph: TWO_STAGES }));
    expect(answer.details).toMatchObject({ issues: [{ path: "task" }] });
  });

  it("[api] refuses another content type", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"]) {
      const answer = refusal(post("/v1/runs", run, { "Content-Type": type }));
      expect(await answer).toMatchObject({ status: 415, code: "unsupported_media_type" });
    }
    expect((await post("/v1/runs", run, { "Content-Type": "application/json; charset=utf-8" })).status).toBe(201);
  });

  it("[api] refuses a body above the limit, with and without a declared length", async () => {
    const huge = JSON.stringify({ ...run, task: "x".repeat(1_100_000) });
    expect(await refusal(post("/v1/runs", huge))).toMatchObject({ status: 413, code: "payload_too_large" });
    const stream = chunked(" ".repeat(65_536), 40);
    const init = { method: "POST", headers: { ...AUTHORIZATION, ...JSON_TYPE }, body: stream };
    const answer = send("/v1/workflows/validate", init);
    expect(await refusal(answer)).toMatchObject({ status: 413, details: { max_bytes: 1_048_576 } });
  });

  it("[api] takes another limit from the settings", async () => {
    const init = { method: "POST", headers: { ...AUTHORIZATION, ...JSON_TYPE }, body: JSON.stringify(run) };
    const answer = send("/v1/runs", init, { GODWIT_MAX_BODY_BYTES: "100" });
    expect(await refusal(answer)).toMatchObject({ status: 413, details: { max_bytes: 100 } });
  });

  it("[W-2] refuses a graph of 10,000 nodes and takes one of 1,000", async () => {
    const answer = await refusal(post("/v1/runs", { ...run, graph: graphOf(10_000) }));
    expect(answer).toMatchObject({
      status: 400,
      details: { issues: [{ path: "graph.nodes", message: "must have at most 5000 nodes" }] },
    });
    expect((await post("/v1/runs", { ...run, graph: graphOf(1_000) })).status).toBe(201);
  });

  it("[api] refuses deep nesting without running out of stack", async () => {
    for (const depth of [65, 1_000, 400_000]) {
      const body = `{"graph": ${"[".repeat(depth)}${"]".repeat(depth)}, "task": "x"}`;
      expect(await refusal(post("/v1/runs", body))).toMatchObject({ status: 400, code: "invalid_request" });
    }
    const objects = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
    expect(await refusal(post("/v1/runs", objects))).toMatchObject({ status: 400 });
  });

  it("[api] takes a huge text and answers a huge id with 400", async () => {
    expect((await post("/v1/runs", { ...run, task: "ü".repeat(400_000) })).status).toBe(201);
    const answer = refusal(post("/v1/runs", { workflow_id: "x".repeat(500_000), task: "x" }));
    expect(await answer).toMatchObject({ status: 400, details: { issues: [{ path: "workflow_id" }] } });
  });

  it("[api] never lets keys such as __proto__ through to objects", async () => {
    const graph =
      '{"entry":"a","nodes":{"__proto__":{"kind":"stage"},"a":{"kind":"stage","mode":"external"}},"edges":[]}';
    expect(await refusal(post("/v1/runs", `{"graph":${graph},"task":"x"}`))).toMatchObject({ status: 400 });
  });
});

describe("ids in paths", () => {
  const bad = ["%00", "%0a", "%7f", "%e2%80%a8", "%zz", "%ff", "%", "x".repeat(201), "%E0%A4%A", "%C2%80"];

  it("[api] refuses control characters, bad percent-encoding and overlong ids", async () => {
    for (const id of bad) {
      for (const path of [
        `/v1/runs/${id}`,
        `/v1/runs/${id}/stages`,
        `/v1/workflows/${id}`,
        `/v1/runs/x/stages/${id}/prepare`,
      ]) {
        const isPost = path.endsWith("/prepare");
        const answer = await refusal(isPost ? post(path, {}) : get(path));
        expect(answer, path).toMatchObject({ status: 400, code: "invalid_request" });
      }
    }
  });

  it("[api] takes any other text as an id", async () => {
    for (const id of [
      "ünïcödé",
      "日本語",
      "🦢",
      "a/b",
      "..",
      "a b",
      "a'b\"c",
      "<script>",
      "${x}",
      "a?b#c",
      "null",
      "%",
    ]) {
      const path = `/v1/runs/${encodeURIComponent(id)}`;
      if (id === "..") continue;
      expect(await refusal(get(path)), path).toMatchObject({ status: 404, code: "run_not_found" });
      expect(await refusal(get(`/v1/workflows/${encodeURIComponent(id)}`))).toMatchObject({
        code: "workflow_not_found",
      });
    }
  });

  it("[api] keeps a workflow under an id with a slash and letters of any script", async () => {
    const client = clientFor();
    const id = "team/日本 🦢";
    expect(await client.defineWorkflow(id, { ...TWO_STAGES, id: "other" })).toMatchObject({
      workflow_id: id,
      version: 1,
    });
    expect(await client.getWorkflow(id)).toMatchObject({ workflow_id: id, version: 1, graph: { id } });
    expect((await client.createRun({ workflow_id: id, task: "x", drive: "manual" })).status).toBe("running");
  });

  it("[api] runs a node whose id has spaces and slashes", async () => {
    const client = clientFor();
    const node = "plan / größe";
    const graph = { entry: node, nodes: { [node]: { kind: "stage", mode: "external" } }, edges: [] };
    const { run_id: runId } = await client.createRun({ graph, task: "x", drive: "manual" });
    expect((await client.prepareStage(runId, node)).node_id).toBe(node);
  });
});

describe("routes and headers", () => {
  it("[api] answers unknown routes with 404 and wrong methods with 405", async () => {
    for (const path of ["/v1/nope", "/v1", "/v1/runs/", "/nope.txt", "/hooks", "//v1/runs"])
      expect(await refusal(get(path)), path).toMatchObject({ status: 404, code: "route_not_found" });
    const response = await send("/v1/runs/x", { method: "PATCH", headers: AUTHORIZATION });
    expect(response.status).toBe(405);
    expect(response.headers.get("Allow")).toBe("GET, HEAD");
    expect((await send("/v1/runs", { method: "OPTIONS", headers: { Origin: "https://a.example" } })).status).toBe(405);
  });

  it("[api] gives every answer a request id and security headers, and allows no other origin", async () => {
    for (const path of ["/healthz", "/v1/nope", "/v1/runs", "/openapi.json", "/docs"]) {
      const response = await get(path, { Origin: "https://a.example" });
      expect(response.headers.get("Godwit-Request-Id"), path).toMatch(/^req_[0-9a-f-]{36}$/);
      expect(response.headers.get("X-Content-Type-Options")).toBe("nosniff");
      expect(response.headers.get("Content-Security-Policy")).toContain("default-src 'none'");
      expect(response.headers.get("Access-Control-Allow-Origin")).toBeNull();
      await response.body?.cancel();
    }
    const response = await get("/v1/nope");
    const document = (await response.json()) as { request_id: string; type: string };
    expect(document.request_id).toBe(response.headers.get("Godwit-Request-Id"));
    expect(response.headers.get("Content-Type")).toBe("application/problem+json");
    const page = await send(document.type);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("route_not_found");
  });

  it("[api] refuses bad parameters of a list", async () => {
    const queries = [
      "limit=0",
      "limit=201",
      "limit=x",
      "cursor=!",
      "cursor=AAAA",
      "status=odd",
      "since=yesterday",
      `q=${"x".repeat(300)}`,
    ];
    for (const query of queries) expect(await refusal(get(`/v1/runs?${query}`)), query).toMatchObject({ status: 400 });
    expect(await refusal(get("/v1/workflows?cursor=e30"))).toMatchObject({ status: 400 });
    expect((await get("/v1/runs?q=%25%27%3B--&since=2026-01-01T00:00:00%2B02:00")).status).toBe(200);
  });

  it("[api] refuses an idempotency key that is no plain text", async () => {
    const answer = refusal(post("/v1/runs", run, { "Idempotency-Key": "x".repeat(201) }));
    expect(await answer).toMatchObject({ status: 400, details: { issues: [{ path: "Idempotency-Key" }] } });
  });

  it("[api] serves the documentation offline", async () => {
    const page = await send("/docs");
    expect(page.headers.get("Content-Security-Policy")).toContain("script-src 'self'");
    const html = await page.text();
    expect(html).not.toMatch(/https?:\/\//);
    for (const [, path] of html.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
      const file = await send(path ?? "");
      expect(file.status, path).toBe(200);
      expect(await file.text()).not.toMatch(/https?:\/\//);
    }
  });

  it("[api] describes every route in OpenAPI 3.1", async () => {
    const api = await clientFor().openapi();
    expect(api).toMatchObject({
      openapi: "3.1.0",
      components: { securitySchemes: { api_key: { type: "http", scheme: "bearer" } } },
    });
    const paths = Object.keys(api["paths"] as object);
    expect(paths).toEqual(
      expect.arrayContaining(["/v1/runs", "/v1/runs/{run_id}/stages/{node_id}/complete", "/v1/keys/{key_id}"]),
    );
    const text = JSON.stringify(api);
    const names = Object.keys((api["components"] as { schemas: object }).schemas);
    for (const [, name] of text.matchAll(/#\/components\/schemas\/([A-Za-z0-9_]+)/g)) expect(names).toContain(name);
  });
});

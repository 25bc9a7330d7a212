import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../../src/lib/json.ts";
import type { ModelEnv } from "../../../../src/ports/model-env.ts";
import { sendJson, startServer } from "../local-server.ts";
import { journalOf, reply, runAgent, scriptedAgent, toolAnswers } from "./agent-plans.ts";
import { startMcpServer } from "./mcp-server.ts";

const LOCAL: ModelEnv = { GODWIT_ALLOW_PRIVATE_HOSTS: "127.0.0.1", GODWIT_SECRET_TOKEN: "very-secret" };

/** Runs one call of a tool and tells what came of it. */
const callOf = async (tools: readonly JsonObject[], call: readonly [string, JsonObject?], env = LOCAL) => {
  const { steps, journal } = journalOf();
  const plan = scriptedAgent([reply(1, "", call), reply(2, "Over.")], { tools });
  const result = await runAgent(plan, {}, { journal, env });
  return { result, answer: toolAnswers(steps)[0], record: steps[1]?.tool_call };
};

const toolOf = (http: JsonObject): JsonObject => ({
  name: "api",
  description: "Calls the API",
  parameters: { type: "object", properties: { id: { type: "string" } } },
  http,
});

const mcp = (origin: string, more: JsonObject = {}): readonly JsonObject[] => [
  { mcp: { url: `${origin}/mcp`, name: "math", headers: { authorization: "Bearer {{secret.TOKEN}}" }, ...more } },
];

describe("HTTP tools", () => {
  test("[W-10.7] arguments and secrets fill the call, the idempotency key goes along", async () => {
    const server = await startServer((_q, r) => sendJson(r, 200, { found: 1, echoed: "very-secret" }));
    const http = {
      method: "POST",
      url: `${server.origin}/items/{{args.id}}?q={{args.q}}`,
      headers: { authorization: "Bearer {{secret.TOKEN}}" },
      body: { id: "{{args.id}}", note: "{{args.note}}", text: "about {{args.id}}" },
    };
    const { answer, record } = await callOf([toolOf(http)], ["api", { id: "a/b&c", q: "x=1" }]);
    const [request] = server.requests;
    expect(request).toMatchObject({ method: "POST", path: "/items/a%2Fb%26c?q=x%3D1" });
    expect(request?.headers["authorization"]).toBe("Bearer very-secret");
    expect(request?.headers["idempotency-key"]).toBe("run-1:work:1:call_1_1");
    expect(JSON.parse(request?.body ?? "")).toEqual({ id: "a/b&c", text: "about a/b&c" });
    expect(answer).toBe('{"found":1,"echoed":"[redacted]"}');
    expect(record).toMatchObject({ status: "ok", idempotency_key: "run-1:work:1:call_1_1" });
  });

  test("[W-10.7] an argument is no template and cannot name a secret", async () => {
    const server = await startServer((_q, r) => sendJson(r, 200, {}));
    const http = { method: "POST", url: server.origin, body: "{{args.id}}" };
    await callOf([toolOf(http)], ["api", { id: "{{secret.TOKEN}}" }]);
    expect(server.requests[0]?.body).toBe("{{secret.TOKEN}}");
  });

  test.each(["..", ".", "%2e%2e"])("an argument %s does not lead to another path", async (id) => {
    const server = await startServer((_q, r) => sendJson(r, 200, {}));
    const { record } = await callOf([toolOf({ url: `${server.origin}/items/{{args.id}}/x` })], ["api", { id }]);
    const paths = server.requests.map(({ path }) => path);
    expect(paths.every((path) => path.startsWith("/items/"))).toBe(true);
    expect(record?.status).toBe(id.startsWith(".") ? "error" : "ok");
  });

  test("[W-0.3] a private host is refused, and the model is told", async () => {
    const { record } = await callOf([toolOf({ url: "http://127.0.0.1:1/" })], ["api"], {});
    expect(record).toMatchObject({ status: "error", error_category: "egress_blocked" });
  });

  test("[W-0.3] a failed answer is an error with its category", async () => {
    const server = await startServer((_q, r) => sendJson(r, 404, { error: "none" }));
    const { record, result } = await callOf([toolOf({ url: server.origin })], ["api"]);
    expect(record).toMatchObject({ status: "error", error_category: "not_found" });
    expect(result["status"]).toBe("done");
  });

  test("[W-0.3] a tool that does not answer in its time is a timeout of the tool, not of the stage", async () => {
    const server = await startServer(() => {});
    const { record, result } = await callOf([toolOf({ url: server.origin, timeout_ms: 50 })], ["api"]);
    expect(record).toMatchObject({ status: "error", error_category: "timeout" });
    expect(result["status"]).toBe("done");
  });
});

describe("MCP servers", () => {
  test.each([false, true])(
    "[W-10.7] a tool is listed, called and told apart by its server; events: %s",
    async (streams) => {
      const server = await startMcpServer(streams);
      const { answer, record, result } = await callOf(mcp(server.origin), ["math_add", { a: 1, b: 2 }]);
      expect(answer).toBe("3");
      expect(record).toMatchObject({ status: "ok", tool_name: "math_add", arguments: { a: 1, b: 2 } });
      expect(result["status"]).toBe("done");
      const called = server.requests.filter(({ body }) => body.includes("tools/call"));
      expect(called).toHaveLength(1);
      expect(called[0]?.headers).toMatchObject({
        authorization: "Bearer very-secret",
        "idempotency-key": "run-1:work:1:call_1_1",
        "mcp-session-id": "session-1",
      });
      expect(server.requests.at(-1)?.method).toBe("DELETE");
    },
  );

  test("[W-10.7] an error of the tool and a broken connection are told to the model", async () => {
    const server = await startMcpServer();
    const failed = await callOf(mcp(server.origin), ["math_fail"]);
    expect(failed.record).toMatchObject({ status: "error", error_category: "tool_error" });
    expect(failed.answer).toContain("it broke");
    const dropped = await callOf(mcp(server.origin), ["math_drop"]);
    expect(dropped.record).toMatchObject({ status: "error", error_category: "transient_network" });
    expect(dropped.result["status"]).toBe("done");
  });

  test("[W-10.6] only the tools an entry names are offered, and the ceiling covers the server by its name", async () => {
    const server = await startMcpServer();
    const unlisted = await callOf(mcp(server.origin, { tools: ["add"] }), ["math_fail"]);
    expect(unlisted.record).toMatchObject({ status: "rejected" });
    const other = [...mcp(server.origin), { name: "ask", client: true }];
    expect((await callOf(other, ["math_add", { a: 1, b: 1 }])).answer).toBe("2");
  });

  test("[W-0.3] a server that cannot be reached fails the stage as something that may pass", async () => {
    const { result } = await callOf(mcp("http://127.0.0.1:1"), ["math_add"]);
    expect(result).toMatchObject({ error_category: "transient_network", retryable: true });
    expect(result["error"]).toContain("the MCP server 127.0.0.1:1 could not be used");
  });

  test("[W-0.3] a private host, a missing secret and a redirect are refused", async () => {
    const server = await startMcpServer();
    expect(
      (await callOf(mcp(server.origin), ["math_add"], { GODWIT_SECRET_TOKEN: "x" })).result["error_category"],
    ).toBe("egress_blocked");
    const keyless = await callOf(mcp(server.origin), ["math_add"], { GODWIT_ALLOW_PRIVATE_HOSTS: "127.0.0.1" });
    expect(keyless.result["error_category"]).toBe("auth");
    const moved = await callOf(mcp(server.origin, { url: `${server.origin}/moved` }), ["math_add"]);
    expect(moved.result["error"]).toContain("redirects");
    expect(server.requests.filter(({ path }) => path === "/mcp")).toEqual([]);
  });
});

test.each([
  ["an entry without a name", [{ description: "?" }], "tools: an entry has no name"],
  ["parameters that are no schema", [{ name: "a", client: true, parameters: 1 }], 'the parameters of "a"'],
  [
    "two tools of one name",
    [
      { name: "a", client: true },
      { name: "a", client: true },
    ],
    'two tools have the name "a"',
  ],
  ["an HTTP tool without an address", [{ name: "a", http: {} }], '"a" has no http.url'],
])("%s is refused before the model is asked", async (_name, tools, text) => {
  const { steps, journal } = journalOf();
  const result = await runAgent(scriptedAgent([reply(1, "hi")], { tools }), {}, { journal });
  expect(result["error"]).toContain(text);
  expect(steps).toEqual([]);
});

test("a registry of tools is read like a list", async () => {
  const tools = { _type: "tool_registry", tools: [{ name: "ask", client: true }] };
  const result = await runAgent(scriptedAgent([reply(1, "", ["ask"])], { tools }));
  expect(result["pending"]).toMatchObject([{ tool_name: "ask" }]);
});

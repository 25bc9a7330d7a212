import { describe, expect, it } from "vitest";
import type { HandlerOutcome } from "../../../../src/engine/trigger/handler.ts";
import { performHandler } from "../../../../src/executor/handlers/perform.ts";
import type { HandlerPorts } from "../../../../src/executor/handlers/ports.ts";
import type { HandlerDefinition } from "../../../../src/schema/trigger-handler.ts";
import { callOf, event, json, network, ports, type Sent } from "./call.ts";

const never = new AbortController().signal;
const AGENT = "agent.example:8443";
const CARD = { id: "agent-1", supportedInterfaces: [{ protocolBinding: "jsonrpc", url: `https://${AGENT}/rpc` }] };

const completed = (text: string) => ({
  id: "t",
  status: { state: "completed" },
  history: [
    { role: "agent", parts: [{ type: "text", text: "earlier" }] },
    { role: "agent", parts: [{ type: "text", text }] },
    { role: "user", parts: [{ type: "text", text: "ignored" }] },
  ],
});

interface Script {
  readonly card?: unknown;
  readonly cardPath?: string;
  readonly result?: unknown;
  readonly scheme?: "https" | "http";
  readonly answer?: (sent: Sent) => Response;
}

/** An agent with one card and one answer; with another scheme than its own nobody answers. */
const agent = ({ card = CARD, cardPath = "/.well-known/agent-card.json", result, scheme = "https", answer }: Script) =>
  network((sent) => {
    const url = new URL(sent.url);
    if (url.protocol !== `${scheme}:`) return new Error("connection refused");
    if (sent.method === "POST") return answer?.(sent) ?? json({ jsonrpc: "2.0", id: 1, result });
    return url.pathname === cardPath ? json(card) : json({}, 404);
  });

const dispatch = async (
  script: Script,
  definition: HandlerDefinition = { a2a: `${AGENT}/triage` },
  given: Partial<HandlerPorts> = {},
): Promise<{ readonly outcome: HandlerOutcome; readonly sent: readonly Sent[] }> => {
  const { sent, fetcher } = agent(script);
  const outcome = await performHandler(callOf(definition), ports({ fetcher, ...given }), never);
  return { outcome, sent };
};

const errorOf = async (...given: Parameters<typeof dispatch>): Promise<string> => {
  const { outcome } = await dispatch(...given);
  return outcome.type === "failed" ? `${outcome.class} ${outcome.retryable}: ${outcome.error}` : "succeeded";
};

describe("a remote agent", () => {
  it("[T-11.2] gets the event in an envelope, with the trace in a header", async () => {
    const { sent } = await dispatch({ result: completed("1") });
    const post = sent.find(({ method }) => method === "POST");
    expect(post?.url).toBe(`https://${AGENT}/rpc`);
    expect(Object.fromEntries(post?.headers ?? [])).toMatchObject({
      "a2a-version": "0.3.0",
      "a2a-trace-id": "trace_1",
      "idempotency-key": "dispatch_1",
    });
    const { id, method, params } = (post?.body ?? {}) as {
      readonly id: string;
      readonly method: string;
      readonly params: {
        readonly message: { readonly contextId: string; readonly parts: readonly { text: string }[] };
      };
    };
    expect({ id, method, context: params.message.contextId }).toEqual({
      id: "trace_1.trigger_evt_1",
      method: "message/send",
      context: "trace_1",
    });
    expect(params).not.toHaveProperty("configuration");
    expect(JSON.parse(params.message.parts[0]?.text ?? "")).toEqual({
      kind: "harn.trigger.dispatch",
      message_id: "trace_1.trigger_evt_1",
      trace_id: "trace_1",
      event_id: "trigger_evt_1",
      trigger_id: "hub",
      binding_key: "hub@v3",
      target_agent: "triage",
      replay_of_event_id: null,
      event: event(),
    });
  });

  it.each([
    ["a task's last text, as JSON", completed('{"a":1}'), { a: 1 }],
    ["a task's last text, as text", completed("done"), "done"],
    ["a task in an envelope", { task: completed("2") }, 2],
    ["an artifact", { status: { state: "TASK_STATE_COMPLETED" }, artifacts: [{ parts: [{ text: "x" }] }] }, "x"],
    ["a status", { status: { state: "completed", message: { parts: [{ text: "s" }] } } }, "s"],
    ["nothing", { status: { state: "completed" } }, null],
    ["a message", { kind: "message", role: "agent", parts: [{ text: "m" }] }, "m"],
    ["a message that does not say whose it is", { kind: "message", parts: [{ kind: "text", text: "m" }] }, "m"],
    ["a message in an envelope", { message: { role: "ROLE_AGENT", parts: [{ text: "m" }] } }, "m"],
  ])("[T-11.2] answers with %s", async (_what, result, expected) => {
    expect((await dispatch({ result })).outcome).toEqual({ type: "succeeded", result: expected });
  });

  it.each(["working", "submitted", "TASK_STATE_INPUT_REQUIRED"])(
    "[T-11.2] whose task is %s leaves a handle",
    async (state) => {
      const { outcome } = await dispatch({ result: { id: "task-1", status: { state } } });
      expect(outcome).toEqual({
        type: "succeeded",
        result: {
          kind: "a2a_task_handle",
          task_id: "task-1",
          state: state === "TASK_STATE_INPUT_REQUIRED" ? "input-required" : state,
          target_agent: "triage",
          rpc_url: `https://${AGENT}/rpc`,
          card_url: `https://${AGENT}/.well-known/agent-card.json`,
          agent_id: "agent-1",
        },
      });
    },
  );

  it.each([
    ["failed", "a2a true: A2A task 't' ended as failed: why"],
    ["rejected", "a2a true: A2A task 't' ended as rejected: why"],
    ["cancelled", "a2a true: A2A task 't' ended as canceled: why"],
  ])("[T-11.2] whose task is %s fails, and is tried again", async (state, text) => {
    const result = { id: "t", status: { state, message: { role: "agent", parts: [{ text: "why" }] } } };
    expect(await errorOf({ result })).toBe(text);
  });

  it.each([
    [{ error: { code: -32603, message: "no" } }, 500, "A2A agent answered with error -32603: no"],
    [{ result: null }, 200, "A2A agent answered without a result"],
    [{ result: { status: {} } }, 200, "A2A agent answered with a task that has no id"],
    [[], 200, `A2A agent at https://${AGENT} answered 200: []`],
    [{}, 502, `A2A agent at https://${AGENT} answered 502: {}`],
  ])("[T-11.2] that answers %j with %i fails", async (body, status, text) => {
    expect(await errorOf({ answer: () => json(body, status) })).toBe(`a2a true: ${text}`);
  });
});

describe("finding an agent", () => {
  it.each(["/.well-known/agent-card.json", "/.well-known/a2a-agent", "/.well-known/agent.json", "/agent/card"])(
    "[T-11.2] finds its card at %s",
    async (cardPath) => {
      expect((await dispatch({ cardPath, result: completed("1") })).outcome.type).toBe("succeeded");
    },
  );

  it("[T-11.2] looks in four places, in order", async () => {
    const { outcome, sent } = await dispatch({ cardPath: "/elsewhere" });
    expect(outcome).toMatchObject({ class: "a2a", retryable: true });
    expect(sent.map(({ url }) => url.replace(`https://${AGENT}`, ""))).toEqual([
      "/.well-known/agent-card.json",
      "/.well-known/a2a-agent",
      "/.well-known/agent.json",
      "/agent/card",
    ]);
  });

  it("[T-11.2] without a path the agent is the authority itself", async () => {
    const result = { id: "t", status: { state: "working" } };
    const { outcome } = await dispatch({ result }, { uri: `a2a://${AGENT}` });
    expect(outcome).toMatchObject({ result: { target_agent: AGENT } });
  });

  it.each([
    [{ url: `https://${AGENT}/v1`, interfaces: [{ protocol: "jsonrpc", url: "/v1/rpc" }] }, "/v1/rpc"],
    [{ url: `https://${AGENT}/v1`, interfaces: [{ protocol: "grpc" }, { protocol: "JSONRPC" }] }, "/v1"],
    [{ url: `https://${AGENT}/v1` }, "/v1"],
    [
      {
        url: `https://${AGENT}/grpc`,
        preferredTransport: "GRPC",
        additionalInterfaces: [{ transport: "JSONRPC", url: `https://${AGENT}/rpc` }],
      },
      "/rpc",
    ],
  ])("[T-11.2] takes the endpoint of an older card %j", async (card, path) => {
    const { sent } = await dispatch({ card, result: completed("1") });
    expect(sent.at(-1)?.url).toBe(`https://${AGENT}${path}`);
  });

  it.each([
    [
      { supportedInterfaces: [{ protocolBinding: "JSONRPC", url: "https://evil.example/rpc" }] },
      `A2A JSONRPC interface authority mismatch: requested '${AGENT}', card returned 'evil.example'`,
    ],
    [
      { url: "https://evil.example/", interfaces: [{ protocol: "jsonrpc", url: "/rpc" }] },
      `A2A agent card url authority mismatch: requested '${AGENT}', card returned 'evil.example'`,
    ],
    [
      { url: `https://${AGENT}/`, interfaces: [{ protocol: "jsonrpc" }, { protocol: "jsonrpc" }] },
      "A2A agent card must name exactly one JSONRPC interface, it names 2",
    ],
    [{ url: `https://${AGENT}/`, preferredTransport: "GRPC" }, "A2A agent card names no JSONRPC interface"],
    [{}, "A2A agent card has no usable URL: ''"],
  ])("[T-11.2] refuses the card %j", async (card, text) => {
    expect(await errorOf({ card })).toBe(`a2a true: ${text}`);
  });

  it("[T-26] a private host is denied, a target that is no host fails for good", async () => {
    expect(await errorOf({}, { a2a: "10.0.0.1/x" })).toMatch(/^denied false: the host "10.0.0.1" is private/);
    expect(await errorOf({}, { a2a: "user@host/x" })).toMatch(/^a2a false: 'user@host' is no authority/);
  });
});

const plain = (authority: string) => ({
  supportedInterfaces: [{ protocolBinding: "JSONRPC", url: `http://${authority}/rpc` }],
});

describe("cleartext", () => {
  const local = "127.0.0.1:4000";
  const env = { GODWIT_ALLOW_PRIVATE_HOSTS: "127.0.0.1,localhost" };

  it("[T-11.2] is not tried unless the handler allows it", async () => {
    const { outcome, sent } = await dispatch({ scheme: "http" }, { a2a: local }, { env });
    expect(outcome).toMatchObject({ class: "a2a", error: expect.stringContaining("cleartext") });
    expect(sent.map(({ url }) => url)).toEqual([`https://${local}/.well-known/agent-card.json`]);
  });

  it("[T-11.2] is tried when nobody answers with TLS, and other spellings of this machine are the same", async () => {
    const script = { scheme: "http", card: plain("localhost:4000"), result: completed("1") } as const;
    const { outcome, sent } = await dispatch(script, { a2a: local, allow_cleartext: true }, { env });
    expect(outcome).toEqual({ type: "succeeded", result: 1 });
    expect(sent.at(-1)?.url).toBe("http://localhost:4000/rpc");
    const wrong = { ...script, card: plain("localhost:4001") };
    expect(await errorOf(wrong, { a2a: local, allow_cleartext: true }, { env })).toContain("authority mismatch");
  });

  it("[T-11.2] is tried after any failed search on this machine, elsewhere only when nobody answers", async () => {
    const script = { cardPath: "/elsewhere" };
    const here = await dispatch(script, { a2a: local, allow_cleartext: true }, { env });
    expect(here.sent.filter(({ url }) => url.startsWith("http:"))).toHaveLength(1);
    const there = await dispatch(script, { a2a: AGENT, allow_cleartext: true });
    expect(there.sent.filter(({ url }) => url.startsWith("http:"))).toHaveLength(0);
  });

  it("[T-26] only ports that the deployment allows are tried", async () => {
    const allowed = { GODWIT_ALLOW_PRIVATE_HOSTS: "127.0.0.1:80" };
    const script = { scheme: "http", card: plain("127.0.0.1"), result: completed("1") } as const;
    const open = await dispatch(script, { a2a: "127.0.0.1", allow_cleartext: true }, { env: allowed });
    expect(open.outcome).toEqual({ type: "succeeded", result: 1 });
    expect(open.sent.filter(({ url }) => url.startsWith("https:"))).toEqual([]);
    const secure = { GODWIT_ALLOW_PRIVATE_HOSTS: "127.0.0.1:443" };
    const shut = await dispatch(script, { a2a: "127.0.0.1", allow_cleartext: true }, { env: secure });
    expect(shut.outcome).toMatchObject({ class: "a2a" });
    expect(shut.sent.filter(({ url }) => url.startsWith("http:"))).toEqual([]);
  });

  it("[T-11.2] an endpoint without TLS is not called, even when a card with TLS names it", async () => {
    const { outcome, sent } = await dispatch({ card: plain(AGENT) });
    expect(outcome).toMatchObject({ class: "a2a", error: expect.stringContaining("is cleartext") });
    expect(sent.filter(({ method }) => method === "POST")).toEqual([]);
  });
});

const refusesReports = ({ body }: Sent): Response => {
  const isSend = (body as { readonly method: string }).method === "message/send";
  return isSend ? json({ result: { id: "t", status: { state: "working" } } }) : json({}, 500);
};

describe("reports of remote agents", () => {
  const a2a_push = { url: "https://me.example/hooks/push", token: "tok" };

  it("[T-11.2] are asked for with the message, and again for a task that goes on", async () => {
    const { sent } = await dispatch({ result: { id: "task-1", status: { state: "working" } } }, undefined, {
      a2a_push,
    });
    const bodies = sent.filter(({ method }) => method === "POST").map(({ body }) => body);
    expect(bodies).toMatchObject([
      {
        method: "message/send",
        params: { configuration: { blocking: false, returnImmediately: true, pushNotificationConfig: a2a_push } },
      },
      { method: "tasks/pushNotificationConfig/set", params: { taskId: "task-1", pushNotificationConfig: a2a_push } },
    ]);
  });

  it("[T-11.2] that an agent cannot give do not undo the task", async () => {
    expect((await dispatch({ answer: refusesReports }, undefined, { a2a_push })).outcome.type).toBe("succeeded");
  });
});

it.each(["trigger cancel request", "dispatcher shutdown"])("[T-11.2] is not contacted after a %s", async (cause) => {
  const { sent, fetcher } = agent({});
  const call = callOf({ a2a: AGENT });
  const outcome = await performHandler(call, ports({ fetcher }), AbortSignal.abort(cause));
  const error = `${cause} cancelled A2A dispatch`;
  expect(outcome).toEqual({ type: "failed", class: "cancelled", error, retryable: false });
  expect(sent).toEqual([]);
});

import { OpenAPIHono } from "@hono/zod-openapi";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { SessionCommand } from "../../../src/engine/transcript/command.ts";
import { decideSession } from "../../../src/engine/transcript/decide-session.ts";
import { evolveSessions } from "../../../src/engine/transcript/evolve-sessions.ts";
import { readSessions, type SessionQuery } from "../../../src/engine/transcript/read-sessions.ts";
import { noSessions } from "../../../src/engine/transcript/session.ts";
import { type App, type HonoEnv, Router } from "../../../src/http/router.ts";
import { addSessionRoutes } from "../../../src/http/routes/sessions.ts";
import { sessionReplySchema, sessionSnapshotSchema } from "../../../src/schema/api-session.ts";
import { counting } from "../../support/run-fixture.ts";

const KEY = "root-key-of-this-test";

/** A run's object that is nothing but its sessions; any other run does not exist. */
const sessionsOnly = () => {
  const context = counting();
  let sessions = noSessions();
  return {
    request: (command: SessionCommand) => {
      const decision = decideSession(sessions, command, context);
      if (!decision.ok) return Promise.resolve({ ok: false, rejection: decision.error });
      sessions = decision.value.events.reduce(evolveSessions, sessions);
      return Promise.resolve({ ok: true, reply: decision.value.reply });
    },
    sessions: (query: SessionQuery) => Promise.resolve(readSessions(sessions, query)),
  };
};

const server = () => {
  const app: App = new OpenAPIHono<HonoEnv>();
  addSessionRoutes(new Router(app));
  const run = sessionsOnly();
  const none = { sessions: () => Promise.resolve(null) };
  const env = {
    GODWIT_ROOT_KEY: KEY,
    WORKFLOW_RUN: { getByName: (name: string) => (name === "default/r" ? run : none) },
  };
  return async (method: string, path: string, body?: unknown): Promise<{ status: number; body: JsonObject }> => {
    const headers = { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await app.request(`http://godwit.test/v1/runs/${path}`, init, env);
    return { status: response.status, body: await response.json() };
  };
};

const message = (content: string, role = "user") => ({ message: { role, content } });

describe("the routes of sessions", () => {
  it("[W-14.3] open, fill, fork, trim and close a session", async () => {
    const call = server();
    expect(await call("POST", "r/sessions", { session_id: "s" })).toEqual({
      status: 200,
      body: { session_id: "s", length: 0 },
    });
    for (const text of ["a", "b", "c"]) await call("POST", "r/sessions/s/inject", message(text));
    expect((await call("POST", "r/sessions/s/fork_at", { keep_first: 1, target_id: "f" })).body).toEqual({
      session_id: "f",
      length: 1,
    });
    expect((await call("POST", "r/sessions/s/fork")).body["length"]).toBe(3);
    expect((await call("POST", "r/sessions/s/trim", { keep_last: 2 })).body["length"]).toBe(2);
    expect((await call("POST", "r/sessions/s/reset")).body["length"]).toBe(0);
    expect((await call("POST", "r/sessions/s/close")).status).toBe(200);
    const list = await call("GET", "r/sessions");
    expect(list.body["items"]).toMatchObject([
      { parent_id: "s", length: 3 },
      { session_id: "f", length: 1 },
    ]);
  });

  it("[W-14.3] shows a transcript, all of it or what is public", async () => {
    const call = server();
    await call("POST", "r/sessions", { session_id: "s" });
    await call("POST", "r/sessions/s/inject", message("a"));
    await call("POST", "r/sessions/s/inject", message("42", "tool_result"));
    const all = sessionSnapshotSchema.parse((await call("GET", "r/sessions/s")).body);
    expect([all.messages.length, all.root_id]).toEqual([2, "s"]);
    const shown = await call("GET", "r/sessions/s?visibility=public");
    expect(shown.body["messages"]).toEqual([{ role: "user", content: "a" }]);
  });

  it("[W-14.3] a compaction that needs a model asks first", async () => {
    const call = server();
    await call("POST", "r/sessions", { session_id: "s" });
    for (const text of ["a", "b", "c", "d"]) await call("POST", "r/sessions/s/inject", message(text));
    const options = { keep_last: 1, compact_strategy: "llm" };
    const asked = sessionReplySchema.parse((await call("POST", "r/sessions/s/compact", { options })).body);
    expect(asked).toMatchObject({ length: 4, ask: { type: "model" } });
    const answer = { options, answers: ["short"], expected_length: 4 };
    expect((await call("POST", "r/sessions/s/compact", answer)).body).toEqual({ session_id: "s", length: 2 });
    expect((await call("POST", "r/sessions/s/compact", answer)).body["code"]).toBe("invalid_transition");
  });

  it.each([
    ["POST r/sessions/x/trim", { keep_last: 1 }, 404, "agent_session_trim: unknown session id 'x'"],
    ["POST r/sessions/s/trim", { keep_last: -1 }, 400, "agent_session_trim: `keep_last` must be >= 0"],
    ["POST r/sessions/s/inject", { message: "x" }, 400, "agent_session_inject: message must be a dict"],
    ["GET r/sessions/x", undefined, 404, "run r has no session x"],
    ["GET other/sessions", undefined, 404, "there is no run other"],
    ["GET other/sessions/s", undefined, 404, "there is no run other"],
  ])("[W-14.3] %s is refused", async (request, body, status, detail) => {
    const call = server();
    await call("POST", "r/sessions", { session_id: "s" });
    const [method = "", path = ""] = request.split(" ");
    expect(await call(method, path, body)).toMatchObject({ status, body: { detail } });
  });
});

import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { SessionCommand, SessionOperation } from "../../../src/engine/transcript/command.ts";
import { decideSession, sessionLength } from "../../../src/engine/transcript/decide-session.ts";
import { evolveSessions } from "../../../src/engine/transcript/evolve-sessions.ts";
import {
  ancestryOf,
  MAX_SESSIONS,
  noSessions,
  sessionExists,
  sessionIn,
  type Sessions,
  snapshotOf,
  transcriptOf,
} from "../../../src/engine/transcript/session.ts";
import { appendMessages, messagesOfStage } from "../../../src/engine/transcript/stage-messages.ts";
import { counting } from "../../support/run-fixture.ts";

const context = counting();

const command = (operation: SessionOperation): SessionCommand => ({ type: "session", ...operation });

const accept = (sessions: Sessions, operation: SessionOperation) => {
  const decision = decideSession(sessions, command(operation), context);
  if (!decision.ok) throw new Error(decision.error.detail);
  const { events, reply } = decision.value;
  return { sessions: events.reduce(evolveSessions, sessions), events, reply };
};

const refusal = (sessions: Sessions, operation: SessionOperation) => {
  const decision = decideSession(sessions, command(operation), context);
  return decision.ok ? null : decision.error;
};

const say = (text: string, role = "user"): JsonObject => ({ role, content: text });

const filled = (count: number, id = "s"): Sessions =>
  appendMessages(
    accept(noSessions(), { op: "open", session_id: id }).sessions,
    id,
    Array.from({ length: count }, (_, index) => say(`m${index}`, index % 2 === 0 ? "user" : "assistant")),
  );

const texts = (sessions: Sessions, id: string): unknown[] =>
  (sessionIn(sessions, id)?.messages.toArray() ?? []).map((message) => message["content"]);

const kinds = (sessions: Sessions) =>
  sessionIn(sessions, "s")
    ?.extra_events.toArray()
    .map(({ kind }) => kind);

describe("sessions", () => {
  it("[W-14.3] opening is idempotent and mints an id when none is given", () => {
    const first = accept(noSessions(), { op: "open", session_id: "s" });
    expect(first.events).toEqual([{ type: "session_opened", session_id: "s" }]);
    const again = accept(appendMessages(first.sessions, "s", [say("x")]), { op: "open", session_id: "s" });
    expect(again).toMatchObject({ events: [], reply: { session_id: "s", length: 1 } });
    const minted = accept(noSessions(), { op: "open" }).reply.session_id;
    expect(minted).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("[W-14.3] every operation on an unknown session says which", () => {
    const operations: SessionOperation[] = [
      { op: "reset", session_id: "x" },
      { op: "fork", session_id: "x" },
      { op: "fork_at", session_id: "x", keep_first: 1 },
      { op: "trim", session_id: "x", keep_last: 1 },
      { op: "inject", session_id: "x", message: say("a") },
      { op: "compact", session_id: "x", options: {} },
      { op: "close", session_id: "x" },
    ];
    for (const operation of operations) {
      expect(refusal(noSessions(), operation)).toEqual({
        code: "session_not_found",
        detail: `agent_session_${operation.op}: unknown session id 'x'`,
      });
    }
    expect(sessionLength(noSessions(), "x")).toEqual({
      ok: false,
      error: "agent_session_length: unknown session id 'x'",
    });
    expect(sessionLength(filled(3), "s")).toEqual({ ok: true, value: 3 });
  });

  it("[W-14.3] reset empties a session and keeps its id and its lineage", () => {
    const forked = accept(filled(2), { op: "fork", session_id: "s", target_id: "f" }).sessions;
    const reset = accept(forked, { op: "reset", session_id: "f" });
    expect(reset.reply.length).toBe(0);
    expect(snapshotOf(sessionIn(reset.sessions, "f") as never)).toMatchObject({
      id: "f",
      messages: [],
      events: [],
      parent_id: "s",
      state: "active",
    });
  });

  it("[W-14.3] a fork has the messages, a lineage, and a life of its own", () => {
    const forked = accept(filled(3), { op: "fork", session_id: "s", target_id: "f" }).sessions;
    const after = appendMessages(appendMessages(forked, "f", [say("in fork")]), "s", [say("in source")]);
    expect(texts(after, "f")).toEqual(["m0", "m1", "m2", "in fork"]);
    expect(texts(after, "s")).toEqual(["m0", "m1", "m2", "in source"]);
    const snapshot = snapshotOf(sessionIn(after, "f") as never);
    expect(snapshot).toMatchObject({
      parent_id: "s",
      child_ids: [],
      branched_at_event_index: null,
      metadata: { parent_session_id: "s" },
    });
    expect(snapshotOf(sessionIn(after, "s") as never)).toMatchObject({ child_ids: ["f"], parent_id: null });
    expect(transcriptOf(sessionIn(after, "s") as never)).not.toHaveProperty("metadata");
  });

  it.each([
    [0, 0],
    [2, 2],
    [9, 4],
  ])("[W-14.3] fork_at keeps the first %i of four messages and records event index %i", (keepFirst, index) => {
    const { sessions, reply } = accept(filled(4), { op: "fork_at", session_id: "s", keep_first: keepFirst });
    expect(reply.length).toBe(index);
    expect(sessionIn(sessions, reply.session_id)).toMatchObject({ branched_at_event_index: index });
  });

  it("[W-14.3] counts below zero are refused with the texts of the specification", () => {
    expect(refusal(filled(1), { op: "fork_at", session_id: "s", keep_first: -1 })?.detail).toBe(
      "agent_session_fork_at: `keep_first` must be >= 0",
    );
    expect(refusal(filled(1), { op: "trim", session_id: "s", keep_last: -1 })?.detail).toBe(
      "agent_session_trim: `keep_last` must be >= 0",
    );
  });

  it("[W-14.3] a fork never replaces a session", () => {
    const two = accept(filled(1), { op: "open", session_id: "t" }).sessions;
    expect(refusal(two, { op: "fork", session_id: "s", target_id: "t" })).toMatchObject({ code: "invalid_transition" });
  });

  it("[W-14.3] trim keeps the last messages", () => {
    const { sessions, reply } = accept(filled(5), { op: "trim", session_id: "s", keep_last: 2 });
    expect([reply.length, texts(sessions, "s")]).toEqual([2, ["m3", "m4"]]);
    expect(accept(sessions, { op: "trim", session_id: "s", keep_last: 7 }).reply.length).toBe(2);
    expect(accept(sessions, { op: "trim", session_id: "s", keep_last: 0 }).reply.length).toBe(0);
  });

  it.each([
    ["text", "agent_session_inject: message must be a dict"],
    [{ content: "x" }, "agent_session_inject: message must have a string `role` (user|assistant|tool_result|system)"],
  ])("[W-14.3] inject refuses %j", (message, text) => {
    expect(refusal(filled(0), { op: "inject", session_id: "s", message })?.detail).toBe(text);
  });

  it("[W-14.3] inject appends and keeps the events beside the messages; trim keeps only compactions", () => {
    const event = { id: "e", role: "system", visibility: "internal", text: "", blocks: [] } as const;
    const extra = evolveSessions(filled(1), {
      type: "session_messages_added",
      session_id: "s",
      messages: [],
      extra_events: [
        { ...event, kind: "tool_execution" },
        { ...event, kind: "compaction" },
      ],
      state: "paused",
    });
    const injected = accept(extra, { op: "inject", session_id: "s", message: say("new") }).sessions;
    expect(texts(injected, "s")).toEqual(["m0", "new"]);
    expect(kinds(injected)).toEqual(["tool_execution", "compaction"]);
    expect(kinds(accept(injected, { op: "trim", session_id: "s", keep_last: 1 }).sessions)).toEqual(["compaction"]);
    expect(sessionIn(injected, "s")?.state).toBe("paused");
  });

  it("[W-14.3] a closed session is gone; its forks stay and know where they came from", () => {
    const forked = accept(filled(1), { op: "fork", session_id: "s", target_id: "f" }).sessions;
    const deeper = accept(forked, { op: "fork", session_id: "f", target_id: "g" }).sessions;
    expect(ancestryOf(deeper, "g")).toEqual({ parent_id: "f", child_ids: [], root_id: "s" });
    const closed = accept(deeper, { op: "close", session_id: "s" });
    expect(closed.reply.length).toBe(0);
    expect([sessionExists(closed.sessions, "s"), sessionExists(closed.sessions, "f")]).toEqual([false, true]);
    expect(sessionExists(closed.sessions, null)).toBe(false);
    expect(ancestryOf(closed.sessions, "g")).toEqual({ parent_id: "f", child_ids: [], root_id: "f" });
    expect(ancestryOf(closed.sessions, "s")).toBeNull();
    // The id is taken again by a fork of its own fork: the way up ends all the same.
    const circle = accept(closed.sessions, { op: "fork", session_id: "f", target_id: "s" }).sessions;
    expect(ancestryOf(circle, "g")?.root_id).toBe("s");
  });

  it("[W-14.3] a run has a bounded number of open sessions, and none is evicted", () => {
    let sessions = noSessions();
    for (let i = 0; i < MAX_SESSIONS; i++) sessions = accept(sessions, { op: "open", session_id: `s${i}` }).sessions;
    expect(refusal(sessions, { op: "open", session_id: "more" })).toMatchObject({ code: "invalid_transition" });
    expect(sessionExists(sessions, "s0")).toBe(true);
    const closed = accept(sessions, { op: "close", session_id: "s5" }).sessions;
    expect(accept(closed, { op: "open", session_id: "more" }).reply.length).toBe(0);
  });

  it("[W-14.3] two stages with the same session share the conversation", () => {
    const one = appendMessages(filled(0), "s", messagesOfStage("ask", { text: "answer" }));
    const two = appendMessages(one, "s", messagesOfStage("more", { status: "done" }));
    expect(texts(two, "s")).toEqual(["ask", "answer", "more", ""]);
    expect(appendMessages(two, "unknown", [say("x")])).toBe(two);
    expect(appendMessages(two, null, [say("x")])).toBe(two);
  });

  it("[W-14.6] a transcript for the public leaves out tool results and internal events", () => {
    const sessions = appendMessages(filled(1), "s", [say("42", "tool_result")]);
    const transcript = transcriptOf(sessionIn(sessions, "s") as never, "public");
    expect(transcript).toMatchObject({ messages: [{ content: "m0" }], events: [{ text: "m0" }] });
  });
});

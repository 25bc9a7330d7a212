import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import type { SessionOperation } from "../../src/engine/transcript/command.ts";
import { planCompaction } from "../../src/engine/transcript/compaction.ts";
import { compactionSettings } from "../../src/engine/transcript/compaction-settings.ts";
import { decideSession } from "../../src/engine/transcript/decide-session.ts";
import { evolveSessions } from "../../src/engine/transcript/evolve-sessions.ts";
import { estimateTokens, isToolAnswer, isToolCall } from "../../src/engine/transcript/message.ts";
import { noSessions, type Sessions, snapshotOf, transcriptOf } from "../../src/engine/transcript/session.ts";
import type { SessionEvent } from "../../src/engine/transcript/session-event.ts";
import { transcriptValueSchema } from "../../src/schema/transcript.ts";
import { counting, must } from "../support/run-fixture.ts";

const id = fc.constantFrom("a", "b", "c");
const count = fc.nat(6);
const message = fc.record({
  role: fc.constantFrom("user", "assistant", "tool_result"),
  content: fc.string({ unit: "grapheme", maxLength: 12 }),
});

const operation: fc.Arbitrary<SessionOperation> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ op: fc.constant("open" as const), session_id: id }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant("inject" as const), session_id: id, message }) },
  fc.record({ op: fc.constant("reset" as const), session_id: id }),
  fc.record({ op: fc.constant("fork" as const), session_id: id, target_id: id }),
  fc.record({ op: fc.constant("fork_at" as const), session_id: id, keep_first: count, target_id: id }),
  fc.record({ op: fc.constant("trim" as const), session_id: id, keep_last: count }),
  fc.record({
    op: fc.constant("compact" as const),
    session_id: id,
    options: fc.record({ keep_last: count, compact_strategy: fc.constantFrom("truncate", "observation_mask") }),
  }),
  fc.record({ op: fc.constant("close" as const), session_id: id }),
);

const shown = (sessions: Sessions): unknown => sessions.entries().map(([key, session]) => [key, snapshotOf(session)]);

/** Every event of a sequence of operations, and the sessions as they were after each. */
const play = (operations: readonly SessionOperation[]) => {
  const context = counting();
  const events: SessionEvent[] = [];
  const versions: Sessions[] = [noSessions()];
  for (const one of operations) {
    const sessions = versions.at(-1) as Sessions;
    const decision = decideSession(sessions, { type: "session", ...one }, context);
    if (!decision.ok) continue;
    events.push(...decision.value.events);
    versions.push(decision.value.events.reduce(evolveSessions, sessions));
  }
  return { events, versions };
};

describe("sessions", () => {
  it("[W-14.3] folding the journal gives the same sessions, and no version ever changes", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const { events, versions } = play(operations);
        const before = versions.map((version) => JSON.stringify(shown(version)));
        const journal = JSON.parse(JSON.stringify(events)) as SessionEvent[];
        const folded = journal.reduce(evolveSessions, noSessions());
        expect(JSON.stringify(shown(folded))).toBe(before.at(-1));
        expect(versions.map((version) => JSON.stringify(shown(version)))).toEqual(before);
      }),
    );
  });

  it("[W-14.3] the size that is kept along is the size of the messages, and every transcript is well formed", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        for (const [, session] of (play(operations).versions.at(-1) as Sessions).entries()) {
          expect(Math.floor(session.message_bytes / 4)).toBe(estimateTokens(session.messages.toArray()));
          const transcript = transcriptValueSchema.parse(transcriptOf(session));
          expect(transcript.events.slice(0, transcript.messages.length).map(({ role }) => role)).toEqual(
            transcript.messages.map(({ role }) => role),
          );
        }
      }),
    );
  });

  it("[W-14.3] a fork never changes the messages of its source, whatever is done to either", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.array(operation, { maxLength: 20 }), (start, operations) => {
        const setup: SessionOperation[] = [
          { op: "open", session_id: "source" },
          ...start.map((one): SessionOperation => ({ op: "inject", session_id: "source", message: one })),
          { op: "fork", session_id: "source", target_id: "a" },
        ];
        const after = play([...setup, ...operations]).versions.at(-1) as Sessions;
        expect(after.get("source")?.messages.toArray()).toEqual(start);
      }),
    );
  });

  it("[W-14.3] fork_at keeps the first, trim the last so many messages", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), count, (start, kept) => {
        const setup: SessionOperation[] = [
          { op: "open", session_id: "s" },
          ...start.map((one): SessionOperation => ({ op: "inject", session_id: "s", message: one })),
          { op: "fork_at", session_id: "s", target_id: "f", keep_first: kept },
          { op: "trim", session_id: "s", keep_last: kept },
        ];
        const after = play(setup).versions.at(-1) as Sessions;
        expect(after.get("f")?.messages.toArray()).toEqual(start.slice(0, kept));
        expect(after.get("s")?.messages.toArray()).toEqual(kept === 0 ? [] : start.slice(-kept));
      }),
    );
  });

  it("[W-14.3] events are deltas: none but an injection holds a message", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        for (const event of play(operations).events)
          expect("messages" in event).toBe(event.type === "session_messages_added");
      }),
    );
  });
});

/** A conversation of whole turns: questions, answers, and tool calls with everything they asked for. */
const text = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.nat(3_000).map((length) => "lorem ipsum\n".repeat(length / 12)),
);
const turn: fc.Arbitrary<readonly JsonObject[]> = fc.oneof(
  text.map((content) => [{ role: "user", content }]),
  text.map((content) => [{ role: "assistant", content }]),
  fc
    .array(text, { minLength: 1, maxLength: 4 })
    .map((results) => [
      { role: "assistant", content: "", tool_calls: results.map((_, index) => ({ id: `${index}` })) },
      ...results.map((content) => ({ role: "tool", content })),
    ]),
);
const conversation = fc.array(turn, { maxLength: 25 }).map((turns) => turns.flat());
const source = fc.record({
  keep_first: fc.nat(3),
  keep_last: fc.nat(8),
  token_threshold: fc.nat(2_000),
  compact_strategy: fc.constantFrom("truncate", "observation_mask"),
  hard_limit_tokens: fc.option(fc.nat(1_000)),
  hard_limit_strategy: fc.constantFrom("truncate", "observation_mask"),
});

describe("compaction", () => {
  it("[W-14.4] keeps whole turns: no tool answer stays without its call, none is archived without it", () => {
    fc.assert(
      fc.property(conversation, source, fc.constantFrom("preflight", "manual"), (messages, options, mode) => {
        const step = planCompaction(messages, must(compactionSettings(options)), mode as "manual");
        fc.pre(step.type === "done");
        const end = step.compaction.keep_first + step.compaction.archived;
        const first = messages[end];
        // A cut that the caller's own keep_first makes inside a turn is not the split's.
        fc.pre(
          !(messages[options.keep_first] !== undefined && isToolAnswer(messages[options.keep_first] as JsonObject)),
        );
        expect(first !== undefined && isToolAnswer(first)).toBe(false);
        const last = messages[end - 1];
        if (first !== undefined && last !== undefined) expect(isToolCall(last)).toBe(false);
      }),
    );
  });

  it("[W-14.4] keeps the first and at least the last messages, but for tool answers whose call is not kept", () => {
    fc.assert(
      fc.property(conversation, source, (messages, options) => {
        const step = planCompaction(messages, must(compactionSettings(options)), "manual");
        fc.pre(step.type === "done");
        const { keep_first: keepFirst, archived } = step.compaction;
        expect(keepFirst).toBe(options.keep_first);
        const naive = messages.length - options.keep_last;
        for (const message of messages.slice(naive, keepFirst + archived)) expect(isToolAnswer(message)).toBe(true);
      }),
    );
  });

  it("[W-14.4] before a call every compaction makes the conversation smaller, and repeating it comes to an end", () => {
    fc.assert(
      fc.property(conversation, source, (messages, options) => {
        const settings = must(compactionSettings(options));
        let current: readonly JsonObject[] = messages;
        for (;;) {
          const step = planCompaction(current, settings, "preflight");
          if (step.type !== "done") break;
          const { keep_first: keepFirst, archived, summary } = step.compaction;
          const next = [
            ...current.slice(0, keepFirst),
            { role: "user", content: summary },
            ...current.slice(keepFirst + archived),
          ];
          expect(archived).toBeGreaterThan(0);
          expect(next.length).toBeLessThanOrEqual(current.length);
          expect(estimateTokens(next)).toBeLessThan(estimateTokens(current));
          expect(step.compaction.metadata).toMatchObject({ estimated_tokens_after: estimateTokens(next) });
          current = next;
        }
        expect(current.length).toBeLessThanOrEqual(messages.length);
      }),
    );
  });
});

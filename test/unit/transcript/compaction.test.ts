import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/lib/json.ts";
import {
  compactBeforeCall,
  compactSession,
  sessionCompactionDue,
} from "../../../src/engine/transcript/compact-session.ts";
import { compactionDue, finishCompaction, planCompaction } from "../../../src/engine/transcript/compaction.ts";
import {
  compactionIsEnabled,
  compactionSettings,
  type CompactionSettings,
  compactOptions,
} from "../../../src/engine/transcript/compaction-settings.ts";
import { splitOf } from "../../../src/engine/transcript/compaction-split.ts";
import { maskSummary, truncateSummary } from "../../../src/engine/transcript/compaction-summary.ts";
import { decideSession } from "../../../src/engine/transcript/decide-session.ts";
import { evolveSessions } from "../../../src/engine/transcript/evolve-sessions.ts";
import { noSessions, sessionIn, type Sessions, snapshotOf } from "../../../src/engine/transcript/session.ts";
import { appendMessages } from "../../../src/engine/transcript/stage-messages.ts";
import { autoCompactPolicySchema } from "../../../src/schema/policy.ts";
import { counting, must } from "../../support/run-fixture.ts";

const settings = (source: JsonObject = {}, contextTokens: number | null = null): CompactionSettings =>
  must(compactionSettings(source, contextTokens));

const user = (text: string): JsonObject => ({ role: "user", content: text });
const says = (text: string): JsonObject => ({ role: "assistant", content: text });
const calls = (text = ""): JsonObject => ({ role: "assistant", content: text, tool_calls: [{ name: "read" }] });
const answers = (text = "ok"): JsonObject => ({ role: "tool", content: text });

const decode = (policy: JsonObject) => autoCompactPolicySchema.parse(policy) as unknown as JsonObject;

const split = (messages: readonly JsonObject[], source: JsonObject, fits = true) =>
  splitOf(messages, settings(source), fits);

const session = (count: number): Sessions =>
  appendMessages(
    evolveSessions(noSessions(), { type: "session_opened", session_id: "s" }),
    "s",
    Array.from({ length: count }, (_, i) => (i % 2 === 0 ? user(`q${i}`) : says(`a${i}`))),
  );

describe("compaction settings", () => {
  it("[W-14.4] has the defaults of the specification", () => {
    expect(settings()).toEqual({
      keep_first: 0,
      keep_last: 12,
      token_threshold: 48_000,
      tool_output_max_chars: 16_000,
      strategy: "observation_mask",
      hard_limit_tokens: null,
      hard_limit_strategy: "llm",
      summarize_prompt: null,
      custom_compactor: null,
      mask_callback: null,
    });
  });

  it.each([
    [{}, 20_000, 13_000, 15_000],
    [{}, 1_000, 2_662, 3_072],
    [{}, 1_000_000, 48_000, 750_000],
    [{ token_threshold: 90_000, hard_limit_tokens: 99_000 }, 100_000, 65_000, 75_000],
    [{ token_threshold: 10, hard_limit_tokens: 20 }, 100_000, 10, 20],
  ])("[W-14.4] %j with a context of %i tokens: threshold %i, hard limit %i", (source, context, threshold, hard) => {
    expect(settings(source, context)).toMatchObject({ token_threshold: threshold, hard_limit_tokens: hard });
  });

  it("[W-1.5] nodes may use their own names or those of the manual, also after decoding", () => {
    const own = decode({ enabled: true, token_threshold: 5, compact_keep_last: 3, compact_strategy: "truncate" });
    const manual = decode({ auto_compact: true, compact_threshold: 5, keep_last: 3, compact_strategy: "truncate" });
    expect(settings(own)).toEqual(settings(manual));
    expect([own, manual, decode({})].map(compactionIsEnabled)).toEqual([true, true, false]);
    expect(settings(decode({ compact_callback: "f", compact_strategy: "custom" })).custom_compactor).toBe("f");
  });

  it("[W-14.4] an unknown strategy is refused by its name", () => {
    const text = "unknown compact_strategy 'x' (expected 'llm', 'truncate', 'custom', or 'observation_mask')";
    expect(compactionSettings({ compact_strategy: "x" })).toEqual({ ok: false, error: text });
    expect(compactionSettings({ hard_limit_strategy: "x" })).toEqual({ ok: false, error: text });
    expect(compactionSettings({ compact_strategy: "custom" })).toMatchObject({ ok: false });
  });

  it("[W-14.3] options of a compaction by hand are checked by key and type", () => {
    expect(compactOptions({ zzz: 1, aaa: 2 })).toEqual({
      ok: false,
      error:
        "agent_session_compact: unknown option key 'aaa' (expected one of: keep_last, token_threshold, " +
        "tool_output_max_chars, compact_strategy, hard_limit_tokens, hard_limit_strategy, custom_compactor, " +
        "mask_callback, compress_callback)",
    });
    expect(compactOptions({ keep_last: -1 })).toEqual({
      ok: false,
      error: "agent_session_compact: `keep_last` must be >= 0",
    });
    expect(compactOptions({ mask_callback: 1 })).toMatchObject({ ok: false });
    expect(compactOptions({ compact_strategy: "x" })).toMatchObject({
      ok: false,
      error: expect.stringContaining("agent_session_compact: unknown compact_strategy 'x'"),
    });
    expect(must(compactOptions({ keep_last: null, compact_strategy: "truncate" }))).toMatchObject({ keep_last: 12 });
  });
});

describe("where a conversation is split", () => {
  it("[W-14.4] nothing is archived up to keep_first + keep_last messages", () => {
    expect(split([user("a"), says("b"), user("c")], { keep_last: 2, keep_first: 1 })).toBeNull();
  });

  it("[W-14.4] the kept part begins at a user message", () => {
    expect(split([user("a"), says("b"), user("c"), says("d"), says("e")], { keep_last: 1 })).toBe(2);
    expect(split([user("a"), says("b"), user("c"), says("d")], { keep_last: 2 })).toBe(2);
  });

  it("[W-14.4] without a user message beyond keep_first the split stays where it was", () => {
    expect(split([user("a"), says("b"), says("c"), says("d")], { keep_last: 1 })).toBe(3);
  });

  it("[W-14.4] in the middle of a loop no tool call is parted from its answers", () => {
    const loop = [user("a"), calls(), answers(), answers(), calls(), answers(), answers()];
    expect(split(loop, { keep_last: 1 })).toBe(4);
    expect(split(loop, { keep_last: 4 })).toBe(1);
    expect(split([calls(), answers(), answers(), says("x")], { keep_last: 2 })).toBe(3);
    expect(split([...loop, answers()], { keep_last: 0 })).toBe(8);
  });

  it("[W-14.4] a loop that is too long after one question is split all the same", () => {
    const long = "x".repeat(400);
    const loop = [user("a"), says("b"), user("c"), calls(long), answers(long), calls(long), answers(long)];
    expect(split(loop, { keep_last: 2, token_threshold: 100 })).toBe(2);
    expect(split(loop, { keep_last: 2, token_threshold: 100 }, false)).toBe(5);
  });
});

describe("compaction strategies", () => {
  it("[W-14.4] truncate lists the first fifteen messages, each cut at 500 bytes", () => {
    const messages = [user("é".repeat(300)), ...Array.from({ length: 17 }, (_, i) => says(`a${i}`))];
    const lines = truncateSummary(messages, 18).split("\n");
    expect(lines[0]).toBe("[auto-compacted 18 older messages via truncate strategy]");
    expect(lines[1]).toBe(`[user] ${"é".repeat(250)}... [truncated from 300 chars]`);
    expect(lines).toHaveLength(17);
    expect(lines.at(-1)).toBe("... and 3 more");
    expect(truncateSummary([user("a")], 1)).toBe("[auto-compacted 1 older messages via truncate strategy]\n[user] a");
  });

  it("[W-14.4] observation_mask keeps what the assistant said and masks long observations", () => {
    const long = Array.from({ length: 60 }, (_, i) => `line number ${i}`).join("\n");
    const flat = "y".repeat(900);
    expect(maskSummary([says(long), answers(long), answers(flat), user("short"), says("")], 5)).toBe(
      [
        "[auto-compacted 5 older messages via observation masking]",
        `[assistant] ${long}`,
        `[tool] ${long.slice(0, 120)}... [60 lines, ${long.length} chars masked]`,
        `[tool] ${flat}`,
        "[user] short",
      ].join("\n"),
    );
    expect(maskSummary([user("a"), user("b")], 2, [null, "mine"])).toContain("[user] a\n[user] mine");
  });

  const messages = Array.from({ length: 6 }, (_, i) => user(`question ${i} ${"z".repeat(600)}`));

  it("[W-14.4] llm asks a model; an empty summary falls back to a list with its own header", () => {
    const plan = planCompaction(messages, settings({ compact_strategy: "llm", keep_last: 2 }), "preflight");
    expect(plan).toMatchObject({ type: "ask", ask: { type: "model", prompt: expect.stringContaining("question 3") } });
    if (plan.type !== "ask") return;
    expect(finishCompaction(plan, " all about z ")).toMatchObject({
      type: "done",
      compaction: { keep_first: 0, archived: 4, summary: "[auto-compacted 4 older messages]\nall about z" },
    });
    expect(finishCompaction(plan, "  ")).toMatchObject({
      compaction: { summary: expect.stringMatching(/^\[auto-compacted 4 older messages; .*\n\[user\] question 0/) },
    });
    const own = planCompaction(
      messages,
      settings({ compact_strategy: "llm", keep_last: 2, summarize_prompt: "In one word." }),
      "preflight",
    );
    expect(own).toMatchObject({ ask: { prompt: expect.stringMatching(/^In one word\.\n/) } });
  });

  it("[W-14.4] custom asks a function; an empty answer falls back to truncate", () => {
    const source = { compact_strategy: "custom", custom_compactor: "mine", keep_last: 2 };
    const plan = planCompaction(messages, settings(source), "preflight");
    expect(plan).toMatchObject({
      type: "ask",
      ask: { type: "custom", function: "mine", messages: messages.slice(0, 4) },
    });
    if (plan.type !== "ask") return;
    expect(finishCompaction(plan, "short")).toMatchObject({ compaction: { summary: "short" } });
    expect(finishCompaction(plan, { no: "text" })).toMatchObject({
      compaction: { summary: expect.stringContaining("via truncate strategy") },
    });
  });

  it("[W-14.4] above the hard limit the second strategy runs on the summary", () => {
    const source = { keep_last: 2, hard_limit_tokens: 400 };
    const truncated = planCompaction(messages, settings({ ...source, hard_limit_strategy: "truncate" }), "preflight");
    expect(truncated).toMatchObject({
      type: "done",
      compaction: {
        archived: 4,
        summary: expect.stringMatching(
          /^\[auto-compacted 4 .* truncate strategy\]\n\[user\] \[auto-compacted 4 .*masking/,
        ),
        metadata: { strategy: "truncate" },
      },
    });
    const asked = planCompaction(messages, settings(source), "preflight");
    expect(asked).toMatchObject({ type: "ask", ask: { type: "model" } });
    if (asked.type !== "ask") return;
    expect(finishCompaction(asked, "tiny")).toMatchObject({
      type: "done",
      compaction: { metadata: { strategy: "llm" } },
    });
  });

  it("[W-14.4] a mask function may say what stands there", () => {
    const plan = planCompaction(messages, settings({ mask_callback: "m", keep_last: 2 }), "preflight");
    expect(plan).toMatchObject({ type: "ask", ask: { type: "mask", function: "m" } });
    if (plan.type !== "ask") return;
    expect(finishCompaction(plan, ["one", "two", "three", "four"])).toMatchObject({
      compaction: { summary: expect.stringContaining("[user] one\n[user] two") },
    });
  });

  it("[W-14.4] before a call only a compaction that makes the conversation smaller counts", () => {
    const chatter = Array.from({ length: 6 }, (_, i) => says(`${i} ${"a".repeat(3_000)}`));
    expect(planCompaction(chatter, settings({ keep_last: 2 }), "preflight")).toMatchObject({
      compaction: { metadata: { strategy: "truncate" } },
    });
    expect(planCompaction([user("a"), user("b")], settings({ keep_last: 1 }), "preflight")).toEqual({ type: "none" });
    expect(planCompaction([user("a"), user("b")], settings({ keep_last: 1 }), "manual")).toMatchObject({
      type: "done",
    });
  });

  it("[W-14.4] is due when messages and system text reach the threshold", () => {
    const at = settings({ token_threshold: 10 });
    expect(compactionDue({ messages: [user("x".repeat(32))], system: "yyyy" }, at)).toBe(false);
    expect(compactionDue({ messages: [user("x".repeat(32))], system: "y".repeat(8) }, at)).toBe(true);
  });
});

describe("compaction of a session", () => {
  const context = counting();
  const compact = (sessions: Sessions, options: JsonObject, more: JsonObject = {}) => {
    const command = { type: "session", op: "compact", session_id: "s", options, ...more } as const;
    const decision = decideSession(sessions, command, context);
    if (!decision.ok) return { refused: decision.error };
    const { events, reply } = decision.value;
    return { reply, events, sessions: events.reduce(evolveSessions, sessions) };
  };

  it("[W-14.3] gives the count that is kept, leaves a record and keeps the source", () => {
    const { reply, sessions } = compact(session(6), { keep_last: 2, compact_strategy: "truncate" });
    expect(reply).toEqual({ type: "session", session_id: "s", length: 3 });
    const snapshot = snapshotOf(sessionIn(sessions as Sessions, "s") as never);
    const [asset] = snapshot["assets"] as JsonObject[];
    expect(asset).toMatchObject({ kind: "compaction_source_transcript", data: { messages: { length: 6 } } });
    expect(asset?.["id"]).toMatch(/^compaction-source-[0-9a-f-]{36}$/);
    expect(snapshot["events"]).toMatchObject([
      { role: "user" },
      { text: "q4" },
      { text: "a5" },
      {
        kind: "compaction",
        role: "system",
        visibility: "internal",
        metadata: {
          mode: "manual",
          strategy: "truncate",
          archived_messages: 4,
          keep_first: 0,
          keep_last: 2,
          snapshot_asset_id: asset?.["id"],
        },
      },
    ]);
    expect(snapshot["summary"]).toContain("[user] q0");
  });

  it("[W-14.3] a second compaction by hand adds to the summary and keeps the first record", () => {
    const first = compact(session(6), { keep_last: 2, compact_strategy: "truncate" }).sessions as Sessions;
    const second = compact(appendMessages(first, "s", [user("n"), says("m")]), { keep_last: 2 }).sessions as Sessions;
    const snapshot = snapshotOf(sessionIn(second, "s") as never);
    expect((snapshot["summary"] as string).split("\n\n")).toHaveLength(2);
    expect((snapshot["events"] as JsonObject[]).filter(({ kind }) => kind === "compaction")).toHaveLength(2);
    expect(snapshot["assets"]).toHaveLength(2);
  });

  it("[W-14.3] nothing happens to a short session", () => {
    expect(compact(session(3), {})).toMatchObject({ events: [], reply: { length: 3 } });
  });

  it("[W-14.3] asks first, changes nothing until it is answered, and refuses answers to another conversation", () => {
    const sessions = session(6);
    const options = { keep_last: 2, compact_strategy: "llm" };
    const asked = compact(sessions, options);
    expect(asked).toMatchObject({ events: [], reply: { length: 6, ask: { type: "model" } } });
    const answer = { answers: ["the summary"], expected_length: 6 };
    expect(compact(sessions, options, answer)).toMatchObject({ reply: { length: 3 } });
    const longer = appendMessages(sessions, "s", [user("late")]);
    expect(compact(longer, options, answer)).toMatchObject({ refused: { code: "invalid_transition" } });
    expect(compact(sessions, { nonsense: 1 })).toMatchObject({ refused: { code: "invalid_request" } });
  });

  it("[W-14.4] before a call acts only where the node says so and the conversation is too long", () => {
    const held = sessionIn(session(40), "s") as NonNullable<ReturnType<typeof sessionIn>>;
    const call = { prompt: "x".repeat(400), system: "s", context_tokens: null, answers: [] };
    const before = (policy: JsonObject, more: object = {}) =>
      compactBeforeCall(held, { ...call, auto_compact: policy, ...more }, context);
    const nothing = { ok: true, value: { events: [], ask: null } };
    expect(before({ token_threshold: 1 })).toEqual(nothing);
    expect(before({ enabled: true })).toEqual(nothing);
    expect(before({ enabled: true, compact_strategy: "x" })).toMatchObject({ ok: false });
    const llm = { enabled: true, token_threshold: 100, keep_last: 2, compact_strategy: "llm" };
    expect(before(llm)).toMatchObject({ value: { events: [], ask: { type: "model" } } });
    expect(before(llm, { answers: ["s"] })).toMatchObject({
      value: { events: [{ type: "session_compacted", archived: 38, snapshot_asset_id: null }], ask: null },
    });
  });

  it("[W-14.4] before a call no source is kept and the summary is replaced", () => {
    const long = appendMessages(session(0), "s", [user("x".repeat(8_000)), says("y"), user("z"), says("w")]);
    const held = sessionIn(long, "s") as NonNullable<ReturnType<typeof sessionIn>>;
    const due = settings({ token_threshold: 1_000, keep_last: 2, compact_strategy: "truncate" });
    expect(sessionCompactionDue(held, { prompt: "p", system: null }, due)).toBe(true);
    const { events } = compactSession(held, { mode: "preflight", settings: due, answers: [] }, context);
    const after = sessionIn(events.reduce(evolveSessions, long), "s");
    expect(after?.messages.length).toBe(3);
    expect(after?.assets.length).toBe(0);
    expect(after !== undefined && sessionCompactionDue(after, { prompt: "p", system: null }, due)).toBe(false);
  });
});

import { describe, expect, test } from "vitest";
import { toModelMessages, withoutToolCalls } from "../../../src/executor/agent/messages.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { createExecutor } from "../../../src/executor/executor.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { journalOf } from "./agent/agent-plans.ts";
import { sendJson, startServer } from "./local-server.ts";
import { configOf, planOf, run } from "./plans.ts";

const said: readonly JsonObject[] = [
  { role: "user", content: "How long is it?" },
  { role: "assistant", content: "Three metres." },
];

const scripted = (fields: Partial<StagePlan>): StagePlan =>
  planOf({ prompt: "And how wide?", llm_options: { provider: "scripted" }, ...fields });

const tokens = (result: JsonObject): number => (result["usage"] as { input_tokens: number }).input_tokens;

describe("a call in a session", () => {
  test("[W-14.3] it is told what was said before, and then asked", async () => {
    const server = await startServer((_request, response) =>
      sendJson(response, 200, {
        id: "chat_1",
        object: "chat.completion",
        created: 1_767_000_000,
        model: "local-model",
        choices: [{ index: 0, message: { role: "assistant", content: "One metre." }, finish_reason: "stop" }],
        usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 },
      }),
    );
    const plan = planOf({
      prompt: "And how wide?",
      system: "Be brief.",
      llm_options: { provider: "openai-compatible", model: "local-model" },
      session: { id: "talk", messages: said },
    });
    const result = await run(plan, { env: { GODWIT_MODEL_URL: `${server.origin}/v1` } });
    expect(result).toMatchObject({ status: "done", text: "One metre." });
    const { messages } = JSON.parse(server.requests[0]?.body ?? "") as { messages: readonly JsonObject[] };
    expect(messages.map(({ role, content }) => [role, content])).toEqual([
      ["system", "Be brief."],
      ["user", "How long is it?"],
      ["assistant", "Three metres."],
      ["user", "And how wide?"],
    ]);
  });

  test("[W-14.3] a script looks at its own prompt, and with session_contains at what was said before", async () => {
    const session = { id: "talk", messages: said };
    const replies = [
      { when: { prompt_contains: "Three metres." }, text: "the session is no prompt" },
      { when: { session_contains: "Three metres.", prompt_contains: "wide" }, text: "One metre." },
    ];
    expect(await run(scripted({ session, script: { replies } }))).toMatchObject({ text: "One metre." });
    expect(await run(scripted({ script: { replies, default: "nothing was said" } }))).toMatchObject({
      text: "nothing was said",
    });
  });

  test("[W-12.9] what was said before counts as input", async () => {
    const alone = await run(scripted({}));
    const within = await run(scripted({ session: { id: "talk", messages: said } }));
    expect(tokens(within)).toBeGreaterThan(tokens(alone));
  });
});

describe("conversations that were cut", () => {
  test("[W-14.3] white space alone is left out, and a user begins", () => {
    const messages = [
      { role: "assistant", content: "Three metres." },
      { role: "user", content: " \n" },
      { role: "assistant", content: [{ type: "text", text: "" }] },
      { role: "system", content: "Be brief." },
    ];
    expect(toModelMessages(messages)).toEqual([
      { role: "user", content: "[what was said before is not shown]" },
      { role: "assistant", content: [{ type: "text", text: "Three metres." }] },
      { role: "user", content: "[system] Be brief." },
    ]);
  });

  test("[W-14.3] where no tools are offered, calls and answers are told as text", () => {
    const messages = [
      { role: "user", content: "Look it up" },
      {
        role: "assistant",
        content: [
          { type: "text", text: "Looking." },
          { type: "tool_call", id: "c1", name: "find", arguments: { n: 7 } },
        ],
      },
      { role: "tool_result", tool_call_id: "c1", tool_name: "find", content: "a bug" },
    ];
    expect(toModelMessages(withoutToolCalls(messages))).toEqual([
      { role: "user", content: "Look it up" },
      {
        role: "assistant",
        content: [
          { type: "text", text: "Looking." },
          { type: "text", text: '[tool call] find {"n":7}' },
        ],
      },
      { role: "user", content: "[tool result] a bug" },
    ]);
  });
});

const LONG = "x".repeat(1000);

const longTalk = Array.from({ length: 8 }, (_, index) => ({
  role: index % 2 === 0 ? "user" : "assistant",
  content: `${index} ${LONG}`,
}));

const compacting = (fields: Partial<StagePlan> = {}): StagePlan =>
  scripted({
    session: { id: "talk", messages: longTalk, revision: 3 },
    auto_compact: { enabled: true, token_threshold: 1000, keep_last: 2, compact_strategy: "llm" },
    script: {
      replies: [
        { when: { turn: 0 }, text: "Much was said with the password hunter2-hunter2." },
        { when: { session_contains: "auto-compacted 6 older messages" }, text: "One metre." },
      ],
    },
    ...fields,
  });

describe("compaction before a call", () => {
  test("[W-14.4] a session that is too long is shortened and recorded, without secrets, before the call", async () => {
    const { steps, journal } = journalOf();
    const executor = createExecutor(configOf({ env: { GODWIT_SECRET_DOOR: "hunter2-hunter2" } }));
    const result = await executor.execute(compacting(), new AbortController().signal, journal);
    expect(result).toMatchObject({ status: "done", text: "One metre.", usage: { call_count: 2 } });
    expect(steps).toHaveLength(1);
    expect(steps[0]).toMatchObject({
      iteration: 0,
      usage: { call_count: 1 },
      compaction: {
        revision: 3,
        event: {
          keep_first: 0,
          archived: 6,
          summary: "[auto-compacted 6 older messages]\nMuch was said with the password [redacted].",
          snapshot_asset_id: null,
          metadata: { mode: "preflight", strategy: "llm" },
        },
      },
    });
  });

  test("[W-14.4] without a journal the call simply uses the shorter conversation", async () => {
    expect(await run(compacting())).toMatchObject({ status: "done", text: "One metre." });
  });

  test("[W-14.4] a session that fits, or a node that asks for nothing, changes nothing", async () => {
    const { steps, journal } = journalOf();
    const executor = createExecutor(configOf({}));
    const script = { replies: [], default: "One metre." };
    const fits = { enabled: true, token_threshold: 10_000, keep_last: 2 };
    for (const auto_compact of [fits, { enabled: false, token_threshold: 1 }]) {
      const plan = compacting({ script, auto_compact });
      const result = await executor.execute(plan, new AbortController().signal, journal);
      expect(result).toMatchObject({ text: "One metre.", usage: { call_count: 1 } });
    }
    expect(steps).toEqual([]);
  });

  test("[W-14.4] a known context lowers the threshold to 65 %", async () => {
    const { steps, journal } = journalOf();
    const plan = compacting({
      auto_compact: { enabled: true, keep_last: 2, compact_strategy: "truncate" },
      session: { id: "talk", messages: [...longTalk, ...longTalk] },
      script: { replies: [], default: "One metre." },
      llm_options: { provider: "scripted", context_tokens: 5000 },
    });
    await createExecutor(configOf({})).execute(plan, new AbortController().signal, journal);
    expect(steps[0]?.compaction?.event.archived).toBe(14);
  });

  test("[W-14.4] what earlier attempts used counts, also where the call fails", async () => {
    const usage = {
      input_tokens: 5,
      output_tokens: 1,
      total_duration_ms: 0,
      call_count: 1,
      total_cost: 0,
      models: ["m"],
    };
    const progress = { steps: 1, iterations: 0, tool_calls: [], usage, messages_from: 0 };
    const script = { replies: [{ error: { category: "overloaded", message: "busy" } }] };
    expect(await run(scripted({ script, progress }))).toMatchObject({
      error_category: "overloaded",
      usage: { call_count: 1 },
    });
    expect(await run(compacting({ script, progress }))).toMatchObject({ error_category: "overloaded", usage });
    expect(await run(scripted({ progress }))).toMatchObject({ status: "done", usage: { call_count: 2 } });
  });

  test("[I6] an attempt that was lost records nothing and calls nobody", async () => {
    const { journal } = journalOf(0);
    const result = await createExecutor(configOf({})).execute(compacting(), new AbortController().signal, journal);
    expect(result).toMatchObject({ error_category: "cancelled" });
  });
});

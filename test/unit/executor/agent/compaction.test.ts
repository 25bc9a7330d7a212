import { expect, test } from "vitest";
import { messagesAfter } from "../../../../src/engine/transcript/compaction.ts";
import type { Compact } from "../../../../src/executor/agent/loop.ts";
import { createAgentRunner } from "../../../../src/executor/agent/runner.ts";
import { createRedactor } from "../../../../src/executor/redaction.ts";
import { createRegistry, named as createToolRegistry } from "../../../../src/executor/registry.ts";
import type { JsonObject } from "../../../../src/lib/json.ts";
import { configOf } from "../plans.ts";
import { countingTool, journalOf, reply, resumed, runAgent, scriptedAgent } from "./agent-plans.ts";

const summary = { role: "user", content: "[auto-compacted 3 older messages]" };

const eventOf = (archived: number) => ({
  keep_first: 0,
  archived,
  summary: summary.content,
  event_id: "event_1",
  metadata: {},
  snapshot_asset_id: null,
});

test("[W-14.4] a compaction is a step of its own before the turn it makes room for, and the loop goes on from it", async () => {
  const seen: number[] = [];
  const compact: Compact = async ({ messages, revision }) => {
    seen.push(messages.length);
    const event = eventOf(messages.length);
    return { ok: true, value: messages.length > 2 ? { compaction: { event, revision } } : {} };
  };
  const { steps, journal } = journalOf();
  const plan = scriptedAgent([
    reply(1, "One.", ["work"]),
    {
      when: { turn: 2, prompt_contains: "auto-compacted" },
      text: "Two.",
      tool_calls: [{ name: "work", arguments: { n: 2 } }],
    },
    reply(3, "Three."),
  ]);
  const runner = createAgentRunner({ compact });
  const outcome = await runner.run(plan, {
    ...configOf({ tools: createToolRegistry({ work: countingTool([]) }) }),
    journal,
    redactor: createRedactor({ A_KEY: "a-secret" }),
    signal: new AbortController().signal,
  });
  expect(outcome).toMatchObject({
    ok: true,
    value: { status: "done", text: "One.\nTwo.\nThree.", trace: { compactions: 2, iterations: 3 } },
  });
  expect(seen).toEqual([0, 3, 3]);
  expect(steps[2]).toEqual({ iteration: 1, compaction: { event: eventOf(3), revision: 0 } });
  expect(steps[3]).toMatchObject({ iteration: 2, messages: [{ role: "assistant" }] });
  expect(steps[5]).toMatchObject({ iteration: 2, compaction: { revision: 1 } });
});

const LONG = "x".repeat(2000);

const compacting = (auto: JsonObject, replies: readonly JsonObject[], options: JsonObject = {}) =>
  scriptedAgent(
    replies,
    { loop_detect_block: 0, loop_detect_skip: 0, ...options },
    {
      auto_compact: { enabled: true, token_threshold: 700, keep_last: 2, ...auto },
      session: { id: "session-1", messages: [] },
    },
  );

const longTool = { work: countingTool([], () => LONG) };

test("[W-14.4] a loop that grows too long is shortened in the middle, and ends as it would have", async () => {
  const { steps, journal } = journalOf();
  const plan = compacting({ compact_strategy: "truncate" }, [
    reply(1, "One.", ["work", { n: 1 }]),
    reply(2, "Two.", ["work", { n: 2 }]),
    {
      when: { turn: 3, prompt_contains: ["via truncate strategy", "Two."] },
      text: "Three.",
    },
  ]);
  const result = await runAgent(plan, longTool, { journal });
  expect(result).toMatchObject({ status: "done", text: "One.\nTwo.\nThree.", trace: { compactions: 1 } });
  const [compacted] = steps.filter(({ compaction }) => compaction !== undefined);
  expect(compacted).toMatchObject({
    iteration: 2,
    compaction: {
      event: {
        keep_first: 0,
        archived: 3,
        snapshot_asset_id: null,
        metadata: { mode: "preflight", strategy: "truncate" },
      },
      revision: 0,
    },
  });
});

test("[W-14.4] the stage's own model sums up for strategy llm: its tokens count, and its text is not shown live", async () => {
  const { steps, deltas, journal } = journalOf();
  const plan = compacting({ compact_strategy: "llm" }, [
    { when: { turn: 0, prompt_contains: "<conversation>" }, text: "All was x." },
    reply(1, "One.", ["work", { n: 1 }]),
    reply(2, "Two.", ["work", { n: 2 }]),
    { when: { turn: 3, prompt_contains: "All was x." }, text: "Three." },
  ]);
  const result = await runAgent(plan, longTool, { journal });
  expect(result).toMatchObject({ status: "done", trace: { llm_calls: 4, compactions: 1 }, usage: { call_count: 4 } });
  expect(steps.find(({ compaction }) => compaction !== undefined)).toMatchObject({ usage: { call_count: 1 } });
  expect(deltas.map(({ text }) => text).join("")).not.toContain("All was x.");
});

test("[W-14.4] a loop that was lost after a compaction goes on from it", async () => {
  const { steps, journal } = journalOf(5);
  const plan = compacting({ compact_strategy: "truncate" }, [
    reply(1, "One.", ["work", { n: 1 }]),
    reply(2, "Two.", ["work", { n: 2 }]),
    { when: { turn: 3, prompt_contains: "Two." }, text: "Three." },
  ]);
  expect(await runAgent(plan, longTool, { journal })).toMatchObject({ error_category: "cancelled" });
  const compacted = steps[4]?.compaction;
  const before = steps.slice(0, 4).flatMap(({ messages = [] }) => messages);
  const messages = messagesAfter(before, compacted?.event ?? eventOf(0));
  expect(messages.map(({ role }) => role)).toEqual(["user", "assistant", "tool_result"]);
  const again = resumed(plan, steps, { session: { id: "session-1", messages, revision: 1 } });
  const place = { ...again, progress: { ...again.progress, messages_from: 0 } } as typeof again;
  const { steps: later, journal: next } = journalOf();
  const result = await runAgent(place, longTool, { journal: next });
  expect(result).toMatchObject({ status: "done", text: "Two.\nThree.", trace: { compactions: 0 } });
  expect(later).toHaveLength(1);
});

test("[W-14.4] a model that cannot sum up fails the stage with what was used; nothing of the conversation is given up", async () => {
  const { steps, journal } = journalOf();
  const plan = compacting({ compact_strategy: "llm" }, [
    { when: { turn: 0 }, error: { category: "overloaded", message: "busy" } },
    reply(1, "One.", ["work", { n: 1 }]),
    reply(2, "Two.", ["work", { n: 2 }]),
  ]);
  const result = await runAgent(plan, longTool, { journal });
  expect(result).toMatchObject({ error_category: "overloaded", usage: { call_count: 2 } });
  expect(steps.every(({ compaction }) => compaction === undefined)).toBe(true);
});

test("[W-14.4] registered functions sum up and mask", async () => {
  const { steps, journal } = journalOf();
  const given: number[] = [];
  const plan = compacting({ compact_strategy: "custom", custom_compactor: "shorten" }, [
    reply(1, "One.", ["work", { n: 1 }]),
    reply(2, "Two.", ["work", { n: 2 }]),
    { when: { turn: 3, prompt_contains: "in short: 3" }, text: "Three." },
  ]);
  const functions = createRegistry({
    shorten: (input) => {
      const { length } = (input as { messages: readonly unknown[] }).messages;
      given.push(length);
      return `in short: ${length}`;
    },
  });
  expect(await runAgent(plan, longTool, { journal, functions })).toMatchObject({ status: "done" });
  expect(given).toEqual([3]);
  expect(steps.find(({ compaction }) => compaction !== undefined)).not.toHaveProperty("usage");
});

test("[W-14.4] a function that is not there, a wrong setting and a wrong answer fail the stage and are named", async () => {
  const replies = [reply(1, "One.", ["work", { n: 1 }]), reply(2, "Two.", ["work", { n: 2 }])];
  const settings = { compact_strategy: "custom", custom_compactor: "shorten" };
  expect(await runAgent(compacting(settings, replies), longTool)).toMatchObject({
    error_category: "not_found",
    error: expect.stringContaining('auto_compact: no function "shorten"'),
  });
  expect(await runAgent(compacting({ compact_strategy: "guess" }, replies), longTool)).toMatchObject({
    error_category: "schema_validation",
    error: expect.stringContaining("unknown compact_strategy 'guess'"),
  });
  const functions = createRegistry({ shorten: () => new Date() as never });
  expect(await runAgent(compacting(settings, replies), longTool, { functions })).toMatchObject({
    error_category: "schema_validation",
    error: expect.stringContaining("is no JSON"),
  });
});

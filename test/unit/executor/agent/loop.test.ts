import { describe, expect, test } from "vitest";
import { countingTool, journalOf, reply, resumed, runAgent, scriptedAgent, toolAnswers } from "./agent-plans.ts";

const call = (turn: number, index: number): string => `run-1:work:1:call_${turn}_${index}`;

describe("a loop", () => {
  test("[W-6.8] calls tools until the model answers; text is all turns, visible_text the last", async () => {
    const made: string[] = [];
    const { steps, journal } = journalOf();
    const plan = scriptedAgent([
      reply(1, "First.", ["work", { n: 1 }], ["work", { n: 2 }]),
      reply(2, "", ["work", { n: 3 }]),
      reply(3, "Finished."),
    ]);
    const result = await runAgent(plan, { work: countingTool(made) }, { journal });
    expect(result).toMatchObject({
      status: "done",
      text: "First.\nFinished.",
      visible_text: "Finished.",
      tools: { mode: "native", successful: ["work"] },
      trace: { iterations: 3, llm_calls: 3, tool_executions: 3, tool_rejections: 0, tools_used: ["work"] },
      usage: { call_count: 3, models: ["scripted"] },
    });
    expect(made).toEqual([call(1, 1), call(1, 2), call(2, 1)]);
    expect(
      steps.map(({ iteration, messages = [], tool_call }) => [iteration, messages.length, tool_call?.call_id]),
    ).toEqual([
      [1, 2, undefined],
      [1, 1, "call_1_1"],
      [1, 1, "call_1_2"],
      [2, 1, undefined],
      [2, 1, "call_2_1"],
      [3, 1, undefined],
    ]);
    expect(steps[1]?.tool_call).toEqual({
      call_id: "call_1_1",
      tool_name: "work",
      arguments: { n: 1 },
      status: "ok",
      result: { n: 1 },
      duration_ms: 0,
      idempotency_key: call(1, 1),
      iteration: 1,
      started_at: "2026-01-02T03:04:05.000Z",
    });
  });

  test("[W-6.8] without tools one turn is one recorded step", async () => {
    const { steps, deltas, journal } = journalOf();
    const result = await runAgent(scriptedAgent([reply(1, "Answer.")], { tools: [] }), {}, { journal });
    expect(result).toMatchObject({ status: "done", text: "Answer.", visible_text: "Answer." });
    expect(steps).toHaveLength(1);
    expect(steps[0]?.messages).toEqual([
      { role: "user", content: "Do the work" },
      { role: "assistant", content: "Answer." },
    ]);
    expect(deltas).toEqual([{ iteration: 1, text: "Answer." }]);
  });

  test("[W-14.3] what was said before in the session comes first and is not recorded again", async () => {
    const before = [
      { role: "user", content: "Earlier" },
      { role: "assistant", content: "Said earlier." },
    ];
    const { steps, journal } = journalOf();
    const plan = scriptedAgent([reply(1, "Now.")], {}, { session: { id: "s", messages: before } });
    const result = await runAgent(plan, { work: countingTool([]) }, { journal });
    expect(result["text"]).toBe("Now.");
    expect(steps[0]?.messages).toHaveLength(2);
  });
});

describe("the end", () => {
  test("[W-1.4] max_iterations ends as budget_exhausted", async () => {
    const plan = scriptedAgent([{ tool_calls: [{ name: "work", arguments: {} }] }], {
      max_iterations: 2,
      loop_detect_block: 0,
      loop_detect_skip: 0,
    });
    const result = await runAgent(plan, { work: countingTool([]) });
    expect(result).toMatchObject({ status: "budget_exhausted", exhausted: "iterations", trace: { iterations: 2 } });
  });

  test("[W-6.8] a token limit is checked before each model call, recorded usage counted", async () => {
    const replies = [{ text: "working", tool_calls: [{ name: "work" }] }];
    const plan = scriptedAgent(replies, { max_total_tokens: 10, loop_detect_block: 0 });
    const { steps, journal } = journalOf();
    const result = await runAgent(plan, { work: countingTool([]) }, { journal });
    expect(result).toMatchObject({ status: "budget_exhausted", exhausted: "tokens", trace: { llm_calls: 1 } });
    const again = await runAgent(resumed(plan, steps), { work: countingTool([]) });
    expect(again).toMatchObject({ status: "budget_exhausted", trace: { llm_calls: 1 } });
  });

  test("[W-6.8] more than max_nudges turns of text alone are stuck, each nudged before", async () => {
    const { steps, journal } = journalOf();
    const plan = scriptedAgent([{ text: "Thinking." }], { done_sentinel: "##DONE##", nudge: "Go on." });
    const result = await runAgent(plan, { work: countingTool([]) }, { journal });
    expect(result).toMatchObject({ status: "stuck", trace: { iterations: 4, interventions: 3 } });
    expect(steps[1]?.messages?.[0]).toEqual({ role: "user", content: "Go on.", purpose: "nudge" });
  });

  test("[W-1.3] the done sentinel ends the loop and is no part of the text", async () => {
    const plan = scriptedAgent([reply(1, "Thinking."), reply(2, "All good. ##DONE##")], { done_sentinel: "##DONE##" });
    const result = await runAgent(plan, { work: countingTool([]) });
    expect(result).toMatchObject({ status: "done", text: "Thinking.\nAll good.", visible_text: "All good." });
  });

  test("[W-1.4] a turn policy that forbids the sentinel does not end by it", async () => {
    const options = { done_sentinel: "##DONE##", turn_policy: { allow_done_sentinel: false }, max_nudges: 0 };
    const result = await runAgent(scriptedAgent([{ text: "##DONE##" }], options), { work: countingTool([]) });
    expect(result["status"]).toBe("stuck");
  });

  test("[W-1.4] require_action_or_yield nudges a turn that does neither", async () => {
    const options = { turn_policy: { require_action_or_yield: true }, max_nudges: 1 };
    const result = await runAgent(scriptedAgent([{ text: "Just talking." }], options), { work: countingTool([]) });
    expect(result).toMatchObject({ status: "stuck", trace: { iterations: 2 } });
  });

  test.each([
    [1, "stuck"],
    [0, "done"],
  ])("[W-1.3] exit_when_verified: a run that exited with %i makes the sentinel end as %s", async (code, status) => {
    const plan = scriptedAgent([reply(1, "", ["run"]), { text: "##DONE##" }], {
      tools: [{ name: "run" }],
      done_sentinel: "##DONE##",
      exit_when_verified: true,
      max_nudges: 1,
    });
    const result = await runAgent(plan, { run: countingTool([], () => ({ exit_code: code })) });
    expect(result["status"]).toBe(status);
  });

  test("[W-1.4] stop_after_successful_tools ends after the turn, require_successful_tools fails without success", async () => {
    const stop = scriptedAgent([{ tool_calls: [{ name: "work" }] }], { stop_after_successful_tools: ["work"] });
    expect(await runAgent(stop, { work: countingTool([]) })).toMatchObject({
      status: "done",
      trace: { iterations: 1 },
    });
    const needed = scriptedAgent([{ text: "I did it." }], { require_successful_tools: ["work"] });
    expect((await runAgent(needed, { work: countingTool([]) }))["status"]).toBe("failed");
  });

  test("[W-4.5] a setting of the wrong type is refused by its path", async () => {
    const result = await runAgent(scriptedAgent([], { max_iterations: "many" }), { work: countingTool([]) });
    expect(result["error"]).toMatch(/^Error \[schema_validation\]: agent_loop_options\.max_iterations: /);
  });
});

describe("tool calls", () => {
  test("[W-4.5] the same call in a row is warned about, then refused, then skipped", async () => {
    const made: string[] = [];
    const { steps, journal } = journalOf();
    const plan = scriptedAgent([{ text: "", tool_calls: [{ name: "work" }] }], { max_iterations: 4 });
    const result = await runAgent(plan, { work: countingTool(made) }, { journal });
    expect(made).toHaveLength(2);
    const answers = toolAnswers(steps);
    expect(answers[1]).toContain("call 2 in a row");
    expect(answers[2]).toContain("loop_detected");
    expect(answers[3]).toContain("skipped");
    expect(result["trace"]).toMatchObject({ tool_executions: 2, tool_rejections: 2 });
  });

  test("[W-10.7] what a tool throws is told to the model with its category, and tried again where that helps", async () => {
    const made: string[] = [];
    let failures = 0;
    const flaky = countingTool(made, () => {
      failures += 1;
      if (failures === 1) throw Object.assign(new Error("busy"), { category: "overloaded" });
      return "fine";
    });
    const script = [reply(1, "", ["work"]), reply(2, "ok")];
    const { steps, journal } = journalOf();
    await runAgent(scriptedAgent(script), { work: flaky }, { journal });
    expect(steps[1]?.tool_call).toMatchObject({ status: "error", error_category: "overloaded" });
    expect(toolAnswers(steps)[0]).toBe('{"error":"overloaded","message":"tool \\"work\\" failed: busy"}');
    failures = 0;
    const again = journalOf();
    await runAgent(scriptedAgent(script, { tool_retries: 1 }), { work: flaky }, { journal: again.journal });
    expect(again.steps[1]?.tool_call).toMatchObject({ status: "ok", result: "fine" });
    expect(new Set(made)).toEqual(new Set([call(1, 1)]));
  });

  test("[W-10.7] arguments that do not match the schema never reach the tool", async () => {
    const made: string[] = [];
    const tool = { ...countingTool(made), parameters: { type: "object", required: ["path"] } };
    const { steps, journal } = journalOf();
    await runAgent(scriptedAgent([reply(1, "", ["work", {}]), reply(2, "ok")]), { work: tool }, { journal });
    expect(made).toEqual([]);
    expect(steps[1]?.tool_call).toMatchObject({ status: "error", error_category: "schema_validation" });
    expect(toolAnswers(steps)[0]).toContain("path");
  });

  test("[W-14.5] a long result is shortened and marked", async () => {
    const { steps, journal } = journalOf();
    const plan = scriptedAgent([reply(1, "", ["work"]), reply(2, "ok")], { tool_output_max_chars: 300 });
    await runAgent(plan, { work: countingTool([], () => "x".repeat(5000)) }, { journal });
    expect(toolAnswers(steps)[0]?.length).toBeLessThan(400);
    expect(steps[1]?.messages?.[0]).toMatchObject({ truncated: true });
    expect(JSON.stringify(steps[1]?.tool_call?.result).length).toBeLessThan(400);
  });

  test("a tool nobody registered fails the stage before the model is asked", async () => {
    const { steps, journal } = journalOf();
    const result = await runAgent(scriptedAgent([reply(1, "hi")]), { other: countingTool([]) }, { journal });
    expect(result["error"]).toBe('Error [not_found]: no tool "work" is registered; registered: other');
    expect(steps).toEqual([]);
  });

  test("secrets are taken out before anything is recorded", async () => {
    const { steps, journal } = journalOf();
    const env = { GODWIT_SECRET_A: "very-secret" };
    const plan = scriptedAgent([reply(1, "", ["work"]), reply(2, "ok")]);
    await runAgent(plan, { work: countingTool([], () => ({ token: "very-secret" })) }, { journal, env });
    expect(JSON.stringify(steps)).not.toContain("very-secret");
    expect(toolAnswers(steps)[0]).toBe('{"token":"[redacted]"}');
  });
});

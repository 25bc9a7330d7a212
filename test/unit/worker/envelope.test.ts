import { describe, expect, it } from "vitest";
import { type LoopEnd, subAgentEnvelope } from "../../../src/engine/worker/envelope.ts";
import type { SubAgentSpec } from "../../../src/engine/worker/state.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { SUB_AGENT, transcriptOf } from "../../support/worker-fixture.ts";

const specOf = (changed: Partial<SubAgentSpec> = {}): SubAgentSpec => {
  if (SUB_AGENT.mode !== "sub_agent") throw new Error("the fixture is no sub-agent");
  return { ...SUB_AGENT.spec, ...changed };
};

const JSON_MODE = { options: { response_format: "json" } };

const endOf = (changed: Partial<LoopEnd> = {}): LoopEnd => ({
  result: { text: "raw", visible_text: "seen" },
  error: null,
  transcript: transcriptOf("do it", "said"),
  ...changed,
});

const envelope = (end: Partial<LoopEnd> = {}, spec: Partial<SubAgentSpec> = {}): JsonObject =>
  subAgentEnvelope(specOf(spec), endOf(end));

describe("what a sub-agent answers", () => {
  it("[L-15.3] has every part, whatever happened", () => {
    expect(envelope()).toEqual({
      ok: true,
      summary: "seen",
      artifacts: [],
      evidence_added: 0,
      tokens_used: 0,
      budget_exceeded: false,
      data: null,
      error: null,
      session_id: "sub_agent_session_1",
      transcript: transcriptOf("do it", "said"),
    });
  });

  it("[L-15.3] is summed up by what is visible, was said last, or was summed up before", () => {
    const silent = transcriptOf("do it");
    expect(envelope({ result: { text: "raw", visible_text: "" } })["summary"]).toBe("raw");
    expect(envelope({ result: {} })["summary"]).toBe("said");
    expect(envelope({ result: null })["summary"]).toBe("said");
    expect(envelope({ result: {}, transcript: transcriptOf("a", "one", "b", "") })["summary"]).toBe("one");
    expect(envelope({ result: {}, transcript: { ...silent, summary: "so far" } })["summary"]).toBe("so far");
    expect(envelope({ result: {}, transcript: silent })["summary"]).toBe("");
    expect(envelope({ result: {}, transcript: null })["summary"]).toBe("");
  });

  it("[L-15.3] counts the evidence that the conversation has", () => {
    const assets = [{ id: "a" }, { id: "b" }];
    const transcript = { ...transcriptOf("do it", "said"), assets };
    expect(envelope({ transcript })).toMatchObject({ artifacts: assets, evidence_added: 2 });
    expect(envelope({ transcript, error: "no" })).toMatchObject({ artifacts: [], evidence_added: 0 });
    expect(envelope({ transcript: { ...transcript, assets: "none" } })).toMatchObject({ evidence_added: 0 });
  });

  it.each([
    [undefined, false],
    [31, false],
    [30, true],
    [0, true],
    [-1, false],
    ["30", false],
  ])("[L-15.3] says whether the tokens reach a budget of %s", (token_budget, budget_exceeded) => {
    const result = { text: "x", usage: { input_tokens: 10, output_tokens: 20 } };
    const options = token_budget === undefined ? {} : { token_budget };
    expect(envelope({ result }, { options })).toMatchObject({ tokens_used: 30, budget_exceeded });
  });

  it("[L-15.3] takes what is no count of tokens for none", () => {
    const result = { text: "x", usage: { input_tokens: "10", output_tokens: 5 } };
    expect(envelope({ result })["tokens_used"]).toBe(5);
  });
});

describe("the data of a sub-agent", () => {
  it.each([
    ["a schema", { returns_schema: { type: "object" } }],
    ["a response format", JSON_MODE],
    ["an output format", { options: { output_format: "json_schema" } }],
    ["a JSON schema", { options: { json_schema: {} } }],
    ["an output schema", { options: { output_schema: {} } }],
  ])("[L-15.3] is looked for with %s", (_with, spec) => {
    expect(envelope({ result: { text: '{"n":1}' } }, spec)).toMatchObject({ data: { n: 1 }, summary: '{"n":1}' });
  });

  it("[L-15.3] is not looked for where nobody asked", () => {
    expect(envelope({ result: { text: '{"n":1}' } })).toMatchObject({ data: null, summary: '{"n":1}' });
    expect(envelope({ result: { text: "[1]" } }, { options: { response_format: "text" } })["data"]).toBe(null);
  });

  it.each([
    ["a fenced block", 'Here:\n```json\n{"n":1}\n```\nThat is all.', '{"n":1}'],
    ["a block without a name", '```\n{"n":1}\n```', '{"n":1}'],
    ["braces in a sentence", 'The answer is {"n":1}, I think.', '{"n":1}'],
    ["a text that is one", ' {"n":1}\n', '{"n":1}'],
  ])("[L-15.3] stands in %s", (_where, text, summary) => {
    expect(envelope({ result: { text } }, JSON_MODE)).toMatchObject({ data: { n: 1 }, summary });
  });

  it("[L-15.3] stands in what was said or summed up where the visible text has none", () => {
    const transcript = transcriptOf("do it", '{"n":2}');
    expect(envelope({ result: { text: "done" }, transcript }, JSON_MODE)).toMatchObject({
      data: { n: 2 },
      summary: '{"n":2}',
    });
    const told = { ...transcriptOf("do it"), summary: "[3]" };
    expect(envelope({ result: {}, transcript: told }, JSON_MODE)).toMatchObject({ data: [3], summary: "[3]" });
  });

  it("[L-15.3] is nothing where there is no JSON, and the text is the summary", () => {
    expect(envelope({ result: { text: "no {braces" } }, JSON_MODE)).toMatchObject({
      data: null,
      summary: "no {braces",
    });
  });

  it("[L-15.3] is what the stage has checked", () => {
    const result = { text: '{"n":1}', data: { n: 2 } };
    expect(envelope({ result }, { returns_schema: {} })["data"]).toEqual({ n: 2 });
  });
});

const refused = (content: string, role = "tool_result"): JsonObject => {
  const { messages, ...rest } = transcriptOf("do it", "said");
  return { ...rest, messages: [...messages, { role, content }] };
};

describe("a failure of a sub-agent", () => {
  it("[L-15.3] has the category of its error, and no summary", () => {
    const end = { error: "Error [rate_limit]: slow down", result: null, transcript: transcriptOf("do it", '{"n":1}') };
    expect(envelope(end, JSON_MODE)).toMatchObject({
      ok: false,
      summary: "",
      data: null,
      error: { category: "rate_limit", message: "slow down" },
      transcript: end.transcript,
    });
  });

  it("[L-15.3] is a runtime error where nothing else is known", () => {
    expect(envelope({ error: "boom" })["error"]).toEqual({ category: "runtime", message: "boom" });
    expect(envelope({ error: "Error [X]: boom" })["error"]).toEqual({
      category: "runtime",
      message: "Error [X]: boom",
    });
  });

  it("[L-15.3] is the last tool call, where a policy refused it", () => {
    const transcript = refused('Refused: {"error":"permission_denied","tool":"edit","reason":"not here"}');
    expect(envelope({ transcript })).toMatchObject({
      ok: false,
      summary: "seen",
      error: { category: "permission_denied", message: "not here", tool: "edit" },
    });
    expect(envelope({ transcript: refused('{"error":"permission_denied"}', "tool") })["error"]).toEqual({
      category: "permission_denied",
      message: "permission denied",
      tool: null,
    });
  });

  it("[L-15.3] is not a call that went well, nor one that went wrong otherwise", () => {
    for (const text of ["fine", '{"error":"timeout"}', '["permission_denied"]'])
      expect(envelope({ transcript: refused(text) })).toMatchObject({ ok: true, error: null });
  });
});

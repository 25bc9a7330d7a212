import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import type { StagePlan } from "../../../../src/schema/plan.ts";
import { sendJson, startServer } from "../local-server.ts";
import { NOW, planOf } from "../plans.ts";
import { countingTool, journalOf, resumed, runAgent } from "./agent-plans.ts";

interface Delta {
  readonly content?: string;
  readonly tool_calls?: readonly unknown[];
}

/** Answers as an endpoint that streams chat completions. */
const sendStream = (response: ServerResponse, deltas: readonly Delta[], finish = "stop"): void => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const chunk = (delta: Delta, reason: string | null, usage?: unknown) => {
    const choices = [{ index: 0, delta, finish_reason: reason }];
    const base = { id: "c", object: "chat.completion.chunk", created: 1, model: "local-model", choices };
    response.write(`data: ${JSON.stringify({ ...base, ...(usage === undefined ? {} : { usage }) })}\n\n`);
  };
  for (const delta of deltas) chunk(delta, null);
  chunk({}, finish, { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 });
  response.end("data: [DONE]\n\n");
};

const toolCall = (id: string, name: string, args: string) => ({
  tool_calls: [{ index: 0, id, type: "function", function: { name, arguments: args } }],
});

const modelServer = (answers: readonly ((response: ServerResponse) => void)[]) => {
  let calls = 0;
  return startServer((_request, response) => {
    calls += 1;
    (answers[calls - 1] ?? ((r) => sendStream(r, [{ content: "Nothing left." }])))(response);
  });
};

const agentPlan = (fields: Partial<StagePlan> = {}): StagePlan =>
  planOf({
    mode: "agent",
    prompt: "What is the weather?",
    system: "Be brief.",
    agent_loop_options: { tools: [{ name: "weather" }], llm_backoff_ms: 1 },
    ...fields,
  });

const envOf = (origin: string) => ({ GODWIT_MODEL_URL: `${origin}/v1`, GODWIT_MODEL: "local-model" });
const weather = (made: string[] = []) => ({
  weather: {
    ...countingTool(made, () => ({ degrees: 21 })),
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
});
const callsWeather = (r: ServerResponse): void =>
  sendStream(r, [{ content: "Let me look." }, toolCall("call_a", "weather", '{"city":"Bern"}')], "tool_calls");
const answers = (r: ServerResponse): void => sendStream(r, [{ content: "21 " }, { content: "degrees." }]);

const busy = (r: ServerResponse): void => sendJson(r, 503, { error: { message: "busy" } });
const asksAgain = (city: string) => (r: ServerResponse) =>
  sendStream(r, [toolCall("call_0", "weather", JSON.stringify({ city }))], "tool_calls");
const messagesOf = (body: string) => (JSON.parse(body) as { messages: unknown }).messages;
const whole = (text: string) => (r: ServerResponse) =>
  sendJson(r, 200, {
    id: "c",
    object: "chat.completion",
    created: 1,
    model: "local-model",
    choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
    usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 },
  });

describe("a model over the network", () => {
  test("[W-4.5] is told about tools, results and earlier turns, and its text is streamed", async () => {
    const server = await modelServer([callsWeather, answers]);
    const { steps, deltas, journal } = journalOf();
    let now = NOW;
    const config = { journal, env: envOf(server.origin), now: () => (now += 200) };
    const result = await runAgent(agentPlan(), weather(), config);
    expect(result).toMatchObject({
      status: "done",
      text: "Let me look.\n21 degrees.",
      visible_text: "21 degrees.",
      provider: "openai-compatible",
      model: "local-model",
      usage: { input_tokens: 20, output_tokens: 10, call_count: 2 },
    });
    expect(deltas.map(({ text }) => text)).toEqual(["Let me look.", "21 ", "degrees."]);
    expect(steps[0]?.messages?.[1]).toEqual({
      role: "assistant",
      content: [
        { type: "text", text: "Let me look." },
        { type: "tool_call", id: "call_a", name: "weather", arguments: { city: "Bern" } },
      ],
    });
    const [first, second] = server.requests.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    expect(first).toMatchObject({
      stream: true,
      tools: [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }],
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "What is the weather?" },
      ],
    });
    expect(second?.["messages"]).toMatchObject([
      { role: "system" },
      { role: "user" },
      { role: "assistant", content: "Let me look.", tool_calls: [{ id: "call_a", function: { name: "weather" } }] },
      { role: "tool", tool_call_id: "call_a", content: '{"degrees":21}' },
    ]);
  });

  test("live text comes in at most ten pieces a second", async () => {
    const pieces = Array.from({ length: 50 }, (_, index) => ({ content: `${index} ` }));
    const server = await modelServer([(r) => sendStream(r, pieces)]);
    const { deltas, journal } = journalOf();
    let now = NOW;
    await runAgent(agentPlan(), weather(), { journal, env: envOf(server.origin), now: () => (now += 10) });
    expect(deltas.length).toBeLessThan(12);
    expect(deltas.map(({ text }) => text).join("")).toBe(pieces.map(({ content }) => content).join(""));
  });

  test("[W-4.5] a failure that may pass is tried again inside the loop, another one ends it with what was spent", async () => {
    const server = await modelServer([busy, callsWeather, (r) => sendJson(r, 401, { error: { message: "no" } })]);
    const result = await runAgent(agentPlan(), weather(), { env: envOf(server.origin), journal: journalOf().journal });
    expect(server.requests).toHaveLength(3);
    expect(result).toMatchObject({ error_category: "auth", usage: { call_count: 1, input_tokens: 10 } });
  });

  test("[W-10.7] arguments that are no JSON are told to the model as an error", async () => {
    const server = await modelServer([(r) => sendStream(r, [toolCall("call_a", "weather", "{city")], "tool_calls")]);
    const made: string[] = [];
    const { steps, journal } = journalOf();
    const result = await runAgent(agentPlan(), weather(made), { env: envOf(server.origin), journal });
    expect(result["status"]).toBe("done");
    expect(made).toEqual([]);
    expect(steps[1]?.tool_call).toMatchObject({
      status: "error",
      error_category: "schema_validation",
      arguments: { invalid: "{city" },
    });
  });

  test("a provider that counts its calls anew in every turn does not make two calls one", async () => {
    const server = await modelServer([asksAgain("Bern"), asksAgain("Basel"), answers]);
    const made: string[] = [];
    const { journal } = journalOf();
    await runAgent(agentPlan(), weather(made), { env: envOf(server.origin), journal });
    expect(new Set(made).size).toBe(2);
  });

  test("[W-4.5] a resumed loop sends the model what was recorded", async () => {
    const server = await modelServer([callsWeather, answers]);
    const first = journalOf(2);
    await runAgent(agentPlan(), weather(), { journal: first.journal, env: envOf(server.origin) });
    const again = await modelServer([answers]);
    const made: string[] = [];
    const config = { env: envOf(again.origin), journal: journalOf().journal };
    const result = await runAgent(resumed(agentPlan(), first.steps), weather(made), config);
    expect(result).toMatchObject({ status: "done", text: "Let me look.\n21 degrees." });
    expect(made).toEqual([]);
    expect(messagesOf(again.requests[0]?.body ?? "")).toEqual(messagesOf(server.requests[1]?.body ?? ""));
  });

  test("[W-6.8] a limit on money needs a price, and ends the loop before the next call", async () => {
    const options = { tools: [{ name: "weather" }], max_cost_usd: 0.00001 };
    const server = await modelServer([callsWeather]);
    const env = envOf(server.origin);
    const unpriced = await runAgent(agentPlan({ agent_loop_options: options }), weather(), { env });
    expect(unpriced["error"]).toContain("max_cost_usd needs the price of openai-compatible/local-model");
    const prices = JSON.stringify({ "local-model": { input: 1, output: 2 } });
    const { journal } = journalOf();
    const priced = { env: { ...env, GODWIT_MODEL_PRICES: prices }, journal };
    const result = await runAgent(agentPlan({ agent_loop_options: options }), weather(), priced);
    expect(result).toMatchObject({ status: "budget_exhausted", exhausted: "cost", usage: { total_cost: 0.00002 } });
  });
});

describe("structured output", () => {
  const schema = {
    type: "object",
    properties: { n: { type: "integer" } },
    required: ["n"],
    additionalProperties: false,
  };
  const llm = (fields: Partial<StagePlan> = {}) => planOf({ prompt: "Count.", output_schema: schema, ...fields });

  test("[W-0.3] an answer that does not match is repaired, and data holds the value", async () => {
    const server = await modelServer([whole("one"), whole('{"n":"1"}'), whole('```json\n{"n": 1}\n```')]);
    const result = await runAgent(llm(), {}, { env: envOf(server.origin) });
    expect(result).toMatchObject({ status: "done", data: { n: 1 }, usage: { call_count: 3, input_tokens: 21 } });
    const last = JSON.parse(server.requests[2]?.body ?? "") as { messages: { role: string; content: string }[] };
    expect(last.messages.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user", "assistant", "user"]);
    expect(last.messages.at(-1)?.content).toContain("#/n:");
    expect(last).toMatchObject({ response_format: { type: "json_object" } });
  });

  test("[W-0.3] after the last repair the stage fails with schema_validation and what was spent", async () => {
    const server = await modelServer([whole("one"), whole("two")]);
    const plan = llm({ llm_options: { schema_retries: 1 } });
    const result = await runAgent(plan, {}, { env: envOf(server.origin) });
    expect(result).toMatchObject({ error_category: "schema_validation", usage: { call_count: 2 } });
    expect(server.requests).toHaveLength(2);
  });

  test("[W-0.3] an agent's answer is held to the schema too, and a resumed loop counts the repairs", async () => {
    const server = await modelServer([callsWeather, (r) => sendStream(r, [{ content: "warm" }])]);
    const plan = agentPlan({ output_schema: schema, llm_options: { schema_retries: 1 } });
    const first = journalOf(3);
    await runAgent(plan, weather(), { env: envOf(server.origin), journal: first.journal });
    expect(first.steps).toHaveLength(3);
    const again = await modelServer([(r) => sendStream(r, [{ content: '{"n":21}' }])]);
    const second = journalOf();
    const result = await runAgent(resumed(plan, first.steps), weather(), {
      env: envOf(again.origin),
      journal: second.journal,
    });
    expect(result).toMatchObject({ status: "done", data: { n: 21 } });
    expect(second.steps[0]?.messages?.[0]).toMatchObject({ role: "user", purpose: "repair" });
    const wrong = await modelServer([(r) => sendStream(r, [{ content: "cold" }])]);
    const failed = await runAgent(resumed(plan, first.steps), weather(), {
      env: envOf(wrong.origin),
      journal: journalOf().journal,
    });
    expect(failed).toMatchObject({ error_category: "schema_validation" });
  });

  test("an llm stage streams when somebody listens", async () => {
    const server = await modelServer([answers]);
    const { deltas, steps, journal } = journalOf();
    const result = await runAgent(planOf({ prompt: "Hi." }), {}, { env: envOf(server.origin), journal });
    expect(result).toMatchObject({ text: "21 degrees.", finish_reason: "stop" });
    expect(deltas.map(({ text }) => text).join("")).toBe("21 degrees.");
    expect(steps).toEqual([]);
  });
});

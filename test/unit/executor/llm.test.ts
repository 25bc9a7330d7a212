import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import type { ModelEnv } from "../../../src/ports/model-env.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { sendJson, startServer } from "./local-server.ts";
import { NOW, planOf, rerouted, run } from "./plans.ts";

const KEY = "sk-test-0123456789abcdef";

const openaiAnswer = (text: string, extra: readonly unknown[] = []) => ({
  id: "resp_1",
  object: "response",
  created_at: 1_767_000_000,
  status: "completed",
  error: null,
  incomplete_details: null,
  model: "gpt-test",
  output: [
    ...extra,
    {
      type: "message",
      id: "msg_1",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text, annotations: [] }],
    },
  ],
  usage: {
    input_tokens: 100,
    input_tokens_details: { cached_tokens: 40 },
    output_tokens: 20,
    output_tokens_details: { reasoning_tokens: 5 },
    total_tokens: 120,
  },
});

const anthropicAnswer = (text: string) => ({
  type: "message",
  id: "msg_1",
  role: "assistant",
  model: "claude-test",
  content: [
    { type: "thinking", thinking: "a private thought", signature: "sig" },
    { type: "text", text },
  ],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 12, output_tokens: 3 },
});

const chatAnswer = (text: string) => ({
  id: "chat_1",
  object: "chat.completion",
  created: 1_767_000_000,
  model: "local-model",
  choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
  usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 },
});

const serverWith = (answer: (response: ServerResponse) => void) =>
  startServer((_request, response) => answer(response));

const four = (response: ServerResponse): void => sendJson(response, 200, openaiAnswer("four"));
const disconnected = async () => Promise.reject(new Error("Network connection lost."));

const llmPlan = (fields: Partial<StagePlan> = {}): StagePlan =>
  planOf({ prompt: "What is two plus two?", system: "Be brief.", ...fields });

const viaOpenAI = async (
  answer: (response: ServerResponse) => void,
  fields: Partial<StagePlan> = {},
  env: ModelEnv = {},
) => {
  const server = await serverWith(answer);
  const fetcher = rerouted(server.origin, ["api.openai.com"]);
  const result = await run(llmPlan(fields), { env: { OPENAI_API_KEY: KEY, ...env }, fetcher });
  return { result, requests: server.requests };
};

describe("providers", () => {
  test("[W-6.8] openai answers with status done, text and usage", async () => {
    const { result, requests } = await viaOpenAI(four, {
      llm_options: { model: "gpt-test", temperature: 0.2, max_tokens: 64, tool_format: "text" },
    });
    expect(result).toEqual({
      status: "done",
      text: "four",
      visible_text: "four",
      provider: "openai",
      model: "gpt-test",
      finish_reason: "stop",
      usage: {
        input_tokens: 100,
        output_tokens: 20,
        total_duration_ms: 0,
        call_count: 1,
        total_cost: 0,
        models: ["gpt-test"],
      },
    });
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ method: "POST", path: "/v1/responses" });
    expect(requests[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
    expect(JSON.parse(requests[0]?.body ?? "")).toMatchObject({
      model: "gpt-test",
      temperature: 0.2,
      max_output_tokens: 64,
      store: false,
      input: [
        { role: "system", content: "Be brief." },
        { role: "user", content: [{ type: "input_text", text: "What is two plus two?" }] },
      ],
    });
  });

  test("[W-1.16] the cost follows the configured prices, cached tokens at their own", async () => {
    const prices = JSON.stringify({ "openai/gpt-test": { input: 2, output: 10, cached_input: 0.5 } });
    const { result } = await viaOpenAI(four, { llm_options: { model: "gpt-test" } }, { GODWIT_MODEL_PRICES: prices });
    expect(result["usage"]).toMatchObject({ total_cost: 0.00034 });
  });

  test("[W-1.16] a price list that is not valid stops before the model is called", async () => {
    const { result, requests } = await viaOpenAI(four, {}, { GODWIT_MODEL_PRICES: "{" });
    expect(result["error"]).toMatch(/^Error \[generic\]: GODWIT_MODEL_PRICES is not valid/);
    expect(requests).toHaveLength(0);
  });

  test("[W-8.5] anthropic answers with its thinking as private reasoning", async () => {
    const server = await serverWith((r) => sendJson(r, 200, anthropicAnswer("four")));
    const result = await run(llmPlan({ llm_options: { model: "claude-haiku-5-5" } }), {
      env: { ANTHROPIC_API_KEY: KEY },
      fetcher: rerouted(server.origin, ["api.anthropic.com"]),
    });
    expect(result).toMatchObject({
      status: "done",
      text: "four",
      provider: "anthropic",
      model: "claude-haiku-5-5",
      private_reasoning: "a private thought",
      usage: { input_tokens: 12, output_tokens: 3, call_count: 1 },
    });
    expect(server.requests[0]?.path).toBe("/v1/messages");
    expect(server.requests[0]?.headers["x-api-key"]).toBe(KEY);
    expect(JSON.parse(server.requests[0]?.body ?? "")).toMatchObject({
      system: [{ type: "text", text: "Be brief." }],
      messages: [{ role: "user", content: [{ type: "text", text: "What is two plus two?" }] }],
    });
  });

  test("[W-1.4] an OpenAI-compatible endpoint is called at its own address, private or not", async () => {
    const server = await serverWith((r) => sendJson(r, 200, chatAnswer("four")));
    const env = { GODWIT_MODEL_URL: `${server.origin}/v1`, GODWIT_MODEL_API_KEY: KEY, GODWIT_MODEL: "local-model" };
    const result = await run(llmPlan(), { env });
    expect(result).toMatchObject({
      text: "four",
      provider: "openai-compatible",
      model: "local-model",
      usage: { input_tokens: 7, output_tokens: 2 },
    });
    expect(server.requests[0]?.path).toBe("/v1/chat/completions");
    expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
  });

  test("[W-1.4] Workers AI is called through the binding", async () => {
    const calls: unknown[] = [];
    const AI = {
      run: async (model: string, inputs: { messages: unknown }) => {
        calls.push([model, inputs.messages]);
        return { response: "four", usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 } };
      },
    } as unknown as Ai;
    const result = await run(llmPlan({ llm_options: { provider: "workers-ai", model: "@cf/test/model" } }), {
      env: { AI },
    });
    expect(result).toMatchObject({
      text: "four",
      provider: "workers-ai",
      usage: { input_tokens: 5, output_tokens: 1 },
    });
    expect(calls).toEqual([
      [
        "@cf/test/model",
        [
          { role: "system", content: "Be brief." },
          { role: "user", content: "What is two plus two?" },
        ],
      ],
    ]);
  });

  test("[W-1.4] reasoning effort is passed on", async () => {
    const { requests } = await viaOpenAI(four, {
      llm_options: { model: "gpt-6-astra", reasoning_effort: "low" },
    });
    expect(JSON.parse(requests[0]?.body ?? "")).toMatchObject({ reasoning: { effort: "low" } });
  });

  test("[W-1.4] a setting the model does not support is reported in the result", async () => {
    const { result } = await viaOpenAI(four, {
      llm_options: { model: "gpt-6-astra", top_k: 3 },
    });
    expect(result["warnings"]).toMatchObject([{ type: "unsupported", feature: "topK" }]);
  });
});

describe("failures", () => {
  test.each([
    [400, "generic", false],
    [401, "auth", false],
    [403, "auth", false],
    [404, "not_found", false],
    [408, "timeout", true],
    [429, "rate_limit", true],
    [500, "server_error", true],
    [502, "server_error", true],
    [503, "overloaded", true],
    [529, "overloaded", true],
  ])(
    "[W-0.3] status %i of a provider is %s, retryable: %s, and is not retried here",
    async (status, category, retry) => {
      const { result, requests } = await viaOpenAI((r) =>
        sendJson(r, status, { error: { message: "the provider's reason", type: "x", code: "y" } }),
      );
      expect(result).toMatchObject({
        __workflow_stage_error: true,
        status: "failed",
        text: "",
        visible_text: "",
        error: `Error [${category}]: the provider's reason`,
        error_category: category,
        retryable: retry,
        status_code: status,
      });
      expect(requests).toHaveLength(1);
    },
  );

  test("[W-0.3] anthropic's overload is recognised by its status", async () => {
    const server = await serverWith((r) =>
      sendJson(r, 529, { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }),
    );
    const fetcher = rerouted(server.origin, ["api.anthropic.com"]);
    const result = await run(llmPlan(), { env: { ANTHROPIC_API_KEY: KEY }, fetcher });
    expect(result).toMatchObject({ error: "Error [overloaded]: Overloaded", retryable: true });
  });

  test.each([
    ["retry-after", "7", 7000],
    ["retry-after", new Date(NOW + 90_000).toUTCString(), 90_000],
    ["retry-after-ms", "250", 250],
  ])("[W-0.3] a rate limit keeps what %s: %s asks for", async (name, value, wait) => {
    const { result } = await viaOpenAI((r) =>
      sendJson(r, 429, { error: { message: "slow down", type: "x", code: "y" } }, { [name]: value }),
    );
    expect(result).toMatchObject({ error_category: "rate_limit", retry_after_ms: wait });
  });

  test.each([
    ["is not JSON", "<html>"],
    ["has another shape", `{"output": 5}`],
  ])("[W-0.3] an answer that %s is schema_validation", async (_name, body) => {
    const { result } = await viaOpenAI((r) => void r.writeHead(200, { "content-type": "application/json" }).end(body));
    expect(result["error_category"]).toBe("schema_validation");
  });

  test("[W-0.3] a refused connection is transient_network", async () => {
    const fetcher = rerouted("http://127.0.0.1:1", ["api.openai.com"]);
    const result = await run(llmPlan(), { env: { OPENAI_API_KEY: KEY }, fetcher });
    expect(result).toMatchObject({ error_category: "transient_network", retryable: true });
  });

  test("[W-0.3] a connection that breaks before or within the answer is transient_network", async () => {
    const before = await viaOpenAI((r) => r.destroy());
    expect(before.result["error_category"]).toBe("transient_network");
    const within = await viaOpenAI((r) => {
      r.writeHead(200, { "content-type": "application/json", "content-length": "5000" });
      r.write(`{"id":`, () => r.destroy());
    });
    expect(within.result["error_category"]).toBe("transient_network");
  });

  test("[W-0.3] a fetch that fails without a code is transient_network as well", async () => {
    const result = await run(llmPlan(), { env: { OPENAI_API_KEY: KEY }, fetcher: disconnected });
    expect(result["error"]).toBe("Error [transient_network]: no answer from api.openai.com: Network connection lost.");
  });

  test("[W-0.3] a provider that never answers is a timeout after timeout_ms", async () => {
    const { result } = await viaOpenAI(() => {}, { timeout_ms: 50 });
    expect(result).toMatchObject({
      error: "Error [timeout]: the stage did not finish within 50 ms",
      error_category: "timeout",
      retryable: true,
    });
  });

  test("[W-0.3] a binding that does not listen to the signal is timed out too", async () => {
    const AI = { run: () => new Promise(() => {}) } as unknown as Ai;
    const result = await run(llmPlan({ timeout_ms: 50 }), { env: { AI } });
    expect(result["error_category"]).toBe("timeout");
  });

  test("[W-0.3] the driver's own abort is cancelled, not timeout", async () => {
    const controller = new AbortController();
    const server = await startServer(() => controller.abort());
    const config = { env: { OPENAI_API_KEY: KEY }, fetcher: rerouted(server.origin, ["api.openai.com"]) };
    const result = await run(llmPlan(), config, controller.signal);
    expect(result).toMatchObject({ error_category: "cancelled", retryable: false });
  });

  test("a key never enters a result, however the provider echoes it", async () => {
    const failed = await viaOpenAI((r) =>
      sendJson(r, 401, { error: { message: `Incorrect API key provided: ${KEY}`, type: "x", code: "y" } }),
    );
    expect(failed.result["error"]).toBe("Error [auth]: Incorrect API key provided: [redacted]");
    const echoed = await viaOpenAI((r) => sendJson(r, 200, openaiAnswer(`your key is ${KEY}, or ${btoa(KEY)}`)));
    expect(echoed.result["text"]).toBe("your key is [redacted], or [redacted]");
    expect(JSON.stringify([failed.result, echoed.result])).not.toContain(KEY);
  });
});

describe("choice of provider", () => {
  test("without any configuration the error says what to configure", async () => {
    const result = await run(llmPlan());
    expect(result["error"]).toBe(
      "Error [auth]: no model provider is configured: set OPENAI_API_KEY, ANTHROPIC_API_KEY or GODWIT_MODEL_URL, " +
        'bind Workers AI as AI, or name the provider "scripted", which needs no key',
    );
  });

  test.each([
    ["openai", "OPENAI_API_KEY"],
    ["anthropic", "ANTHROPIC_API_KEY"],
    ["openai-compatible", "GODWIT_MODEL_URL"],
    ["workers-ai", "binding AI"],
  ])("a named provider %s without its configuration asks for %s", async (provider, needed) => {
    const result = await run(llmPlan({ llm_options: { provider } }));
    expect(result["error_category"]).toBe("auth");
    expect(result["error"]).toContain(needed);
  });

  test("an unknown provider is refused with the known ones", async () => {
    const named = await run(llmPlan({ llm_options: { provider: "hal" } }));
    expect(named["error"]).toBe(
      `Error [generic]: the node's model policy names the unknown provider "hal"; ` +
        "use one of openai, anthropic, workers-ai, openai-compatible, scripted",
    );
    const configured = await run(llmPlan(), { env: { GODWIT_DEFAULT_PROVIDER: "constructor" } });
    expect(configured["error"]).toContain('GODWIT_DEFAULT_PROVIDER names the unknown provider "constructor"');
  });

  test("the default provider wins over configured keys, an explicit null is no name", async () => {
    const env = { OPENAI_API_KEY: KEY, GODWIT_DEFAULT_PROVIDER: "scripted" };
    const result = await run(llmPlan({ llm_options: { provider: null } }), { env });
    expect(result["provider"]).toBe("scripted");
  });

  test("GODWIT_MODEL replaces the default model and loses to the node's", async () => {
    const configured = await viaOpenAI(four, {}, { GODWIT_MODEL: "gpt-configured" });
    expect(configured.result["model"]).toBe("gpt-configured");
    const named = await viaOpenAI(four, { llm_options: { model: "gpt-named" } }, { GODWIT_MODEL: "gpt-configured" });
    expect(named.result["model"]).toBe("gpt-named");
  });

  test("an OpenAI-compatible endpoint needs a model", async () => {
    const result = await run(llmPlan(), { env: { GODWIT_MODEL_URL: "http://127.0.0.1:1/v1" } });
    expect(result["error"]).toMatch(/^Error \[generic\]: .*set GODWIT_MODEL or model_policy.model$/);
  });

  test("a setting of the wrong type is refused by its path", async () => {
    const result = await run(llmPlan({ llm_options: { provider: "scripted", temperature: "hot" } }));
    expect(result["error"]).toMatch(/^Error \[schema_validation\]: llm_options\.temperature: /);
  });

  test("a plan without a prompt is refused", async () => {
    const result = await run(planOf({ llm_options: { provider: "scripted" } }));
    expect(result["error"]).toBe("Error [schema_validation]: the plan has no prompt");
  });
});

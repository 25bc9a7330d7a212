import { describe, expect, test } from "vitest";
import { categoryOfStatus, retryAfterMs } from "../../../src/llm/http-status.ts";
import { readModelOptions } from "../../../src/llm/options.ts";
import { costOf, readPrices } from "../../../src/llm/prices.ts";

describe("options", () => {
  test("[W-1.4] every setting has its place, others are ignored", () => {
    const options = {
      provider: "openai",
      model: "m",
      model_tier: "small",
      tool_format: "text",
      temperature: 0,
      max_tokens: 10,
      top_p: 0.5,
      top_k: 3,
      seed: 7,
      stop: "END",
      reasoning_effort: "high",
      thinking: false,
    };
    expect(readModelOptions(options)).toEqual({
      ok: true,
      value: {
        provider: "openai",
        model: "m",
        settings: {
          temperature: 0,
          maxOutputTokens: 10,
          topP: 0.5,
          topK: 3,
          seed: 7,
          stopSequences: ["END"],
          reasoning: "high",
        },
      },
    });
  });

  test("[W-0.1] null and the empty text are not set", () => {
    const options = { provider: null, model: "", temperature: null, max_tokens: null, thinking: null };
    expect(readModelOptions(options)).toEqual({ ok: true, value: { settings: {} } });
    expect(readModelOptions(undefined)).toEqual({ ok: true, value: { settings: {} } });
  });

  test.each([
    [true, "medium"],
    [false, "none"],
    ["low", "low"],
    [{ enabled: false }, "none"],
    [{ budget_tokens: 1000 }, "medium"],
  ])("[W-1.4] thinking %j is the reasoning level %s", (thinking, reasoning) => {
    expect(readModelOptions({ thinking })).toEqual({ ok: true, value: { settings: { reasoning } } });
  });

  test.each([{ max_tokens: 0 }, { max_tokens: 1.5 }, { temperature: "1" }, { reasoning_effort: "huge" }, { model: 5 }])(
    "[W-1.4] %j is refused by its path",
    (options) => {
      const read = readModelOptions(options);
      expect(read).toMatchObject({ ok: false, error: { category: "schema_validation" } });
      expect(read.ok ? "" : read.error.message).toContain(`llm_options.${Object.keys(options)[0]}: `);
    },
  );
});

describe("prices", () => {
  const prices = { m: { input: 1, output: 2 }, "p/m": { input: 3, output: 4, cached_input: 1 } };
  const tokens = { input: 1_000_000, output: 500_000, cached_input: 200_000 };

  test("[W-1.16] the price of provider and model wins over the model's", () => {
    expect(costOf(prices, "p", "m", tokens)).toBe(2.4 + 0.2 + 2);
    expect(costOf(prices, "q", "m", tokens)).toBe(2);
  });

  test.each(["unknown", "constructor"])("[W-1.16] without a price of %s the cost is 0", (model) => {
    expect(costOf(prices, "p", model, tokens)).toBe(0);
  });

  test("[W-1.16] binary fractions stay out of the record", () => {
    const cheap = { m: { input: 0.1, output: 0.2 } };
    expect(costOf(cheap, "p", "m", { input: 1_000_000, output: 1_000_000, cached_input: 0 })).toBe(0.3);
  });

  test.each([undefined, "", "  "])("no list %j knows no price", (text) => {
    expect(readPrices(text)).toEqual({ ok: true, value: {} });
  });

  test.each(["{", "[]", `{"m": 1}`, `{"m": {"input": -1, "output": 1}}`])("the list %s is refused", (text) => {
    expect(readPrices(text)).toMatchObject({ ok: false, error: { category: "generic" } });
  });
});

describe("statuses", () => {
  test.each([
    [400, "generic"],
    [418, "generic"],
    [429, "rate_limit"],
    [500, "server_error"],
    [504, "server_error"],
    [529, "overloaded"],
    [599, "server_error"],
  ])("[W-0.3] %i is %s", (status, category) => {
    expect(categoryOfStatus(status)).toBe(category);
  });

  test.each([
    ["0", 0],
    [" 12 ", 12_000],
    ["0.5", 500],
    ["Thu, 01 Jan 1970 00:00:20 GMT", 10_000],
    ["Thu, 01 Jan 1970 00:00:05 GMT", 0],
    ["", undefined],
    ["-1", undefined],
    ["2000-01-01", undefined],
    [null, undefined],
    [undefined, undefined],
    ["never", undefined],
  ])("Retry-After %j at 10 s asks for %j ms", (header, wait) => {
    expect(retryAfterMs(header, 10_000)).toBe(wait);
  });
});

import * as z from "zod";
import { err, ok, type Result } from "../lib/result.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import { parseJson } from "../lib/json-text.ts";

const dollars = z.number().nonnegative();
const schema = z.record(z.string(), z.object({ input: dollars, output: dollars, cached_input: dollars.optional() }));

/** US dollars per million tokens, by `<provider>/<model>` or `<model>`. */
export type Prices = Readonly<
  Record<string, { readonly input: number; readonly output: number; readonly cached_input?: number | undefined }>
>;

/** The tokens of one call; cached ones are part of the input. */
interface TokenCounts {
  readonly input: number;
  readonly output: number;
  readonly cached_input: number;
}

/** Reads `GODWIT_MODEL_PRICES`; unset means that no price is known. */
export const readPrices = (text: string | undefined): Result<Prices, StageFailure> => {
  if (text === undefined || text.trim() === "") return ok({});
  const json = parseJson(text);
  const parsed = schema.safeParse(json.ok ? json.value : undefined);
  if (parsed.success) return ok(parsed.data);
  const example = `{"gpt-x": {"input": 1.25, "output": 10}}`;
  return err({ category: "generic", message: `GODWIT_MODEL_PRICES is not valid: give JSON such as ${example}` });
};

const priceOf = (prices: Prices, provider: string, model: string) => {
  const named = [`${provider}/${model}`, model].find((name) => Object.hasOwn(prices, name));
  return named === undefined ? undefined : prices[named];
};

/** True when the cost of a model's calls can be told. */
export const hasPrice = (prices: Prices, provider: string, model: string): boolean =>
  priceOf(prices, provider, model) !== undefined;

/** What a call cost in US dollars; 0 when the price of the model is not known (spec/workflow 1.16, LlmUsageRecord). */
export const costOf = (prices: Prices, provider: string, model: string, tokens: TokenCounts): number => {
  const price = priceOf(prices, provider, model);
  if (price === undefined) return 0;
  const cached = Math.min(tokens.cached_input, tokens.input);
  const input = (tokens.input - cached) * price.input + cached * (price.cached_input ?? price.input);
  // A thousandth of a millionth of a dollar is far below any bill and keeps binary fractions out of the record.
  return Number(((input + tokens.output * price.output) / 1_000_000).toFixed(9));
};

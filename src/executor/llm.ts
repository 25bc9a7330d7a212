import { generateText } from "ai";
import { byteLength, type Json } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { modelFailure } from "../llm/errors.ts";
import type { OpenModel } from "../llm/model.ts";
import { type ModelOptions, readModelOptions } from "../llm/options.ts";
import { costOf, readPrices } from "../llm/prices.ts";
import { chooseProvider, openModel, type ProviderName } from "../llm/provider.ts";
import { scriptedReply } from "../llm/scripted.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { LlmUsage, StagePlan, StageResult } from "../schema/plan.ts";
import { isErrorCategory } from "./failure.ts";
import type { Runner, RunnerContext } from "./runner.ts";

// The SDK would print to the log of the deployment what a provider does not support; the result carries it instead.
globalThis.AI_SDK_LOG_WARNINGS = false;

type Outcome = Result<StageResult, StageFailure>;

/** Runs one model call (spec/workflow 4.5, 6.8); the engine owns retries, so the call is made once. */
export const llmRunner: Runner = {
  run: async (plan, context) => {
    const { prompt } = plan;
    if (prompt === undefined) return err({ category: "schema_validation", message: "the plan has no prompt" });
    const options = readModelOptions(plan.llm_options);
    if (!options.ok) return options;
    const provider = chooseProvider(options.value.provider, context.env);
    if (!provider.ok) return provider;
    if (provider.value === "scripted") return runScript(plan, prompt);
    const model = options.value.model ?? (context.env.GODWIT_MODEL || undefined);
    const open = openModel(provider.value, { env: context.env, fetcher: context.fetcher, model });
    if (!open.ok) return open;
    return callModel({ plan, prompt, options: options.value, provider: provider.value, open: open.value }, context);
  },
  explain: (thrown, _plan, now) => modelFailure(thrown, now),
};

interface ModelCall {
  readonly plan: StagePlan;
  readonly prompt: string;
  readonly options: ModelOptions;
  readonly provider: ProviderName;
  readonly open: OpenModel;
}

const callModel = async (call: ModelCall, context: RunnerContext): Promise<Outcome> => {
  const { plan, open, provider } = call;
  // Read before the call: a wrong price list must not cost a model call.
  const prices = readPrices(context.env.GODWIT_MODEL_PRICES);
  if (!prices.ok) return prices;
  const startedAt = context.now();
  const answer = await generateText({
    model: open.language_model,
    prompt: call.prompt,
    ...(plan.system ? { instructions: plan.system } : {}),
    ...call.options.settings,
    ...(open.provider_options === undefined ? {} : { providerOptions: open.provider_options }),
    maxRetries: 0,
    abortSignal: context.signal,
    telemetry: { isEnabled: false },
  });
  if (answer.finishReason === "error") {
    return err({ category: "server_error", message: `the model ${open.model} ended its answer with an error` });
  }
  const { usage } = answer;
  const tokens = {
    input: usage.inputTokens ?? 0,
    output: usage.outputTokens ?? 0,
    cached_input: usage.inputTokenDetails.cacheReadTokens ?? 0,
  };
  return ok({
    ...textResult(answer.text, provider, open.model),
    finish_reason: answer.finishReason,
    usage: usageOf({
      input_tokens: tokens.input,
      output_tokens: tokens.output,
      total_duration_ms: Math.max(0, context.now() - startedAt),
      total_cost: costOf(prices.value, provider, open.model, tokens),
      models: [open.model],
    }),
    ...(answer.reasoningText ? { private_reasoning: answer.reasoningText } : {}),
    ...(answer.warnings?.length ? { warnings: answer.warnings as unknown as Json } : {}),
  });
};

const textResult = (text: string, provider: ProviderName, model: string) => ({
  status: "done",
  text,
  visible_text: text,
  provider,
  model,
});

const usageOf = (usage: Omit<LlmUsage, "call_count">) => ({ ...usage, call_count: 1 });

/** The provider `scripted`: answers from the plan's script, with token counts of a quarter of the bytes and no cost. */
const runScript = (plan: StagePlan, prompt: string): Outcome => {
  const script = plan.script ?? plan.metadata?.["script"];
  const call = { prompt, attempt: plan.attempt, visit: plan.visit ?? 1, isCategory: isErrorCategory };
  const reply = scriptedReply(script, call);
  if (!reply.ok) return reply;
  const { text, status } = reply.value;
  return ok({
    ...textResult(text, "scripted", "scripted"),
    status,
    finish_reason: "stop",
    usage: usageOf({
      input_tokens: Math.ceil(byteLength((plan.system ?? "") + prompt) / 4),
      output_tokens: Math.ceil(byteLength(text) / 4),
      total_duration_ms: 0,
      total_cost: 0,
      models: ["scripted"],
    }),
  });
};

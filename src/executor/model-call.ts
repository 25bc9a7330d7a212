import {
  generateText,
  jsonSchema,
  type ModelMessage,
  Output,
  streamText,
  type StepResult,
  tool,
  type ToolSet,
} from "ai";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { OpenModel } from "../llm/model.ts";
import type { ModelOptions } from "../llm/options.ts";
import { costOf, type Prices } from "../llm/prices.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { LlmUsage } from "../schema/plan.ts";

// The SDK would print to the log of the deployment what a provider does not support; the result carries it instead.
globalThis.AI_SDK_LOG_WARNINGS = false;

/** A tool as a model is told about it. */
export interface OfferedTool {
  readonly name: string;
  readonly description: string;
  readonly parameters: JsonObject;
}

/** One call of a model over the network. */
export interface ModelCall {
  readonly provider: string;
  readonly open: OpenModel;
  readonly prices: Prices;
  readonly settings: ModelOptions["settings"];
  readonly instructions: string;
  readonly messages: readonly ModelMessage[];
  readonly tools?: readonly OfferedTool[];
  /** Told to providers that can be bound to a schema. */
  readonly output_schema?: JsonObject | undefined;
  /** Gets the text while it comes; without it the answer is asked for as a whole. */
  readonly onText?: ((delta: string) => void) | undefined;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/** What a model answered. */
export interface ModelAnswer {
  readonly text: string;
  /** The answer as content blocks (spec/workflow 14.1), in the order they came. */
  readonly blocks: readonly JsonObject[];
  readonly reasoning: string;
  readonly finish_reason: string;
  readonly usage: LlmUsage;
  readonly warnings: readonly Json[];
}

type Step = Pick<StepResult<ToolSet>, "content" | "text" | "reasoningText" | "finishReason" | "usage" | "warnings">;

/** Calls a model once; nothing is retried and no tool is executed here. What the call throws is for `modelFailure`. */
export const callModel = async (call: ModelCall): Promise<Result<ModelAnswer, StageFailure>> => {
  const startedAt = call.now();
  const step = call.onText === undefined ? await wholeStep(call) : await streamedStep(call, call.onText);
  if (step.finishReason === "error") {
    return err({ category: "server_error", message: `the model ${call.open.model} ended its answer with an error` });
  }
  return ok({
    text: step.text,
    blocks: step.content.flatMap(blockOf),
    reasoning: step.reasoningText ?? "",
    finish_reason: step.finishReason,
    usage: usageOf(call, step, startedAt),
    warnings: (step.warnings ?? []) as unknown as readonly Json[],
  });
};

const requestOf = (call: ModelCall) => ({
  model: call.open.language_model,
  messages: [...call.messages],
  ...(call.instructions === "" ? {} : { instructions: call.instructions }),
  ...(call.tools === undefined || call.tools.length === 0 ? {} : { tools: toolSet(call.tools) }),
  ...(call.output_schema === undefined ? {} : { output: boundTo(call.output_schema) }),
  ...call.settings,
  ...(call.open.provider_options === undefined ? {} : { providerOptions: call.open.provider_options }),
  maxRetries: 0,
  abortSignal: call.signal,
  telemetry: { isEnabled: false },
});

/** Tools without `execute`: the SDK hands their calls back. */
const toolSet = (tools: readonly OfferedTool[]): ToolSet =>
  Object.fromEntries(
    tools.map(({ name, description, parameters }) => [
      name,
      tool({ description, inputSchema: jsonSchema(parameters) }),
    ]),
  );

/** Asks the provider for JSON of a schema, and leaves reading it to the caller, who can have it repaired. */
const boundTo = (schema: JsonObject) => ({
  ...Output.text(),
  responseFormat: Promise.resolve({ type: "json" as const, schema }),
});

const wholeStep = async (call: ModelCall): Promise<Step> => (await generateText(requestOf(call))).finalStep;

const streamedStep = async (call: ModelCall, onText: (delta: string) => void): Promise<Step> => {
  // Errors come as parts of the stream; the SDK would print them as well.
  const answer = streamText({ ...requestOf(call), onError: () => undefined });
  for await (const part of answer.stream) {
    if (part.type === "text-delta") onText(part.text);
    else if (part.type === "error") throw part.error;
    else if (part.type === "abort") throw call.signal.reason;
  }
  return answer.finalStep;
};

/** A part of an answer as a content block; kinds of parts that no session keeps are left out. */
const blockOf = (part: Step["content"][number]): readonly JsonObject[] => {
  const metadata = "providerMetadata" in part ? part.providerMetadata : undefined;
  const options = metadata === undefined ? {} : { provider_options: metadata as unknown as Json };
  if (part.type === "text") return part.text === "" ? [] : [{ type: "text", text: part.text, ...options }];
  if (part.type === "reasoning") return [{ type: "reasoning", text: part.text, visibility: "private", ...options }];
  if (part.type !== "tool-call") return [];
  const given = part.input as Json | undefined;
  const readable = isObject(given) && !("error" in part && part.error !== undefined && !isUnknownTool(part.error));
  return [
    {
      type: "tool_call",
      id: part.toolCallId,
      name: part.toolName,
      arguments: isObject(given) ? given : {},
      ...(readable ? {} : { invalid: typeof given === "string" ? given : JSON.stringify(given ?? null) }),
      ...options,
    },
  ];
};

// A call of a tool nobody offered is well formed: it is for the gate to refuse.
const isUnknownTool = (error: unknown): boolean => error instanceof Error && error.name === "AI_NoSuchToolError";

const usageOf = (call: ModelCall, { usage }: Step, startedAt: number): LlmUsage => {
  const tokens = {
    input: usage.inputTokens ?? 0,
    output: usage.outputTokens ?? 0,
    cached_input: usage.inputTokenDetails.cacheReadTokens ?? 0,
  };
  return {
    input_tokens: tokens.input,
    output_tokens: tokens.output,
    total_duration_ms: Math.max(0, call.now() - startedAt),
    call_count: 1,
    total_cost: costOf(call.prices, call.provider, call.open.model, tokens),
    models: [call.open.model],
  };
};

import type { ModelMessage } from "ai";
import { byteLength, type Json } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { OpenModel } from "../llm/model.ts";
import { readModelOptions } from "../llm/options.ts";
import { hasPrice, readPrices } from "../llm/prices.ts";
import { chooseProvider, openModel } from "../llm/provider.ts";
import { scriptedReply } from "../llm/scripted.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { StagePlan } from "../schema/plan.ts";
import { isErrorCategory } from "./failure.ts";
import { callModel, type ModelAnswer, type ModelCall, type OfferedTool } from "./model-call.ts";
import type { RunnerContext } from "./runner.ts";

/** What one turn asks of a model. */
export interface ModelQuestion {
  readonly instructions: string;
  readonly messages: readonly ModelMessage[];
  /** What was said so far as text, for scripts. */
  readonly transcript: string;
  /** What was said in the session before that, for scripts. */
  readonly history?: string;
  /** Counted from 1; 0 for a question that is no turn of the stage. */
  readonly turn: number;
  readonly tools?: readonly OfferedTool[];
  readonly output_schema?: ModelCall["output_schema"];
  readonly onText?: ModelCall["onText"];
}

/** An answer, and the status a script gives it. */
export interface SourcedAnswer extends ModelAnswer {
  readonly status: string;
}

/** The model of a plan, ready to be asked. */
export interface ModelSource {
  readonly provider: string;
  readonly model: string;
  /** False when nothing tells what its calls cost. */
  readonly priced: boolean;
  readonly ask: (question: ModelQuestion) => Promise<Result<SourcedAnswer, StageFailure>>;
}

/** Opens the model a plan names (spec/workflow 1.4); every wrong setting is found before the first call. */
export const openSource = (plan: StagePlan, context: RunnerContext): Result<ModelSource, StageFailure> => {
  const options = readModelOptions(plan.llm_options);
  if (!options.ok) return options;
  const provider = chooseProvider(options.value.provider, context.env);
  if (!provider.ok) return provider;
  if (provider.value === "scripted") return ok(scriptedSource(plan));
  const named = options.value.model ?? (context.env.GODWIT_MODEL || undefined);
  const open = openModel(provider.value, { env: context.env, fetcher: context.fetcher, model: named });
  if (!open.ok) return open;
  const prices = readPrices(context.env.GODWIT_MODEL_PRICES);
  if (!prices.ok) return prices;
  const fixed = { provider: provider.value, open: open.value, prices: prices.value, settings: options.value.settings };
  return ok({
    provider: provider.value,
    model: open.value.model,
    priced: hasPrice(prices.value, provider.value, open.value.model),
    ask: async (question) => askModel(fixed, question, context),
  });
};

const askModel = async (
  fixed: Pick<ModelCall, "provider" | "prices" | "settings"> & { readonly open: OpenModel },
  question: ModelQuestion,
  context: RunnerContext,
): Promise<Result<SourcedAnswer, StageFailure>> => {
  const answer = await callModel({ ...fixed, ...question, signal: context.signal, now: context.now });
  return answer.ok ? ok({ ...answer.value, status: "done" }) : answer;
};

/** The provider `scripted`: answers from the plan's script, with token counts of a quarter of the bytes and no cost. */
const scriptedSource = (plan: StagePlan): ModelSource => {
  const script = plan.script ?? plan.metadata?.["script"];
  return {
    provider: "scripted",
    model: "scripted",
    priced: true,
    ask: async (question) => askScript(script, plan, question),
  };
};

const askScript = (
  script: Json | undefined,
  plan: StagePlan,
  question: ModelQuestion,
): Result<SourcedAnswer, StageFailure> => {
  const { transcript, history = "", turn, instructions } = question;
  const asked = { prompt: transcript, session: history, attempt: plan.attempt, visit: plan.visit ?? 1, turn };
  const reply = scriptedReply(script, { ...asked, isCategory: isErrorCategory });
  if (!reply.ok) return err(reply.error);
  const { text, status, tool_calls: calls = [] } = reply.value;
  question.onText?.(text);
  const callBlocks = calls.map(({ name, arguments: given }, index) => ({
    type: "tool_call",
    id: `call_${turn}_${index + 1}`,
    name,
    arguments: given,
  }));
  const said = calls.length === 0 ? text : text + JSON.stringify(callBlocks);
  return ok({
    text,
    status,
    blocks: [...(text === "" ? [] : [{ type: "text", text }]), ...callBlocks],
    reasoning: "",
    finish_reason: calls.length === 0 ? "stop" : "tool-calls",
    warnings: [],
    usage: {
      input_tokens: Math.ceil(byteLength(instructions + history + transcript) / 4),
      output_tokens: Math.ceil(byteLength(said) / 4),
      total_duration_ms: 0,
      call_count: 1,
      total_cost: 0,
      models: ["scripted"],
    },
  });
};

import type { ModelMessage } from "ai";
import type { Json } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { modelFailure } from "../llm/errors.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { StagePlan, StageResult } from "../schema/plan.ts";
import { type ModelSource, openSource, type SourcedAnswer } from "./model-source.ts";
import type { Runner, RunnerContext } from "./runner.ts";
import {
  providerSchema,
  readStructured,
  repairText,
  schemaInstructions,
  structuredFailure,
  type StructuredOutput,
  structuredOutputOf,
} from "./structured-output.ts";
import { createTextStream } from "./text-stream.ts";
import { addUsage, NO_USAGE } from "./usage.ts";

type Outcome = Result<StageResult, StageFailure>;

/**
 * Runs one model call (spec/workflow 4.5, 6.8); the engine owns retries, so a call that failed is not made again.
 *
 * With an output schema an answer that does not match is sent back to the model to be repaired.
 */
export const llmRunner: Runner = {
  run: async (plan, context) => {
    const { prompt } = plan;
    if (prompt === undefined) return err({ category: "schema_validation", message: "the plan has no prompt" });
    const output = structuredOutputOf(plan);
    if (!output.ok) return output;
    const source = openSource(plan, context);
    if (!source.ok) return source;
    return answered({ plan, prompt, source: source.value, output: output.value }, context);
  },
  explain: (thrown, _plan, now) => modelFailure(thrown, now),
};

interface Asking {
  readonly plan: StagePlan;
  readonly prompt: string;
  readonly source: ModelSource;
  readonly output: StructuredOutput | undefined;
}

const answered = async (asking: Asking, context: RunnerContext): Promise<Outcome> => {
  const { prompt, output } = asking;
  const messages: ModelMessage[] = [{ role: "user", content: prompt }];
  let transcript = prompt;
  let usage = NO_USAGE;
  for (let turn = 1; ; turn += 1) {
    const answer = await ask(asking, { messages, transcript, turn }, context);
    if (!answer.ok) return usage.call_count === 0 ? answer : err({ usage, ...answer.error });
    usage = addUsage(usage, answer.value.usage);
    const result = resultOf(asking.source, { ...answer.value, usage });
    if (output === undefined) return ok(result);
    const { text } = answer.value;
    const read = readStructured(output, text);
    if (read.ok) return ok({ ...result, data: read.value });
    if (turn > output.retries) return err({ ...structuredFailure(read.error), usage });
    const repair = repairText(read.error);
    messages.push({ role: "assistant", content: text }, { role: "user", content: repair });
    transcript += `\n${text}\n${repair}`;
  }
};

const ask = async (
  { plan, source, output }: Asking,
  said: { readonly messages: readonly ModelMessage[]; readonly transcript: string; readonly turn: number },
  context: RunnerContext,
): Promise<Result<SourcedAnswer, StageFailure>> => {
  const { journal } = context;
  const live = journal === undefined ? undefined : createTextStream(said.turn, journal, context);
  const instructions = [plan.system ?? "", output === undefined ? "" : schemaInstructions(output)];
  const answer = await source.ask({
    ...said,
    instructions: instructions.filter((text) => text !== "").join("\n\n"),
    output_schema: providerSchema(output),
    onText: live?.add,
  });
  live?.flush();
  return answer;
};

const resultOf = ({ provider, model }: ModelSource, answer: SourcedAnswer): StageResult => ({
  status: answer.status,
  text: answer.text,
  visible_text: answer.text,
  provider,
  model,
  finish_reason: answer.finish_reason,
  usage: answer.usage as unknown as Json,
  ...(answer.reasoning === "" ? {} : { private_reasoning: answer.reasoning }),
  ...(answer.warnings.length === 0 ? {} : { warnings: answer.warnings }),
});

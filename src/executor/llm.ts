import type { ModelMessage } from "ai";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { NO_USAGE } from "../engine/run/state.ts";
import { messagesAfter } from "../engine/transcript/compaction.ts";
import { modelFailure } from "../llm/errors.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { LlmUsage, StagePlan, StageResult } from "../schema/plan.ts";
import { toModelMessages, transcriptOf, withoutToolCalls } from "./agent/messages.ts";
import { compactConversation, type Shortening } from "./compaction.ts";
import { type ModelQuestion, type ModelSource, openSource, type SourcedAnswer } from "./model-source.ts";
import { journalFailure, recordStep } from "./record-step.ts";
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
import { addUsage } from "./usage.ts";

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
  explain: (thrown, _plan, now) => journalFailure(thrown) ?? modelFailure(thrown, now),
};

interface Asking {
  readonly plan: StagePlan;
  readonly prompt: string;
  readonly source: ModelSource;
  readonly output: StructuredOutput | undefined;
}

const answered = async (asking: Asking, context: RunnerContext): Promise<Outcome> => {
  const { plan, prompt, output } = asking;
  let usage = plan.progress?.usage ?? NO_USAGE;
  const room = await makeRoom(asking, context);
  if (!room.ok) return err({ ...room.error, ...spent(addUsage(usage, room.error.usage ?? NO_USAGE)) });
  usage = addUsage(usage, room.value.usage);
  const said = withoutToolCalls(room.value.messages);
  const messages: ModelMessage[] = [...toModelMessages(said), { role: "user", content: prompt }];
  const history = transcriptOf(said);
  let transcript = prompt;
  for (let turn = 1; ; turn += 1) {
    const answer = await ask(asking, { messages, transcript, history, turn }, context);
    if (!answer.ok) return err({ ...spent(usage), ...answer.error });
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

const spent = (usage: LlmUsage): Pick<StageFailure, "usage"> => (usage.call_count === 0 ? {} : { usage });

interface Room {
  readonly messages: readonly JsonObject[];
  readonly usage: LlmUsage;
}

/** What was said in the session before, shortened and recorded so where that is due (spec/workflow 14.3, 14.4). */
const makeRoom = async (asking: Asking, context: RunnerContext): Promise<Result<Room, StageFailure>> => {
  const { plan, prompt, source } = asking;
  const { journal, redactor } = context;
  const messages = (plan.session?.messages ?? []).filter(isObject);
  const revision = plan.session?.revision ?? 0;
  const instructions = instructionsOf(asking);
  const shortened = await compactConversation(
    { plan, messages, revision, prompt, instructions, ask: async (question) => askSource(source, question, context) },
    context,
  );
  if (!shortened.ok) return shortened;
  const { compaction, usage } = shortened.value;
  if (compaction === undefined && usage === undefined) return ok({ messages, usage: NO_USAGE });
  const clean = redactor.json(shortened.value as unknown as Json) as unknown as Shortening;
  await recordStep(journal, { iteration: 0, ...clean });
  const { compaction: made } = clean;
  return ok({
    messages: made === undefined ? messages : messagesAfter(messages, made.event),
    usage: usage ?? NO_USAGE,
  });
};

const instructionsOf = ({ plan, output }: Pick<Asking, "plan" | "output">): string =>
  [plan.system ?? "", output === undefined ? "" : schemaInstructions(output)]
    .filter((text) => text !== "")
    .join("\n\n");

const ask = async (
  { plan, source, output }: Asking,
  said: Pick<ModelQuestion, "messages" | "transcript" | "history" | "turn">,
  context: RunnerContext,
): Promise<Result<SourcedAnswer, StageFailure>> => {
  const { journal } = context;
  const live = journal === undefined ? undefined : createTextStream(said.turn, journal, context);
  const question = {
    ...said,
    instructions: instructionsOf({ plan, output }),
    output_schema: providerSchema(output),
    onText: live?.add,
  };
  const answer = await askSource(source, question, context);
  live?.flush();
  return answer;
};

/** What a call throws is its failure, so that what was used before it is not forgotten. */
const askSource = async (
  source: ModelSource,
  question: ModelQuestion,
  { signal, now }: RunnerContext,
): Promise<Result<SourcedAnswer, StageFailure>> =>
  source.ask(question).catch((thrown: unknown) => {
    signal.throwIfAborted();
    return err(modelFailure(thrown, now()));
  });

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

import type { JsonObject } from "../../lib/json.ts";
import { ok, type Result } from "../../lib/result.ts";
import { modelFailure } from "../../llm/errors.ts";
import type { StageFailure } from "../../ports/stage-failure.ts";
import { type NextCall, SUMMARY_TURN } from "../compaction.ts";
import { isRetryable } from "../failure.ts";
import type { ModelQuestion, SourcedAnswer } from "../model-source.ts";
import { providerSchema, schemaInstructions } from "../structured-output.ts";
import { createTextStream } from "../text-stream.ts";
import type { AgentLoop } from "./loop.ts";
import { answeredCall, assistantMessage, isToolResult, toModelMessages, transcriptOf } from "./messages.ts";
import { sentinelInstructions } from "./sentinel.ts";
import { backoffMs, waitFor } from "./waiting.ts";

/** One model turn: the call, with its retries, and the commit of what was said. Hands back why the model stopped. */
export const takeTurn = async (
  loop: AgentLoop,
  prelude: readonly JsonObject[],
): Promise<Result<string, StageFailure>> => {
  const { conversation, context } = loop;
  const iteration = conversation.iterations() + 1;
  const instructions = instructionsOf(loop);
  const room = await makeRoom(loop, transcriptOf(prelude), instructions);
  if (!room.ok) return room;
  const own = conversation.own();
  const said = conversation.messages();
  const answer = await askPatiently(loop, {
    instructions,
    messages: toModelMessages([...said, ...prelude]),
    transcript: transcriptOf([...own, ...prelude]),
    history: transcriptOf(said.slice(0, said.length - own.length)),
    turn: iteration,
    tools: [...loop.toolset.tools.values()],
    output_schema: loop.options.done_sentinel === "" ? providerSchema(loop.output) : undefined,
  });
  if (!answer.ok) return answer;
  context.signal.throwIfAborted();
  const blocks = withUniqueCalls(answer.value.blocks, iteration, usedIds(loop));
  await conversation.record({
    iteration,
    messages: [...prelude, assistantMessage(blocks)],
    usage: answer.value.usage,
  });
  return ok(answer.value.finish_reason);
};

/** Shortens the conversation where that is due: a step of its own, so that no summary is made twice. */
const makeRoom = async (loop: AgentLoop, prompt: string, instructions: string): Promise<Result<null, StageFailure>> => {
  const { conversation, context, plan, hooks } = loop;
  if (hooks.compact === undefined) return ok(null);
  const messages = conversation.messages();
  const revision = (plan.session?.revision ?? 0) + conversation.compactions();
  const ask: NextCall["ask"] = async (question) => askPatiently(loop, question);
  const shortened = await hooks.compact({ plan, messages, revision, prompt, instructions, ask }, context);
  if (!shortened.ok) return shortened;
  const { compaction, usage } = shortened.value;
  if (compaction === undefined && usage === undefined) return ok(null);
  context.signal.throwIfAborted();
  await conversation.record({
    iteration: conversation.iterations(),
    ...(compaction === undefined ? {} : { compaction }),
    ...(usage === undefined ? {} : { usage }),
  });
  return ok(null);
};

const instructionsOf = ({ plan, options, output }: AgentLoop): string =>
  [
    plan.system ?? "",
    options.tool_examples,
    sentinelInstructions(options),
    output === undefined ? "" : schemaInstructions(output),
  ]
    .filter((text) => text !== "")
    .join("\n\n");

/** Asks again after a failure that may pass, `llm_retries` times; a script would say the same again. */
const askPatiently = async (loop: AgentLoop, question: ModelQuestion): Promise<Result<SourcedAnswer, StageFailure>> => {
  const { options, context, source } = loop;
  const retries = source.provider === "scripted" ? 0 : options.llm_retries;
  for (let tries = 1; ; tries += 1) {
    const answer = await askOnce(loop, question);
    if (answer.ok || tries > retries || !isRetryable(answer.error)) return answer;
    await waitFor(backoffMs(options.llm_backoff_ms, tries, answer.error.retry_after_ms), context.signal);
  }
};

const askOnce = async (
  { context, source }: AgentLoop,
  question: ModelQuestion,
): Promise<Result<SourcedAnswer, StageFailure>> => {
  const { journal, signal } = context;
  // A summary is nobody's answer: it is not shown.
  const isShown = journal !== undefined && question.turn !== SUMMARY_TURN;
  const live = isShown ? createTextStream(question.turn, journal, context) : undefined;
  const answer = await source.ask({ ...question, onText: live?.add }).catch((thrown: unknown) => {
    signal.throwIfAborted();
    return { ok: false as const, error: modelFailure(thrown, context.now()) };
  });
  live?.flush();
  return answer;
};

/** The call ids of this stage. */
const usedIds = ({ conversation }: AgentLoop): ReadonlySet<string> =>
  new Set([
    ...conversation.tool_calls().map(({ call_id }) => call_id),
    ...conversation.own().map((message) => (isToolResult(message) ? answeredCall(message) : "")),
  ]);

/**
 * The blocks with call ids that this stage has not seen: some providers count their calls anew in every turn, and an id
 * that comes twice would make two calls one.
 */
const withUniqueCalls = (
  blocks: readonly JsonObject[],
  iteration: number,
  used: ReadonlySet<string>,
): readonly JsonObject[] => {
  const seen = new Set(used);
  return blocks.map((block, index) => {
    if (block["type"] !== "tool_call") return block;
    const given = typeof block["id"] === "string" ? block["id"] : "";
    const id = given === "" || seen.has(given) ? `${given || "call"}_${iteration}_${index + 1}` : given;
    seen.add(id);
    return { ...block, id };
  });
};

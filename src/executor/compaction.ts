import { NO_USAGE } from "../engine/run/state.ts";
import { compactBeforeCall } from "../engine/transcript/compact-session.ts";
import type { CompactionAsk } from "../engine/transcript/compaction.ts";
import { emptySession, noSessions, type Session, sessionIn } from "../engine/transcript/session.ts";
import type { SessionCompacted } from "../engine/transcript/session-event.ts";
import { appendMessages } from "../engine/transcript/stage-messages.ts";
import type { Json, JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { uuidIds } from "../ports/ids.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { StepCompaction } from "../schema/agent-step.ts";
import type { LlmUsage, StagePlan } from "../schema/plan.ts";
import { flawOf, functionContext, thrownFailure } from "./function.ts";
import type { ModelQuestion, SourcedAnswer } from "./model-source.ts";
import type { RunnerContext } from "./runner.ts";
import { addUsage } from "./usage.ts";

/** A conversation before a model call. */
export interface NextCall {
  readonly plan: StagePlan;
  readonly messages: readonly JsonObject[];
  /** How often messages of the session were taken away or replaced so far. */
  readonly revision: number;
  /** What the call adds to the messages. */
  readonly prompt: string;
  /** The system text of the call. */
  readonly instructions: string;
  /** Asks the model of the stage. */
  readonly ask: (question: ModelQuestion) => Promise<Result<SourcedAnswer, StageFailure>>;
}

/** How a conversation was shortened, if it was, and what that used, even where it led to nothing. */
export interface Shortening {
  readonly compaction?: StepCompaction;
  readonly usage?: LlmUsage;
}

/** The turn of a question for a summary; the turns of a stage itself are counted from 1. */
export const SUMMARY_TURN = 0;

/**
 * Shortens a conversation before a model call where the node asks for it and it has grown too long (spec/workflow 14.4). The
 * stage's own model makes the summaries of strategy `llm`, registered functions those of `custom` and the masks.
 *
 * What fails fails the stage: nothing of a conversation is given up because a model is busy.
 */
export const compactConversation = async (
  call: NextCall,
  context: RunnerContext,
): Promise<Result<Shortening, StageFailure>> => {
  const { auto_compact: settings, session } = call.plan;
  if (settings === undefined || session === undefined) return ok({});
  const conversation = sessionWith(session.id, call.messages);
  const answers: Json[] = [];
  let usage = NO_USAGE;
  for (;;) {
    const compacted = compactBeforeCall(
      conversation,
      {
        prompt: call.prompt,
        system: call.instructions,
        auto_compact: settings,
        context_tokens: contextTokens(call.plan),
        answers,
      },
      { now: context.now(), nextId: uuidIds },
    );
    if (!compacted.ok) return err({ category: "schema_validation", message: `auto_compact: ${compacted.error}` });
    const used = usage.call_count === 0 ? {} : { usage };
    const { events, ask } = compacted.value;
    const [event] = events;
    if (event?.type === "session_compacted") return ok({ compaction: stepOf(event, call), ...used });
    if (ask === null) return ok(used);
    const answer = ask.type === "model" ? await askModel(call, ask.prompt) : await askFunction(call, ask, context);
    if (!answer.ok) return err({ ...answer.error, ...used });
    answers.push(answer.value.answer);
    usage = addUsage(usage, answer.value.usage);
  }
};

const sessionWith = (id: string, messages: readonly JsonObject[]): Session =>
  sessionIn(appendMessages(noSessions().set(id, emptySession(id)), id, messages), id) ?? emptySession(id);

const contextTokens = ({ llm_options: options }: StagePlan): number | null => {
  const tokens = options?.["context_tokens"];
  return typeof tokens === "number" && tokens > 0 ? tokens : null;
};

const stepOf = (compacted: SessionCompacted, { revision }: NextCall): StepCompaction => {
  const { type: _type, session_id: _id, ...event } = compacted;
  return { event, revision };
};

interface Answered {
  readonly answer: Json;
  readonly usage: LlmUsage;
}

const askModel = async ({ ask }: NextCall, prompt: string): Promise<Result<Answered, StageFailure>> => {
  const answer = await ask({
    instructions: "",
    messages: [{ role: "user", content: prompt }],
    transcript: prompt,
    turn: SUMMARY_TURN,
  });
  return answer.ok ? ok({ answer: answer.value.text, usage: answer.value.usage }) : answer;
};

/** A registered function gets `{messages}`; it answers with a text, or for masks with a list of texts and nulls. */
const askFunction = async (
  { plan }: NextCall,
  { function: name, messages }: Extract<CompactionAsk, { readonly type: "custom" | "mask" }>,
  context: RunnerContext,
): Promise<Result<Answered, StageFailure>> => {
  const handler = context.functions.find(name);
  if (handler === undefined)
    return err({ category: "not_found", message: `auto_compact: no function "${name}" is registered` });
  try {
    const idempotency_key = `${plan.idempotency_key}:compact:${messages.length}`;
    const answer: unknown = await handler({ messages }, { ...functionContext(plan, context), idempotency_key });
    const flaw = flawOf(answer, "answer", 0);
    if (flaw === undefined) return ok({ answer: answer as Json, usage: NO_USAGE });
    return err({ category: "schema_validation", message: `auto_compact: the answer of "${name}" is no JSON: ${flaw}` });
  } catch (thrown) {
    context.signal.throwIfAborted();
    return err(thrownFailure(thrown, `function "${name}"`));
  }
};

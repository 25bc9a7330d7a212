import { NO_USAGE } from "../../engine/run/state.ts";
import { messagesAfter, placeAfterCompaction } from "../../engine/transcript/compaction.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import type { StageJournal } from "../../ports/stage-journal.ts";
import type { AgentStep, ToolCallRecord } from "../../schema/agent-step.ts";
import type { LlmUsage, StagePlan } from "../../schema/plan.ts";
import { recordStep } from "../record-step.ts";
import type { Redactor } from "../redaction.ts";
import { addUsage } from "../usage.ts";
import { textOf } from "./messages.ts";

/** What has been said and done, as far as it is recorded. */
export interface Conversation {
  /** The session's messages: what was said before this stage, then its own. */
  readonly messages: () => readonly JsonObject[];
  /** The messages of this stage alone. */
  readonly own: () => readonly JsonObject[];
  /** The text of every turn of this stage. */
  readonly texts: () => readonly string[];
  readonly tool_calls: () => readonly ToolCallRecord[];
  readonly usage: () => LlmUsage;
  /** Model turns so far. */
  readonly iterations: () => number;
  readonly compactions: () => number;
  /** Commits a step and goes on from it; a step has no secrets when it gets here. */
  readonly record: (step: AgentStep) => Promise<void>;
}

const isAssistant = (message: JsonObject): boolean => message["role"] === "assistant";

/** The conversation of a plan: the session as it is, with what earlier attempts of this stage recorded. */
export const openConversation = (
  plan: StagePlan,
  journal: StageJournal | undefined,
  redactor: Redactor,
): Conversation => {
  let messages: readonly JsonObject[] = (plan.session?.messages ?? []).filter(isObject);
  let from = Math.min(plan.progress?.messages_from ?? messages.length, messages.length);
  let toolCalls = plan.progress?.tool_calls ?? [];
  let usage = plan.progress?.usage ?? NO_USAGE;
  let iterations = plan.progress?.iterations ?? 0;
  let compactions = 0;
  const texts = messages.slice(from).filter(isAssistant).map(textOf);
  const record = async (step: AgentStep): Promise<void> => {
    await recordStep(journal, step);
    if (step.compaction !== undefined) {
      messages = messagesAfter(messages, step.compaction.event);
      from = placeAfterCompaction(from, step.compaction.event);
      compactions += 1;
    }
    messages = [...messages, ...(step.messages ?? [])];
    texts.push(...(step.messages ?? []).filter(isAssistant).map(textOf));
    if (step.tool_call !== undefined) toolCalls = [...toolCalls, step.tool_call];
    if (step.usage !== undefined) usage = addUsage(usage, step.usage);
    iterations = Math.max(iterations, step.iteration);
  };
  return {
    messages: () => messages,
    own: () => messages.slice(from),
    texts: () => texts,
    tool_calls: () => toolCalls,
    usage: () => usage,
    iterations: () => iterations,
    compactions: () => compactions,
    record: async (step) => record(redactor.json(step as never) as unknown as AgentStep),
  };
};

import type { Json, JsonObject } from "../../lib/json.ts";
import type { CompactionSettings, CompactionStrategy } from "./compaction-settings.ts";
import { splitOf } from "./compaction-split.ts";
import { abbreviatedSummary, maskSummary, modelSummary, summaryPrompt, truncateSummary } from "./compaction-summary.ts";
import { estimateTokens, type Message } from "./message.ts";

/** Why a conversation is compacted: because it grew too long for the next call, or because somebody said so. */
export type CompactionMode = "preflight" | "manual";

/** Something outside that a compaction needs before it can go on. */
export type CompactionAsk =
  /** A model's answer to this prompt, as text. */
  | { readonly type: "model"; readonly prompt: string }
  /** What a registered function makes of the messages: a text, or for `mask` a list of texts and nulls. */
  | { readonly type: "custom" | "mask"; readonly function: string; readonly messages: readonly Message[] };

/** A finished compaction: `archived` messages from `keep_first` on become one with the summary. */
export interface Compaction {
  readonly keep_first: number;
  readonly archived: number;
  readonly summary: string;
  readonly metadata: JsonObject;
}

/** What is being compacted, as it was when the compaction began. */
interface CompactionPlan {
  readonly mode: CompactionMode;
  readonly settings: CompactionSettings;
  readonly messages: readonly Message[];
  readonly split: number;
}

/** Where a message, or the place behind the last one, is found after a compaction; what was archived is before the first kept one. */
export const placeAfterCompaction = (
  place: number,
  { keep_first: kept, archived }: Pick<Compaction, "keep_first" | "archived">,
): number => {
  if (place <= kept) return place;
  return place >= kept + archived ? place - archived + 1 : kept + 1;
};

/** The messages after a compaction: one user message in the place of those that were archived (spec/workflow 14.4). */
export const messagesAfter = (
  messages: readonly Message[],
  { keep_first: kept, archived, summary }: Pick<Compaction, "keep_first" | "archived" | "summary">,
): readonly Message[] => [
  ...messages.slice(0, kept),
  { role: "user", content: summary },
  ...messages.slice(kept + archived),
];

/** How far a compaction is: done, nothing to do, or waiting for an answer to hand to `finishCompaction`. */
export type CompactionStep =
  | { readonly type: "none" }
  | { readonly type: "done"; readonly compaction: Compaction }
  | {
      readonly type: "ask";
      readonly ask: CompactionAsk;
      readonly plan: CompactionPlan;
      /** The summary that the second strategy works on; null while the first one is under way. */
      readonly first_summary: string | null;
    };

/** A conversation before a model call. */
export interface Conversation {
  readonly messages: readonly Message[];
  readonly system: string | null;
}

const tokensOf = ({ messages, system }: Conversation): number =>
  estimateTokens(messages) + estimateTokens([{ content: system ?? "" }]);

/** Whether a conversation has to be compacted before it goes to a model (spec/workflow 14.4). */
export const compactionDue = (conversation: Conversation, settings: CompactionSettings): boolean =>
  tokensOf(conversation) >= settings.token_threshold;

const archivedOf = ({ messages, settings, split }: CompactionPlan): readonly Message[] =>
  messages.slice(settings.keep_first, split);

const compactedMessages = ({ messages, settings, split }: CompactionPlan, summary: string): readonly Message[] =>
  messagesAfter(messages, { keep_first: settings.keep_first, archived: split - settings.keep_first, summary });

const close = (plan: CompactionPlan, wanted: string, strategy: CompactionStrategy): CompactionStep => {
  const { settings, mode } = plan;
  const archived = plan.split - settings.keep_first;
  const before = estimateTokens(plan.messages);
  const shrinks = (summary: string): boolean => estimateTokens(compactedMessages(plan, summary)) < before;
  let summary = wanted;
  let used = strategy;
  // Before a call only what makes the conversation smaller helps; the next call would compact it again otherwise.
  if (mode === "preflight" && !shrinks(summary)) {
    summary = truncateSummary(archivedOf(plan), archived);
    used = "truncate";
    if (!shrinks(summary)) return { type: "none" };
  }
  return {
    type: "done",
    compaction: {
      keep_first: settings.keep_first,
      archived,
      summary,
      metadata: {
        mode,
        strategy: used,
        archived_messages: archived,
        estimated_tokens_before: before,
        estimated_tokens_after: estimateTokens(compactedMessages(plan, summary)),
        keep_first: settings.keep_first,
        keep_last: settings.keep_last,
      },
    },
  };
};

/** Goes on after the first or the second strategy has given a summary. */
const afterSummary = (plan: CompactionPlan, summary: string, first: string | null): CompactionStep => {
  const { settings } = plan;
  if (first !== null) return close(plan, summary, settings.hard_limit_strategy);
  const after = estimateTokens(compactedMessages(plan, summary));
  if (settings.hard_limit_tokens === null || after <= settings.hard_limit_tokens)
    return close(plan, summary, settings.strategy);
  return apply(plan, summary);
};

/** Runs a strategy on the archived messages, or the second one on the summary of the first. */
const apply = (plan: CompactionPlan, first: string | null): CompactionStep => {
  const { settings } = plan;
  const messages = first === null ? archivedOf(plan) : [{ role: "user", content: first }];
  const archived = plan.split - settings.keep_first;
  const wait = (ask: CompactionAsk): CompactionStep => ({ type: "ask", ask, plan, first_summary: first });
  switch (first === null ? settings.strategy : settings.hard_limit_strategy) {
    case "llm":
      return wait({ type: "model", prompt: summaryPrompt(messages, settings) });
    case "custom":
      if (settings.custom_compactor !== null)
        return wait({ type: "custom", function: settings.custom_compactor, messages });
      return afterSummary(plan, truncateSummary(messages, archived), first);
    case "observation_mask":
      if (settings.mask_callback !== null) return wait({ type: "mask", function: settings.mask_callback, messages });
      return afterSummary(plan, maskSummary(messages, archived), first);
    case "truncate":
      return afterSummary(plan, truncateSummary(messages, archived), first);
  }
};

/**
 * Begins a compaction (spec/workflow 14.4). Strategies that need nothing from outside are done at once; the others ask, and
 * each answer goes to `finishCompaction`, at most twice.
 */
export const planCompaction = (
  messages: readonly Message[],
  settings: CompactionSettings,
  mode: CompactionMode,
): CompactionStep => {
  const split = splitOf(messages, settings, mode === "manual");
  return split === null ? { type: "none" } : apply({ mode, settings, messages, split }, null);
};

const answerText = (answer: Json): string => (typeof answer === "string" ? answer.trim() : "");

/** Goes on with an answer; an empty one falls back to what needs none (spec/workflow 14.4). */
export const finishCompaction = (
  step: Extract<CompactionStep, { readonly type: "ask" }>,
  answer: Json,
): CompactionStep => {
  const { plan, ask, first_summary: first } = step;
  const messages = first === null ? archivedOf(plan) : [{ role: "user", content: first }];
  const archived = plan.split - plan.settings.keep_first;
  if (ask.type === "mask") {
    const overrides = Array.isArray(answer) ? (answer as readonly Json[]) : [];
    return afterSummary(plan, maskSummary(messages, archived, overrides), first);
  }
  const text = answerText(answer);
  if (ask.type === "model")
    return afterSummary(
      plan,
      text === "" ? abbreviatedSummary(messages, archived) : modelSummary(text, archived),
      first,
    );
  return afterSummary(plan, text === "" ? truncateSummary(messages, archived) : text, first);
};

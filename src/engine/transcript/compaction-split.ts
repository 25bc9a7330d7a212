import type { CompactionSettings } from "./compaction-settings.ts";
import { estimateTokens, isToolAnswer, isToolCall, isUserTurn, type Message } from "./message.ts";

/** Moves a split that would part a tool call from its answers to before the call, or, with nothing left there, behind them. */
const besideToolTurns = (messages: readonly Message[], split: number, keepFirst: number): number => {
  const isAnswer = (index: number): boolean => {
    const message = messages[index];
    return message !== undefined && isToolAnswer(message);
  };
  if (!isAnswer(split)) return split;
  let before = split;
  while (before > keepFirst && isAnswer(before)) before -= 1;
  const call = messages[before];
  if (before > keepFirst && call !== undefined) return isToolCall(call) ? before : before + 1;
  let after = split;
  while (after < messages.length && isAnswer(after)) after += 1;
  return after;
};

/**
 * Where the kept part of a conversation begins; null when there is nothing to archive (spec/workflow 14.4).
 *
 * That is `keep_last` messages from the end, moved back to a user message beyond `keep_first`, if there is one. A part that
 * begins so has the user message of its first tool turn in it. Where it is not, and where the part that would have to be kept
 * is by itself too large (a long loop after one question), the split stays where it was, but never between a tool call and
 * its answers.
 */
export const splitOf = (messages: readonly Message[], settings: CompactionSettings, fits: boolean): number | null => {
  const { keep_first: keepFirst, keep_last: keepLast } = settings;
  if (messages.length <= keepFirst + keepLast) return null;
  const naive = messages.length - keepLast;
  let user = Math.min(naive, messages.length - 1);
  while (user > keepFirst && !isUserTurn(messages[user] as Message)) user -= 1;
  const tooLarge = !fits && estimateTokens(messages.slice(user)) >= settings.token_threshold;
  const split = user > keepFirst && !tooLarge ? user : besideToolTurns(messages, naive, keepFirst);
  return split > keepFirst ? split : null;
};

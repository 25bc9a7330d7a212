import { regexFrom } from "./regex.ts";

/** Longest pattern of `matches()`. */
const MAX_PATTERN = 200;

/** A regular expression that tells beforehand what a match may take. */
export interface BoundedPattern {
  readonly test: (text: string) => boolean;
  /** An upper bound of the steps a text of this length may take. */
  readonly cost: (length: number) => number;
}

/** What a pattern may look like, for error texts. */
const PATTERN_RULE = `at most ${MAX_PATTERN} characters, no repeated group, no look-around, no back reference`;

/** The parts that matter here: escapes and classes are taken whole, so that what they hold does not count. */
const TOKENS = /\\.|\[(?:\\.|[^\]\\])*\]|\{\d+(?:,\d*)?\}|\(\?[:=!<]?|[^]/g;

const isRepetition = (token: string | undefined): boolean => token !== undefined && /^(?:[*+]|\{\d.*)$/.test(token);

const isRefused = (tokens: readonly string[]): boolean =>
  tokens.some((token, index) => {
    const next = tokens[index + 1];
    if (token === ")") return isRepetition(next);
    return /^\\[1-9k]$/.test(token) || (token.startsWith("(?") && token !== "(?:");
  });

/**
 * A regular expression whose backtracking is bounded, or why it is refused.
 *
 * Without repeated groups every repetition costs at most one more power of the text's length, and every choice doubles
 * the ways: the product is known before a match is tried, which matters because a match cannot be interrupted.
 */
export const boundedPattern = (source: string): BoundedPattern | string => {
  const tokens: readonly string[] = source.match(TOKENS) ?? [];
  if (source.length > MAX_PATTERN || isRefused(tokens)) return `the pattern is refused: ${PATTERN_RULE}`;
  const expression = regexFrom(source);
  if (expression === null) return "the pattern is not a regular expression";
  const repetitions = tokens.filter(isRepetition).length + (tokens[0] === "^" && !tokens.includes("|") ? 0 : 1);
  const choices = tokens.filter((token) => token === "?" || token === "|").length;
  return {
    test: (text) => expression.test(text),
    cost: (length) => 1 + (2 ** choices * Math.max(1, tokens.length) * Math.max(1, length) ** repetitions) / 64,
  };
};

/** Longest pattern of a placeholder. */
const MAX_PATTERN = 200;

/** How many unbounded repetitions (`*`, `+`, `{n,}`) a pattern may have. */
const MAX_REPETITIONS = 3;

/** What a pattern may look like, for error texts. */
export const PATTERN_RULE =
  `at most ${MAX_PATTERN} characters and ${MAX_REPETITIONS} unbounded repetitions, ` +
  "no repeated group that repeats or chooses inside, no back reference";

/** The parts of a pattern that matter here: escapes and classes are taken whole, so that what they hold does not count. */
const TOKENS = /\\.|\[(?:\\.|[^\]\\])*\]|\{\d+(?:,\d*)?\}|[^]/g;

const isUnbounded = (token: string): boolean => token === "*" || token === "+" || /^\{\d+,\}$/.test(token);
const isRepetition = (token: string): boolean => isUnbounded(token) || /^\{\d/.test(token);

/**
 * True for a pattern whose backtracking may grow out of hand.
 *
 * A repeated group with a repetition or a choice inside takes exponential time, and every unbounded repetition one more
 * power of the text's length; regular expressions of the platform cannot be interrupted.
 */
export const isCostly = (pattern: string): boolean => {
  if (pattern.length > MAX_PATTERN) return true;
  const tokens = pattern.match(TOKENS) ?? [];
  if (tokens.filter((token) => isUnbounded(token)).length > MAX_REPETITIONS) return true;
  // One flag for each open group: whether it repeats or chooses somewhere inside.
  const open: boolean[] = [false];
  for (const [index, token] of tokens.entries()) {
    if (/^\\[1-9k]$/.test(token)) return true;
    if (token === "(") open.push(false);
    else if (token === ")") {
      const repeats = open.pop() === true;
      if (repeats && isRepetition(tokens[index + 1] ?? "")) return true;
      if (repeats && open.length > 0) open[open.length - 1] = true;
    } else if (token === "|" || isRepetition(token)) open[open.length - 1] = true;
  }
  return false;
};

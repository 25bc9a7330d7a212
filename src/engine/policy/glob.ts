/**
 * Matches a name against a pattern with at most one star, at one end: `*`, `abc*`, `*abc`, or the name itself
 * (spec/workflow 10.4). Any other star is an ordinary character.
 */
export const globMatch = (pattern: string, name: string): boolean => {
  if (pattern === "*") return true;
  if (pattern.endsWith("*")) return name.startsWith(pattern.slice(0, -1));
  if (pattern.startsWith("*")) return name.endsWith(pattern.slice(1));
  return pattern === name;
};

const lengthsOf = (texts: ReadonlySet<string>): readonly number[] => [
  ...new Set([...texts].map((text) => text.length)),
];

/** One test for many patterns, the same as trying each, but without a pass over all of them for every name. */
export const globMatcher = (patterns: readonly string[]): ((name: string) => boolean) => {
  const exact = new Set<string>();
  const prefixes = new Set<string>();
  const suffixes = new Set<string>();
  for (const pattern of patterns) {
    // `*` itself becomes the empty prefix, which every name has.
    if (pattern.endsWith("*")) prefixes.add(pattern.slice(0, -1));
    else if (pattern.startsWith("*")) suffixes.add(pattern.slice(1));
    else exact.add(pattern);
  }
  const prefixLengths = lengthsOf(prefixes);
  const suffixLengths = lengthsOf(suffixes);
  return (name) =>
    exact.has(name) ||
    prefixLengths.some((length) => length <= name.length && prefixes.has(name.slice(0, length))) ||
    suffixLengths.some((length) => length <= name.length && suffixes.has(name.slice(name.length - length)));
};

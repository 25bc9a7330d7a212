import { isObject, type Json, type JsonObject } from "../../src/lib/json.ts";

/** One place where a value is not what a vector expects. */
export interface Difference {
  readonly path: string;
  readonly text: string;
}

/** What a captured or given value is, by its dotted path; undefined when there is no such value. */
export type Lookup = (path: string) => Json | undefined;

interface Site {
  readonly actual: Json | undefined;
  readonly path: string;
  readonly lookup: Lookup;
}

type Operator = (argument: Json, site: Site) => readonly Difference[];

const MAX_SHOWN = 240;

/** A value as differences show it, cut to a line. */
export const shown = (value: Json | undefined): string => {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text;
};

const none: readonly Difference[] = [];

const differs = (site: Site, expected: string): readonly Difference[] => [
  { path: site.path, text: `expected ${expected}, got ${shown(site.actual)}` },
];

const holds = (site: Site, condition: boolean, expected: string): readonly Difference[] =>
  condition ? none : differs(site, expected);

const listOf = (argument: Json): readonly Json[] => (Array.isArray(argument) ? argument : [argument]);

const textTest =
  (name: string, test: (text: string, part: string) => boolean): Operator =>
  (argument, site) => {
    const { actual } = site;
    const failing = listOf(argument).filter((part) => typeof actual !== "string" || !test(actual, String(part)));
    return holds(site, failing.length === 0, `a text that ${name} ${failing.map(shown).join(" and ")}`);
  };

const numberTest =
  (sign: string, test: (left: number, right: number) => boolean): Operator =>
  (argument, site) => {
    const { actual } = site;
    const fits = typeof actual === "number" && typeof argument === "number" && test(actual, argument);
    return holds(site, fits, `a number ${sign} ${shown(argument)}`);
  };

const sizeOf = (value: Json | undefined): number | null => {
  if (typeof value === "string") return [...value].length;
  if (Array.isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : null;
};

const fits = (pattern: Json, actual: Json | undefined, lookup: Lookup): boolean =>
  match(pattern, actual, { path: "", lookup }).length === 0;

/** True when every pattern can be given an element of its own (augmenting paths over a small bipartite graph). */
const pairUp = (patterns: readonly Json[], elements: readonly Json[], lookup: Lookup): boolean => {
  const owners = new Map<number, number>();
  const place = (pattern: number, tried: Set<number>): boolean => {
    for (const [index, element] of elements.entries()) {
      if (tried.has(index) || !fits(patterns[pattern] as Json, element, lookup)) continue;
      tried.add(index);
      const owner = owners.get(index);
      if (owner === undefined || place(owner, tried)) {
        owners.set(index, pattern);
        return true;
      }
    }
    return false;
  };
  return patterns.length === elements.length && patterns.every((_, index) => place(index, new Set()));
};

/** Equality of values in which null and absent are the same. */
const sameValue = (a: Json | undefined, b: Json | undefined): boolean => {
  if ((a ?? null) === (b ?? null)) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item: Json, index) => sameValue(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => sameValue(a[key], b[key]));
};

const reference: Operator = (argument, site) => {
  const wanted = site.lookup(String(argument));
  if (wanted === undefined) return differs(site, `the value of ${shown(argument)}, which nothing has captured`);
  return holds(site, sameValue(wanted, site.actual), `the value of ${String(argument)}, ${shown(wanted)}`);
};

const template: Operator = (argument, site) => {
  const missing: string[] = [];
  const text = String(argument).replaceAll(/\{([^{}]+)\}/g, (whole, path: string) => {
    const value = site.lookup(path);
    if (value === undefined || value === null) missing.push(path);
    return typeof value === "string" ? value : value === undefined ? whole : JSON.stringify(value);
  });
  if (missing.length > 0) return differs(site, `${shown(argument)}, where nothing has captured ${missing.join(", ")}`);
  return holds(site, site.actual === text, shown(text));
};

const regularExpression: Operator = (argument, site) => {
  const matches = typeof site.actual === "string" && new RegExp(String(argument)).test(site.actual);
  return holds(site, matches, `a text that matches ${shown(argument)}`);
};

const includes: Operator = (argument, site) => {
  const { actual, lookup } = site;
  if (!Array.isArray(actual)) return differs(site, "a list");
  const missing = listOf(argument).filter((pattern) => !actual.some((element: Json) => fits(pattern, element, lookup)));
  return holds(site, missing.length === 0, `a list that includes ${missing.map(shown).join(" and ")}`);
};

const excludes: Operator = (argument, site) => {
  const { actual, lookup } = site;
  if (!Array.isArray(actual)) return differs(site, "a list");
  const found = listOf(argument).filter((pattern) => actual.some((element: Json) => fits(pattern, element, lookup)));
  return holds(site, found.length === 0, `a list without ${found.map(shown).join(" and ")}`);
};

const unordered: Operator = (argument, site) => {
  const { actual, lookup } = site;
  const paired = Array.isArray(actual) && Array.isArray(argument) && pairUp(argument, actual, lookup);
  return holds(site, paired, `in any order ${shown(argument)}`);
};

const repeated: Operator = (argument, site) => {
  const [text, times] = listOf(argument);
  const whole = String(text).repeat(Number(times));
  return holds(site, site.actual === whole, `${shown(text ?? null)} ${String(times)} times`);
};

const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["$any", (_argument, site) => holds(site, (site.actual ?? null) !== null, "some value")],
  ["$contains", textTest("contains", (text, part) => text.includes(part))],
  ["$not_contains", textTest("lacks", (text, part) => !text.includes(part))],
  ["$prefix", textTest("starts with", (text, part) => text.startsWith(part))],
  ["$suffix", textTest("ends with", (text, part) => text.endsWith(part))],
  ["$regex", regularExpression],
  ["$len", (argument, site) => holds(site, sizeOf(site.actual) === argument, `a length of ${shown(argument)}`)],
  ["$gt", numberTest(">", (left, right) => left > right)],
  ["$gte", numberTest(">=", (left, right) => left >= right)],
  ["$lt", numberTest("<", (left, right) => left < right)],
  ["$lte", numberTest("<=", (left, right) => left <= right)],
  ["$unordered", unordered],
  ["$includes", includes],
  ["$excludes", excludes],
  [
    "$ne",
    (argument, site) => holds(site, !fits(argument, site.actual, site.lookup), `anything but ${shown(argument)}`),
  ],
  ["$ref", reference],
  ["$tmpl", template],
  ["$repeat", repeated],
]);

const matchObject = (pattern: JsonObject, site: Site): readonly Difference[] => {
  const entries = Object.entries(pattern);
  const fields = entries.filter(([key]) => !key.startsWith("$"));
  const found = entries
    .filter(([key]) => key.startsWith("$"))
    .flatMap(([key, argument]) => {
      const operator = OPERATORS.get(key);
      return operator === undefined ? differs(site, `the unknown pattern ${key}`) : operator(argument, site);
    });
  if (fields.length === 0 && entries.length > 0) return found;
  const { actual, lookup } = site;
  if (!isObject(actual)) return [...found, ...differs(site, shown(pattern))];
  const below = (key: string): string => (site.path === "" ? key : `${site.path}.${key}`);
  const own = (key: string): Json | undefined => (Object.hasOwn(actual, key) ? actual[key] : undefined);
  return [...found, ...fields.flatMap(([key, inner]) => match(inner, own(key), { path: below(key), lookup }))];
};

const matchList = (pattern: readonly Json[], site: Site): readonly Difference[] => {
  const { actual, path, lookup } = site;
  if (!Array.isArray(actual)) return differs(site, shown(pattern));
  const elements = pattern.flatMap((inner, index) =>
    index < actual.length ? match(inner, actual[index] as Json, { path: `${path}.${index}`, lookup }) : none,
  );
  if (actual.length === pattern.length) return elements;
  return [...differs(site, `${pattern.length} elements (of ${actual.length})`), ...elements];
};

/**
 * Every place where a value is not what a pattern asks for; none when it matches. Objects match as subsets, lists in
 * order and length, null is null or absent.
 */
export const match = (
  pattern: Json,
  actual: Json | undefined,
  where: { readonly path: string; readonly lookup: Lookup },
): readonly Difference[] => {
  const site: Site = { actual, ...where };
  if (pattern === null) return holds(site, (actual ?? null) === null, "null or nothing");
  if (Array.isArray(pattern)) return matchList(pattern, site);
  if (isObject(pattern)) return matchObject(pattern, site);
  return holds(site, actual === pattern, shown(pattern));
};

/** An error an operation ended with. */
export interface ActualError {
  readonly message: string;
  readonly kind?: string;
  readonly [field: string]: Json | undefined;
}

const RUNTIME_PREFIX = "Runtime error: ";
const OPERATION_NAME = /^__host_workflow_\w+(?=[ :])/;

const withoutPrefix = (text: string): string =>
  text.startsWith(RUNTIME_PREFIX) ? text.slice(RUNTIME_PREFIX.length) : text;

const afterColon = (text: string): string => text.slice(text.indexOf(":") + 1);

const messageFits = (expected: string, actual: string): boolean =>
  expected === actual ||
  // An implementation may name its own operation before the colon.
  (OPERATION_NAME.test(expected) && actual.includes(":") && afterColon(expected) === afterColon(actual));

/** Differences between the error a vector expects and the one that came. */
export const matchError = (
  pattern: Json,
  actual: ActualError,
  where: { readonly path: string; readonly lookup: Lookup },
): readonly Difference[] => {
  if (!isObject(pattern)) return [{ path: where.path, text: "the expected error is no object" }];
  const { message: expected, ...others } = pattern;
  const path = `${where.path}.message`;
  const message = withoutPrefix(actual.message);
  const rest = match(others, actual as Json, where);
  if (expected === undefined) return rest;
  if (typeof expected !== "string") return [...match(expected, message, { ...where, path }), ...rest];
  const same = messageFits(withoutPrefix(expected), message);
  return same ? rest : [{ path, text: `expected ${shown(expected)}, got ${shown(actual.message)}` }, ...rest];
};

import { boundedPattern } from "./expression-pattern.ts";
import { type Budget, charge, Failed, finite, kindOf, type Value } from "./expression-value.ts";
import { isObject, type Json } from "./json.ts";

type Call = (args: readonly Json[], budget: Budget) => Value;

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

const toNumber = ([value = null]: readonly Json[]): Value => {
  if (typeof value === "number") return value;
  if (typeof value === "string" && value.length < 400 && NUMBER.test(value)) return finite(Number(value));
  return new Failed(`${kindOf(value)} is not a number`);
};

const toInteger = (args: readonly Json[]): Value => {
  const value = toNumber(args);
  return typeof value === "number" ? Math.trunc(value) : value;
};

const toText = ([value = null]: readonly Json[]): Value => {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return new Failed(`string() takes a text, a number or a bool, not ${kindOf(value)}`);
};

const toBool = ([value = null]: readonly Json[]): Value => {
  if (typeof value === "boolean") return value;
  if (value === "true" || value === "false") return value === "true";
  return new Failed(`bool() takes a bool, "true" or "false", not ${kindOf(value)}`);
};

const sizeOf = ([value = null]: readonly Json[], budget: Budget): Value => {
  if (Array.isArray(value)) return value.length;
  const length = typeof value === "string" ? value.length : isObject(value) ? Object.keys(value).length : null;
  if (length === null) return new Failed(`size() takes a text, a list or a map, not ${kindOf(value)}`);
  const refused = charge(budget, length / 4);
  // A text is as long as it has characters, not units (the language's definition).
  return refused ?? (typeof value === "string" ? Array.from(value).length : length);
};

/** A function whose first `texts` arguments are texts; it may read each of them whole. */
const onText =
  (name: string, call: (text: string, args: readonly Json[]) => Value): Call =>
  (args, budget) => {
    const [receiver = null, ...rest] = args;
    if (typeof receiver !== "string") return new Failed(`${name}() is for texts, not for ${kindOf(receiver)}`);
    return charge(budget, receiver.length / 32) ?? call(receiver, rest);
  };

/** Searching may compare every part of a text with the whole of the other one. */
const withText =
  (name: string, call: (text: string, other: string) => Value): Call =>
  (args, budget) => {
    const [receiver, other = null] = args;
    if (typeof other !== "string") return new Failed(`${name}() takes a text, not ${kindOf(other)}`);
    const length = typeof receiver === "string" ? receiver.length : 0;
    const refused = charge(budget, (length * Math.min(length, other.length)) / 1024);
    return refused ?? onText(name, (text) => call(text, other))(args, budget);
  };

const position = (value: Json | undefined, length: number): number | null =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= length ? value : null;

const perLetter = (name: string, letters: RegExp, change: (letter: string) => string): Call => {
  const changed = onText(name, (text) => text.replaceAll(letters, change));
  return (args, budget) =>
    charge(budget, typeof args[0] === "string" ? args[0].length / 2 : 0) ?? changed(args, budget);
};

const substring: Call = onText("substring", (text, [from, to = text.length]) => {
  const start = position(from, text.length);
  const end = position(to, text.length);
  return start === null || end === null || end < start
    ? new Failed(`substring() is outside of a text of ${text.length}`)
    : text.slice(start, end);
});

const joined: Call = ([list = null, separator = ""], budget) => {
  if (!Array.isArray(list) || typeof separator !== "string") return new Failed("join() is for lists of texts");
  let length = 0;
  for (const item of list as readonly Json[]) {
    if (typeof item !== "string") return new Failed(`join() is for lists of texts, not of ${kindOf(item)}`);
    length += item.length + separator.length;
  }
  return charge(budget, list.length + length / 32) ?? list.join(separator);
};

const split: Call = (args, budget) => {
  const parts = withText("split", (text, separator) => text.split(separator))(args, budget);
  return (Array.isArray(parts) ? charge(budget, parts.length) : null) ?? parts;
};

const matches: Call = ([text = null, source = null], budget) => {
  if (typeof text !== "string" || typeof source !== "string") return new Failed("matches() is for texts");
  const pattern = boundedPattern(source);
  if (typeof pattern === "string") return new Failed(pattern);
  return charge(budget, 10 + pattern.cost(text.length)) ?? pattern.test(text);
};

/** Functions by name and number of arguments, the receiver of a method being the first. */
export const FUNCTIONS: ReadonlyMap<string, Call> = new Map<string, Call>([
  ["dyn/1", ([value = null]) => value],
  ["size/1", sizeOf],
  ["int/1", toInteger],
  ["double/1", toNumber],
  ["string/1", toText],
  ["bool/1", toBool],
  ["contains/2", withText("contains", (text, part) => text.includes(part))],
  ["startsWith/2", withText("startsWith", (text, part) => text.startsWith(part))],
  ["endsWith/2", withText("endsWith", (text, part) => text.endsWith(part))],
  ["indexOf/2", withText("indexOf", (text, part) => text.indexOf(part))],
  ["lastIndexOf/2", withText("lastIndexOf", (text, part) => text.lastIndexOf(part))],
  ["lowerAscii/1", perLetter("lowerAscii", /[A-Z]/g, (letter) => letter.toLowerCase())],
  ["upperAscii/1", perLetter("upperAscii", /[a-z]/g, (letter) => letter.toUpperCase())],
  ["trim/1", onText("trim", (text) => text.trim())],
  ["substring/2", substring],
  ["substring/3", substring],
  ["split/2", split],
  ["join/1", joined],
  ["join/2", joined],
  ["matches/2", matches],
]);

import { isObject, type Json, type JsonObject } from "../../src/lib/json.ts";

/** One operation of a vector. */
export interface Step {
  readonly label: string;
  readonly op: string;
  /** The name under which the return is kept. */
  readonly as: string | null;
  readonly args: JsonObject;
}

/** What a step must lead to. */
export type Expectation = { readonly returns: Json } | { readonly error: Json };

/** An acceptance vector: inputs, ordered operations and the facts that must follow. */
export interface Vector {
  readonly id: string;
  readonly title: string;
  readonly strength: "must" | "should" | "quirk";
  readonly given: JsonObject;
  readonly when: readonly Step[];
  readonly expected: ReadonlyMap<string, Expectation>;
}

const STRENGTHS = ["must", "should", "quirk"] as const;

const broken = (what: string): never => {
  throw new Error(`not a vector: ${what}`);
};

const textOf = (source: JsonObject, key: string): string => {
  const value = source[key];
  return typeof value === "string" && value !== "" ? value : broken(`${key} must be a text`);
};

const stepOf = (value: Json): Step => {
  if (!isObject(value)) return broken("a step must be an object");
  const { label: _label, op: _op, as: name, ...args } = value;
  if (name !== undefined && typeof name !== "string") return broken("as must be a text");
  return { label: textOf(value, "label"), op: textOf(value, "op"), as: name ?? null, args };
};

const expectationOf = (label: string, value: Json): Expectation => {
  if (!isObject(value)) return broken(`the expectation of ${label} must be an object`);
  const { returns, error } = value;
  if (Object.keys(value).length !== 1) return broken(`the expectation of ${label} must be one of returns and error`);
  if (returns !== undefined) return { returns };
  return error === undefined ? broken(`the expectation of ${label} is neither returns nor error`) : { error };
};

/** Reads a vector; throws an error that says what is wrong with a document that is none. */
export const parseVector = (text: string): Vector => {
  const document = JSON.parse(text) as Json;
  if (!isObject(document)) return broken("it must be an object");
  const { given, when, expect, strength } = document;
  const steps = isObject(expect) && isObject(expect["steps"]) ? expect["steps"] : broken("expect.steps is missing");
  if (!Array.isArray(when) || when.length === 0) return broken("when must be a list of steps");
  return {
    id: textOf(document, "id"),
    title: textOf(document, "title"),
    strength: STRENGTHS.find((known) => known === strength) ?? broken("strength must be must, should or quirk"),
    given: isObject(given) ? given : broken("given must be an object"),
    when: when.map(stepOf),
    expected: new Map(Object.entries(steps).map(([label, value]) => [label, expectationOf(label, value)])),
  };
};

import type { Json } from "./json.ts";
import { isObject } from "./json.ts";

/** Why a part of an expression has no value. */
export class Failed {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** What a part of an expression gives. */
export type Value = Json | Failed;

/** Steps that are left; below zero every further step fails, so that no operator can pass over it. */
export interface Budget {
  left: number;
}

/** Deepest nesting that a comparison follows. */
const MAX_DEPTH = 100;

const TOO_COSTLY = new Failed("the expression takes too many steps on this value; look at less of it");

/** Takes steps from the budget; what it returns is the refusal, or null. */
export const charge = (budget: Budget, steps: number): Failed | null => {
  budget.left -= steps;
  return budget.left < 0 ? TOO_COSTLY : null;
};

/** The kind of a value, for texts. */
export const kindOf = (value: Json): string => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (isObject(value)) return "a map";
  return typeof value === "boolean" ? "a bool" : `a ${typeof value}`;
};

/** The number, where it is one that JSON can carry. */
export const finite = (value: number): Value =>
  Number.isFinite(value) ? value : new Failed("the result is not a finite number");

interface Comparison {
  readonly budget: Budget;
  readonly depth: number;
}

const equalLists = (a: readonly Json[], b: readonly Json[], at: Comparison): boolean | Failed => {
  if (a.length !== b.length) return false;
  for (const [index, item] of a.entries()) {
    const same = compared(item, b[index] as Json, at);
    if (same !== true) return same;
  }
  return true;
};

const equalMaps = (
  a: { readonly [key: string]: Json },
  b: { readonly [key: string]: Json },
  at: Comparison,
): boolean | Failed => {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) {
    if (!Object.hasOwn(b, key)) return false;
    const same = compared(a[key] as Json, b[key] as Json, at);
    if (same !== true) return same;
  }
  return true;
};

const compared = (a: Json, b: Json, at: Comparison): boolean | Failed => {
  const refused = charge(at.budget, 1 + (typeof a === "string" ? a.length / 64 : 0));
  if (refused !== null) return refused;
  if (at.depth > MAX_DEPTH) return new Failed("the values nest too deeply to be compared");
  const inside = { budget: at.budget, depth: at.depth + 1 };
  if (Array.isArray(a)) return Array.isArray(b) && equalLists(a as readonly Json[], b as readonly Json[], inside);
  if (isObject(a)) return isObject(b) && equalMaps(a, b, inside);
  return a === b;
};

/** Whether two values are the same JSON; values of different kinds are not. */
export const isEqual = (a: Json, b: Json, budget: Budget): boolean | Failed => compared(a, b, { budget, depth: 0 });

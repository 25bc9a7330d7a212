import type { ASTNode } from "@marcbachmann/cel-js";
import { FUNCTIONS } from "./expression-functions.ts";
import { type Budget, charge, Failed, finite, isEqual, kindOf, type Value } from "./expression-value.ts";
import { isObject, type Json } from "./json.ts";

/** What an expression is evaluated over. */
export interface Frame {
  readonly values: Readonly<Record<string, Json>>;
  readonly local: Local | null;
  readonly budget: Budget;
}

interface Local {
  readonly name: string;
  readonly value: Json;
  readonly outer: Local | null;
}

/** A part of an expression, ready to be evaluated; it never throws. */
export type Step = (frame: Frame) => Value;

/** Macros that go through a list, or the keys of a map, by name and number of arguments. */
export const MACROS: ReadonlySet<string> = new Set(["all/2", "exists/2", "exists_one/2", "map/2", "map/3", "filter/2"]);

const textOf = (node: ASTNode): string => {
  const text = node.input.slice(node.start, node.end);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
};

/** Looks at values in order and stops at the first that has none. */
const strict =
  (steps: readonly Step[], call: (values: readonly Json[], budget: Budget) => Value): Step =>
  (frame) => {
    const values: Json[] = [];
    for (const step of steps) {
      const value = step(frame);
      if (value instanceof Failed) return value;
      values.push(value);
    }
    return call(values, frame.budget);
  };

const variable =
  (name: string): Step =>
  ({ values, local }) => {
    for (let one = local; one !== null; one = one.outer) if (one.name === name) return one.value;
    return Object.hasOwn(values, name) ? (values[name] as Json) : new Failed(`\`${name}\` is not known here`);
  };

const fieldOf = (value: Json, key: string, owner: string): Value => {
  if (!isObject(value)) return new Failed(`\`${owner}\` is ${kindOf(value)} and has no field \`${key}\``);
  const found = Object.hasOwn(value, key) ? value[key] : undefined;
  return found === undefined ? new Failed(`\`${owner}\` has no field \`${key}\``) : found;
};

const itemOf = (value: Json, key: Json, owner: string): Value => {
  if (typeof key === "string") return fieldOf(value, key, owner);
  if (typeof key !== "number") return new Failed(`an index is a number or a text, not ${kindOf(key)}`);
  if (!Array.isArray(value)) return new Failed(`\`${owner}\` is ${kindOf(value)} and has no item ${key}`);
  const found = (value as readonly Json[])[key];
  return found === undefined ? new Failed(`\`${owner}\` has no item ${key}`) : found;
};

const ORDERS: Readonly<Record<string, (a: number | string, b: number | string) => boolean>> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

const NUMBERS: Readonly<Record<string, (a: number, b: number) => Value>> = {
  "+": (a, b) => finite(a + b),
  "-": (a, b) => finite(a - b),
  "*": (a, b) => finite(a * b),
  "/": (a, b) => (b === 0 ? new Failed("division by zero") : finite(a / b)),
  "%": (a, b) => (b === 0 ? new Failed("modulo by zero") : finite(a % b)),
};

const contains = (item: Json, container: Json, budget: Budget): Value => {
  if (isObject(container)) return typeof item === "string" && Object.hasOwn(container, item);
  if (!Array.isArray(container)) return new Failed(`\`in\` is for lists and maps, not for ${kindOf(container)}`);
  for (const one of container as readonly Json[]) {
    const same = isEqual(item, one, budget);
    if (same !== false) return same;
  }
  return false;
};

const added = (a: Json, b: Json, budget: Budget): Value | null => {
  if (typeof a === "string" && typeof b === "string") return charge(budget, (a.length + b.length) / 32) ?? a + b;
  if (!Array.isArray(a) || !Array.isArray(b)) return null;
  return charge(budget, a.length + b.length) ?? [...(a as readonly Json[]), ...(b as readonly Json[])];
};

const binary =
  (op: string) =>
  ([a = null, b = null]: readonly Json[], budget: Budget): Value => {
    if (op === "==") return isEqual(a, b, budget);
    if (op === "!=") {
      const same = isEqual(a, b, budget);
      return same instanceof Failed ? same : !same;
    }
    if (op === "in") return contains(a, b, budget);
    const order = ORDERS[op];
    if (order !== undefined && typeof a === "string" && typeof b === "string") {
      return charge(budget, Math.min(a.length, b.length) / 64) ?? order(a, b);
    }
    if (typeof a === "number" && typeof b === "number") return order?.(a, b) ?? NUMBERS[op]?.(a, b) ?? null;
    const sum = op === "+" ? added(a, b, budget) : null;
    return sum ?? new Failed(`\`${op}\` cannot be used between ${kindOf(a)} and ${kindOf(b)}`);
  };

/** `&&` and `||`: the side that decides is enough, even where the other one has no value (the language's definition). */
const logical =
  (left: Step, right: Step, deciding: boolean): Step =>
  (frame) => {
    const a = asBool(left(frame));
    if (a === deciding) return a;
    const b = asBool(right(frame));
    return b === deciding || !(a instanceof Failed) ? b : a;
  };

const asBool = (value: Value): boolean | Failed => {
  if (value instanceof Failed || typeof value === "boolean") return value;
  return new Failed(`a condition is true or false, not ${kindOf(value)}`);
};

const choice =
  (condition: Step, yes: Step, no: Step): Step =>
  (frame) => {
    const value = asBool(condition(frame));
    if (value instanceof Failed) return value;
    return value ? yes(frame) : no(frame);
  };

/** `has(a.b.c)`: false as soon as a step of the way is missing. */
const hasField = (node: ASTNode): Step => {
  if (node.op !== ".") return lowered(node);
  const [owner, key] = node.args;
  const steps = owner.op === "." ? hasField(owner) : null;
  const value = lowered(owner);
  return (frame) => {
    if (steps !== null && steps(frame) === false) return false;
    const found = value(frame);
    if (found instanceof Failed) return found;
    return isObject(found) && Object.hasOwn(found, key) && found[key] !== undefined;
  };
};

const itemsOf = (value: Value): readonly Json[] | Failed => {
  if (value instanceof Failed) return value;
  if (Array.isArray(value)) return value as readonly Json[];
  return isObject(value) ? Object.keys(value) : new Failed(`${kindOf(value)} has no items to go through`);
};

/** Calls `visit` for each item until it returns something. */
const each = (
  frame: Frame,
  { list, name }: { readonly list: Step; readonly name: string },
  visit: (inner: Frame, item: Json) => Value | undefined,
): Value | undefined => {
  const items = itemsOf(list(frame));
  if (items instanceof Failed) return items;
  for (const item of items) {
    const refused = charge(frame.budget, 1);
    const end = refused ?? visit({ ...frame, local: { name, value: item, outer: frame.local } }, item);
    if (end !== undefined) return end;
  }
  return undefined;
};

interface Loop {
  readonly list: Step;
  readonly name: string;
}

/** `all` and `exists`: the item that decides is enough; otherwise a failure of any item is the failure of the whole. */
const quantifier =
  (loop: Loop, condition: Step, deciding: boolean): Step =>
  (frame) => {
    let failure: Failed | null = null;
    const end = each(frame, loop, (inner) => {
      const value = asBool(condition(inner));
      if (value instanceof Failed) failure ??= value;
      return value === deciding ? deciding : undefined;
    });
    return end ?? failure ?? !deciding;
  };

const collected =
  (loop: Loop, condition: Step | null, transform: Step | null): Step =>
  (frame) => {
    const found: Json[] = [];
    const end = each(frame, loop, (inner, item) => {
      const wanted = condition === null ? true : asBool(condition(inner));
      if (wanted instanceof Failed) return wanted;
      const value = !wanted ? undefined : transform === null ? item : transform(inner);
      if (value instanceof Failed) return value;
      if (value !== undefined) found.push(value);
      return undefined;
    });
    return end ?? found;
  };

const macro = (name: string, receiver: ASTNode, args: readonly ASTNode[]): Step => {
  const [item, first, second] = args;
  const loop = { list: lowered(receiver), name: item?.op === "id" ? item.args : "" };
  const step = first === undefined ? constant(null) : lowered(first);
  if (name === "all" || name === "exists") return quantifier(loop, step, name === "exists");
  if (name === "map")
    return second === undefined ? collected(loop, null, step) : collected(loop, step, lowered(second));
  const kept = collected(loop, step, null);
  if (name === "filter") return kept;
  return (frame) => {
    const found = kept(frame);
    return found instanceof Failed ? found : Array.isArray(found) && found.length === 1;
  };
};

const called = (name: string, args: readonly ASTNode[]): Step => {
  if (name === "has" && args[0] !== undefined) return hasField(args[0]);
  const call = FUNCTIONS.get(`${name}/${args.length}`);
  if (call === undefined) return constant(new Failed(`unknown function ${name}()`));
  return strict(args.map(lowered), call);
};

const constant =
  (value: Value): Step =>
  () =>
    value;

const literal = (value: unknown): Value => {
  if (typeof value === "bigint") return Number(value);
  return value === null || ["boolean", "number", "string"].includes(typeof value)
    ? (value as Json)
    : new Failed("the literal is none of JSON");
};

const mapped = (entries: readonly (readonly [ASTNode, ASTNode])[]): Step =>
  strict(
    entries.flatMap(([key, value]) => [lowered(key), lowered(value)]),
    (values) => {
      const pairs: [string, Json][] = [];
      for (let i = 0; i < values.length; i += 2) pairs.push([String(values[i]), values[i + 1] ?? null]);
      return Object.fromEntries(pairs);
    },
  );

const shape = (node: ASTNode): Step => {
  switch (node.op) {
    case "value":
      return constant(literal(node.args));
    case "id":
      return variable(node.args);
    case ".": {
      const [owner, key] = node.args;
      return strict([lowered(owner)], ([value = null]) => fieldOf(value, key, textOf(owner)));
    }
    case "[]":
      return strict(node.args.map(lowered), ([value = null, key = null]) => itemOf(value, key, textOf(node.args[0])));
    case "call":
      return called(node.args[0], node.args[1]);
    case "rcall": {
      const [name, receiver, args] = node.args;
      const isMacro = MACROS.has(`${name}/${args.length}`);
      return isMacro ? macro(name, receiver, args) : called(name, [receiver, ...args]);
    }
    case "list":
      return strict(node.args.map(lowered), (values) => values);
    case "map":
      return mapped(node.args);
    case "?:":
      return choice(lowered(node.args[0]), lowered(node.args[1]), lowered(node.args[2]));
    case "||":
    case "&&":
      return logical(lowered(node.args[0]), lowered(node.args[1]), node.op === "||");
    case "!_":
      return strict([lowered(node.args)], ([value = null]) => {
        const bool = asBool(value);
        return bool instanceof Failed ? bool : !bool;
      });
    case "-_":
      return strict([lowered(node.args)], ([value = null]) =>
        typeof value === "number" ? -value : new Failed(`\`-\` is for numbers, not for ${kindOf(value)}`),
      );
    case ".?":
    case "[?]":
      return constant(new Failed("optional access is not available"));
    default:
      return strict(node.args.map(lowered), binary(node.op));
  }
};

/** A node of the parsed text as a step that takes from the budget. */
export const lowered = (node: ASTNode): Step => {
  const step = shape(node);
  return (frame) => charge(frame.budget, 1) ?? step(frame);
};

import type { Json, JsonObject } from "../../src/lib/json.ts";
import type { Result } from "../../src/lib/result.ts";
import type { System } from "./system.ts";

/** An operation under test: it drives the system and returns what it says, or throws an `OperationFailure`. */
export type Operation = (system: System, args: JsonObject) => unknown;

/** Operations by the name that vectors use. */
export type Operations = Readonly<Record<string, Operation>>;

/** An operation ended with an error of the system, as vectors expect it. */
export class OperationFailure extends Error {
  override readonly name = "OperationFailure";
  readonly kind: string;
  /** What else the error says. */
  readonly facts: JsonObject;

  constructor(message: string, kind = "generic", facts: JsonObject = {}) {
    super(message);
    this.kind = kind;
    this.facts = facts;
  }
}

/** The value of a result; its error becomes the operation's. */
export const valueOf = <T>(result: Result<T, string | { readonly message: string; readonly kind?: string }>): T => {
  if (result.ok) return result.value;
  const { error } = result;
  throw typeof error === "string" ? new OperationFailure(error) : new OperationFailure(error.message, error.kind);
};

/** A text argument. */
export const textArg = (args: JsonObject, name: string): string => {
  const value = args[name];
  if (typeof value !== "string") throw new Error(`the argument ${name} must be a text`);
  return value;
};

/** A list argument; absent and null are an empty list. */
export const listArg = (args: JsonObject, name: string): readonly Json[] => {
  const value = args[name] ?? [];
  if (!Array.isArray(value)) throw new Error(`the argument ${name} must be a list`);
  return value as readonly Json[];
};

/** A map of texts, such as headers. */
export const textsArg = (args: JsonObject, name: string): Readonly<Record<string, string>> => {
  const value = args[name] ?? {};
  return Object.fromEntries(Object.entries(value as JsonObject).map(([key, text]) => [key, String(text)]));
};

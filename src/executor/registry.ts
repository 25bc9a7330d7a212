import { byCodePoint } from "../lib/json.ts";
import type { FunctionHandler, FunctionRegistry } from "../ports/functions.ts";

/** A registry of handlers by name; names that objects inherit, such as `constructor`, are no handlers. */
export const createRegistry = (handlers: Readonly<Record<string, FunctionHandler>>): FunctionRegistry => {
  const byName = new Map(Object.entries(handlers));
  return { names: [...byName.keys()].toSorted(byCodePoint), find: (name) => byName.get(name) };
};

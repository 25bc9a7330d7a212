import { byCodePoint } from "../lib/json.ts";
import type { FinishHandler, FinishRegistry } from "../ports/finish.ts";
import type { FunctionHandler, FunctionRegistry } from "../ports/functions.ts";
import type { Reducer, ReducerRegistry } from "../ports/reducers.ts";

/** A registry whose names are known to the compiler, so that definitions of workflows can be checked against them. */
export type Named<Registry, Name extends string> = Registry & { readonly names: readonly Name[] };

/** What is registered, by name; names that objects inherit, such as `constructor`, are not among them. */
export const named = <Name extends string, Entry>(entries: Readonly<Record<Name, Entry>>) => {
  const byName = new Map<string, Entry>(Object.entries<Entry>(entries));
  return {
    names: [...byName.keys()].toSorted(byCodePoint) as readonly string[] as readonly Name[],
    find: (name: string): Entry | undefined => byName.get(name),
  };
};

/** A registry of handlers for function stages. */
export const createRegistry = <const Name extends string>(
  handlers: Readonly<Record<Name, FunctionHandler>>,
): Named<FunctionRegistry, Name> => named<Name, FunctionHandler>(handlers);

/** A registry of what runs can have done at their end. */
export const createFinishHandlers = <const Name extends string>(
  handlers: Readonly<Record<Name, FinishHandler>>,
): Named<FinishRegistry, Name> => named<Name, FinishHandler>(handlers);

/** A registry of reducers for reduce nodes. */
export const createReducers = <const Name extends string>(
  reducers: Readonly<Record<Name, Reducer>>,
): Named<ReducerRegistry, Name> => named<Name, Reducer>(reducers);

import type { Json } from "../lib/json.ts";

/** One thing a reduce node puts together: an artifact it selected, in the order of selection. */
export interface ReducerInput {
  /** The artifact's text; null where it has none. */
  readonly text: string | null;
  readonly data: Json;
  readonly index: number;
}

/** What a reducer knows about the stage it runs for. */
export interface ReducerContext {
  readonly run_id: string;
  readonly stage_id: string;
  readonly node_id: string;
  readonly attempt: number;
  /** The same for every attempt: give it to whatever the reducer calls. */
  readonly idempotency_key: string;
  /** Aborts when the stage's time is over or its run was cancelled. */
  readonly signal: AbortSignal;
}

/** Code that puts the inputs of a reduce node together; what it returns becomes the node's result as that of a function. */
export type Reducer = (inputs: readonly ReducerInput[], context: ReducerContext) => Json | Promise<Json>;

/** The reducers of a deployment by name. */
export interface ReducerRegistry {
  /** Every registered name, ordered by code point. */
  readonly names: readonly string[];
  readonly find: (name: string) => Reducer | undefined;
}

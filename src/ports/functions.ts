import type { Json } from "../lib/json.ts";

/** What a handler knows about the stage it runs for. */
export interface FunctionContext {
  readonly run_id: string;
  readonly stage_id: string;
  readonly node_id: string;
  /** 1 for the first execution of the stage; a handler may be called again when a driver was lost. */
  readonly attempt: number;
  /** The same for every attempt: give it to whatever the handler calls. */
  readonly idempotency_key: string;
  /** Aborts when the stage's time is over or its run was cancelled. */
  readonly signal: AbortSignal;
  readonly task?: string;
}

/**
 * Code registered under a name, because functions cannot be stored.
 *
 * A returned text becomes the stage's text, an object its result fields, any other JSON its data. To fail with a category of
 * spec/workflow 0.3, throw an error that has it as `category`, with `retry_after_ms` where waiting helps.
 */
export type FunctionHandler = (input: Json, context: FunctionContext) => Json | Promise<Json>;

/** The handlers of a deployment by name. */
export interface FunctionRegistry {
  /** Every registered name, ordered by code point. */
  readonly names: readonly string[];
  readonly find: (name: string) => FunctionHandler | undefined;
}

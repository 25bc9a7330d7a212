import type { Json } from "../lib/json.ts";
import type { TriggerEvent } from "../schema/trigger.ts";

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
  /** The event that calls the function, where a trigger does so in place of a stage (spec/triggers 8, 11.1). */
  readonly trigger?: TriggerContext;
}

/** What a function knows about the event that it handles. */
export interface TriggerContext {
  /** Id of the trigger. */
  readonly agent: string;
  /** `<provider>.<kind>` of the event. */
  readonly action: string;
  readonly trace_id: string;
  /** The event that is replayed, so that a replay can hold back what must not happen twice. */
  readonly replay_of_event_id: string | null;
  readonly trigger_event: TriggerEvent;
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

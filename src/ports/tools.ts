import type { Json, JsonObject } from "../lib/json.ts";

/** What a tool knows about the call it runs for. */
export interface ToolContext {
  readonly run_id: string;
  readonly stage_id: string;
  readonly node_id: string;
  readonly attempt: number;
  readonly call_id: string;
  /** The same whenever this call is made again: give it to whatever the tool calls. */
  readonly idempotency_key: string;
  /** Aborts when the stage's time is over or its run was cancelled. */
  readonly signal: AbortSignal;
}

/**
 * A tool registered in code under a name.
 *
 * To fail with a category of spec/workflow 0.3, throw an error that has it as `category`.
 */
export interface ToolHandler {
  readonly description: string;
  /** A JSON schema of the arguments; calls that do not match it never reach the handler. */
  readonly parameters: JsonObject;
  readonly annotations?: Json;
  readonly execute: (args: JsonObject, context: ToolContext) => Json | Promise<Json>;
}

/** The tools of a deployment by name. */
export interface ToolRegistry {
  /** Every registered name, ordered by code point. */
  readonly names: readonly string[];
  readonly find: (name: string) => ToolHandler | undefined;
}

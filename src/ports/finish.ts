import type { Json, JsonObject } from "../lib/json.ts";

/** What a run has left unsettled (spec/workers 21.3). */
export interface FinishSnapshot {
  readonly state: JsonObject;
  readonly counts: Readonly<Record<string, number>>;
  readonly is_empty: boolean;
  readonly summary: string;
}

/** What whoever finishes a run has at hand (spec/workers 21.9). A refusal is thrown and fails the run. */
export interface FinishHarness {
  readonly run_id: string;
  /** 1 for the first execution; it is done again when it was lost. */
  readonly attempt: number;
  /** The same for every attempt: give it to whatever is called. */
  readonly idempotency_key: string;
  /** A fresh snapshot over everybody who may know. */
  readonly unsettled: () => Promise<FinishSnapshot>;
  readonly emitAudit: (kind: string, payload?: Json) => Promise<void>;
  /** Hands work on to another pipeline; answers the id of the envelope. */
  readonly handoffTo: (target: string, payload?: Json) => Promise<string>;
  /** Says what is to become of the run. */
  readonly finalize: (disposition?: Json) => Promise<void>;
  /** The settlement agent; answers its receipt (spec/workers 21.10). */
  readonly settle: (options: {
    readonly budget?: Json;
    readonly return_value: Json;
    /** Whether events that wait in triggers are cancelled too. */
    readonly include_events?: boolean;
  }) => Promise<JsonObject>;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/**
 * What is done when a run ends, registered under a name because functions cannot be stored: from the run's value it makes
 * the value that takes its place (spec/workers 21.1, 31).
 */
export type FinishHandler = (harness: FinishHarness, returnValue: Json, input: Json) => Json | Promise<Json>;

/** The handlers of a deployment by name. */
export interface FinishRegistry {
  /** Every registered name, ordered by code point. */
  readonly names: readonly string[];
  readonly find: (name: string) => FinishHandler | undefined;
}

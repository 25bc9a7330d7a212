import type { JsonObject } from "../lib/json.ts";

/** What wakes a suspended worker beside a person (spec/workers 18.1); only what was given is there. */
export interface ResumeConditions {
  /** The definition of a trigger. */
  readonly trigger?: JsonObject;
  readonly timeout?: {
    readonly duration_minutes: number;
    readonly on_timeout: "resume_with_summary" | "resume_with_input" | "fail";
  };
  /** The name of a channel. */
  readonly on_event?: string;
}

/** What an agent asks for that parks its own worker (spec/workers 17.7). */
export interface AskedSuspension {
  /** May be empty. */
  readonly reason: string;
  /** null where only a person or the parent wakes it. */
  readonly conditions: ResumeConditions | null;
}

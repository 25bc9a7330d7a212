import type { Timestamp } from "../../lib/time.ts";
import type { RawBodyRef } from "../../schema/trigger-body.ts";
import type { NormalisedEvent, TriggerEvent } from "../../schema/trigger.ts";
import type { BindingSnapshot } from "./binding.ts";
import type { RunRequest } from "./dispatch.ts";
import type { Verdict } from "./match.ts";

/** Where an accepted event is: the last three never change again. */
export type EventStatus = "accepted" | "dispatching" | "dispatched" | "skipped" | "failed";

/** Why an attempt failed. */
export interface DispatchError {
  readonly code: string;
  readonly detail: string;
}

/** One attempt to start the run of an event. */
export interface DispatchAttempt {
  readonly attempt: number;
  readonly started_at: string;
  readonly settled_at: string | null;
  readonly outcome: "started" | "failed" | null;
  readonly error: DispatchError | null;
}

/** An accepted event with all that was decided about it. */
export interface EventRecord {
  readonly status: EventStatus;
  readonly event: TriggerEvent;
  /** `receipt_<uuid>`: what the sender was given. */
  readonly receipt: string;
  readonly binding: BindingSnapshot;
  readonly verdict: Verdict;
  readonly attempts: readonly DispatchAttempt[];
  /** Not before this time the next attempt starts; null when none is waited for. */
  readonly next_at: string | null;
  readonly dispatch_id: string | null;
  readonly run_id: string | null;
  readonly error: DispatchError | null;
  /** When the dedupe key becomes free again; null: never. */
  readonly claim_expires_at: string | null;
}

/** The state of one dedupe key. */
export type EventState = { readonly status: "absent" } | EventRecord;

/** How an attempt ended. */
export type DispatchOutcome =
  | { readonly type: "started" }
  | { readonly type: "failed"; readonly code: string; readonly detail: string; readonly retryable: boolean };

/** Takes in a verified delivery. */
export interface AcceptEvent {
  readonly type: "accept";
  readonly event: NormalisedEvent;
  readonly binding: BindingSnapshot;
  readonly tenant_id: string | null;
  /** The request's trace, `trace_<uuid>`; without it a new one. */
  readonly trace_id?: string | undefined;
  /** Standard base64; leave it out when the bytes are kept elsewhere. */
  readonly raw_body?: string | undefined;
  /** Where they are kept instead. */
  readonly raw_body_ref?: RawBodyRef | undefined;
}

/** Reports how an attempt to start the run ended. */
export interface SettleDispatch {
  readonly type: "settle";
  readonly dispatch_id: string;
  readonly attempt: number;
  readonly outcome: DispatchOutcome;
}

/** What an event can be told. */
export type EventCommand = AcceptEvent | { readonly type: "dispatch" } | SettleDispatch;

/** What is written down when a delivery is taken in. */
export interface Intake {
  readonly event: TriggerEvent;
  readonly receipt: string;
  readonly binding: BindingSnapshot;
  readonly verdict: Verdict;
  readonly claim_expires_at: string | null;
}

/** What happened to an event. */
export type EventEvent =
  | ({ readonly type: "accepted" } & Intake)
  | ({ readonly type: "skipped" } & Intake)
  | {
      readonly type: "dispatch_started";
      readonly dispatch_id: string;
      readonly run_id: string;
      readonly attempt: number;
      readonly at: string;
    }
  | { readonly type: "dispatched"; readonly attempt: number; readonly at: string }
  | {
      readonly type: "retry_scheduled";
      /** The attempt that failed. */
      readonly attempt: number;
      readonly error: DispatchError;
      readonly at: string;
      readonly next_at: string;
    }
  | { readonly type: "dispatch_failed"; readonly attempt: number; readonly error: DispatchError; readonly at: string };

/** Orders of an event to the outside. */
export type EventEffect =
  /** Send the `dispatch` command, not before `at_ms`. */
  | {
      readonly type: "enqueue_dispatch";
      readonly event_id: string;
      readonly dedupe_key: string;
      readonly at_ms: Timestamp;
    }
  /** Create the run and report with `settle`. Creating it again is the same request. */
  | ({ readonly type: "start_run"; readonly attempt: number } & RunRequest);

/** Answers of an event. */
export type EventReply =
  | {
      readonly type: "receipt";
      readonly event_id: string;
      readonly receipt: string;
      readonly duplicate: boolean;
      readonly status: EventStatus;
    }
  | {
      readonly type: "dispatch";
      readonly event_id: string;
      readonly status: EventStatus;
      readonly dispatch_id: string | null;
      readonly run_id: string | null;
      /** Attempts so far. */
      readonly attempt: number;
      readonly next_at: string | null;
    };

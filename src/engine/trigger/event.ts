import type { Json, JsonObject } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import type { RawBodyRef } from "../../schema/trigger-body.ts";
import type { NormalisedEvent, TriggerEvent } from "../../schema/trigger.ts";
import type { Admission } from "./admission.ts";
import type { BindingSnapshot } from "./binding.ts";
import type { CancelCause } from "./handler.ts";
import type { Verdict } from "./match.ts";

/** Where an event is; see `machine.ts` for how it moves. The last five never change again. */
export type EventStatus =
  | "accepted"
  | "parked"
  | "deferred"
  | "waiting"
  | "dispatching"
  | "retrying"
  | "dispatched"
  | "skipped"
  | "failed"
  | "cancelled"
  | "dead_lettered";

/** Why an attempt failed. */
export interface DispatchError {
  readonly code: string;
  readonly detail: string;
}

/** How an attempt ended (spec/triggers 8). */
export type AttemptOutcome = "success" | "failed" | "timeout" | "denied" | "cancelled";

/** What kind of failure it was (spec/triggers 8, error classes). */
export type FailureClass = "local" | "timeout" | "a2a" | "denied" | "cancelled" | "not_implemented" | "infrastructure";

/** One attempt to have an event handled. */
export interface DispatchAttempt {
  readonly attempt: number;
  readonly started_at: string;
  readonly settled_at: string | null;
  readonly outcome: AttemptOutcome | null;
  readonly error: DispatchError | null;
  /** The run that handles it, for a workflow. */
  readonly run_id: string | null;
  /** Whether that run is known to exist; it then settles the attempt when it ends. */
  readonly is_running: boolean;
}

/** A request to stop an event's dispatch (spec/triggers 13.1). */
export interface CancelRequest {
  readonly requested_at: string;
  readonly requested_by: string | null;
  readonly audit_id: string | null;
  readonly reason?: string;
}

/** What a person is asked before an event is handled (spec/triggers 9.5). */
export interface ApprovalRequest {
  readonly request_id: string;
  readonly title: string;
  readonly reason: string;
  readonly detail: JsonObject;
  readonly reviewers: readonly string[];
  readonly requested_at: string;
  readonly decision: {
    readonly approved: boolean;
    readonly reviewer: string | null;
    readonly reason: string | null;
    readonly at: string;
  } | null;
}

/** One entry in the life of a dead letter (spec/triggers 12.6). */
export interface DeadLetterStep {
  readonly attempt: number;
  readonly at: string;
  readonly status: "dlq" | "replay_dlq" | "replay_succeeded" | "discarded";
  readonly error: string | null;
  /** Why it was discarded, where somebody said so. */
  readonly reason?: string;
}

/** Why an event is a dead letter, where it is not that its attempts were used up (spec/triggers 12.3). */
export type DeadLetterReason = "circuit_open" | "budget_exhausted" | "not_retryable";

/** An event that could not be handled, and what was done about it since (spec/triggers 12.6). */
export interface DeadLetter {
  readonly id: string;
  readonly state: "pending" | "resolved" | "discarded";
  readonly error: string;
  readonly error_class: string;
  readonly attempt_count: number;
  readonly reason: DeadLetterReason | null;
  readonly history: readonly DeadLetterStep[];
  readonly created_at: string;
  readonly updated_at: string;
}

/** What makes a dispatch a replay (spec/triggers 23). */
export interface ReplayOf {
  readonly event_id: string;
  /** Counts the replays of an event, from 1. */
  readonly number: number;
  /** The dead letter that is tried again. */
  readonly dlq_id: string | null;
  readonly as_of: string | null;
  readonly requested_by: string | null;
  /** Names the request: asking again under the same name makes no second replay. */
  readonly request_id?: string;
}

/** What an event remembers of its replays. */
export interface ReplaySummary {
  readonly number: number;
  readonly binding_version: number;
  readonly requested_at: string;
  readonly requested_by: string | null;
  readonly as_of: string | null;
  readonly dlq_id: string | null;
  readonly status: EventStatus;
  readonly settled_at: string | null;
  readonly run_id: string | null;
  readonly request_id?: string;
}

/** An accepted event with all that was decided about it; a replay of it is a record of its own. */
export interface EventRecord {
  readonly status: EventStatus;
  readonly event: TriggerEvent;
  /** `receipt_<uuid>`: what the sender was given. */
  readonly receipt: string;
  readonly binding: BindingSnapshot;
  readonly verdicts: readonly Verdict[];
  /** Whether predicate, budgets and flow control let it through. */
  readonly is_admitted: boolean;
  readonly attempts: readonly DispatchAttempt[];
  /** Not before this time it goes on; null when it waits for something else, or for nothing. */
  readonly next_at: string | null;
  readonly dispatch_id: string | null;
  readonly run_id: string | null;
  readonly result: Json;
  readonly error: DispatchError | null;
  /** The dedupe keys of a batch's events, its own first. */
  readonly batch: readonly string[] | null;
  readonly cancel: CancelRequest | null;
  readonly approval: ApprovalRequest | null;
  readonly dead_letter: DeadLetter | null;
  readonly replay: ReplayOf | null;
  /** The newest replays, oldest first. */
  readonly replays: readonly ReplaySummary[];
  readonly replay_count: number;
  readonly updated_at: string;
  /** When the dedupe key becomes free again; null: never. */
  readonly claim_expires_at: string | null;
}

/** The state of one dedupe key, or of one replay. */
export type EventState = { readonly status: "absent" } | EventRecord;

/** How handling an event went. */
export type HandlerReport =
  | { readonly type: "succeeded"; readonly result: Json }
  /** The run exists, and settles the attempt when it ends. */
  | { readonly type: "running" }
  /** What it would have done was done by somebody else: there is nothing left to do. */
  | { readonly type: "skipped"; readonly code: string; readonly detail: string }
  | {
      readonly type: "failed";
      readonly class: FailureClass;
      readonly code: string;
      readonly detail: string;
      readonly retryable: boolean;
    };

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
  /** How long the claim lasts at least, such as the life of the token that authorised the delivery. */
  readonly claim_ttl_ms?: number | undefined;
  /** Why the dedupe key is not what the binding's expression gives. */
  readonly dedupe_problem?: string | undefined;
  /** The event's own id, for one that is given by hand. */
  readonly event_id?: string | undefined;
}

/** Makes a replay of an event (spec/triggers 23). */
export interface AcceptReplay {
  readonly type: "accept_replay";
  readonly event: TriggerEvent;
  readonly binding: BindingSnapshot;
  readonly replay: ReplayOf;
  /** Not before this time it is dispatched. */
  readonly not_before: Timestamp | null;
}

/** Reports how an attempt went. */
export interface SettleDispatch {
  readonly type: "settle";
  readonly dispatch_id: string;
  readonly attempt: number;
  readonly outcome: HandlerReport;
  /** Whether this failure opened the circuit of the destination. */
  readonly circuit_opened?: boolean | undefined;
}

/** What the circuit of a destination says before an attempt (spec/triggers 12.4). */
export type CircuitVerdict = { readonly type: "closed" } | { readonly type: "open"; readonly retry_after_ms: number };

/** What an event can be told. */
export type EventCommand =
  | AcceptEvent
  | AcceptReplay
  | { readonly type: "admit"; readonly admission: Admission }
  /** Begins the next attempt, or names the current one again; `lease_ms` is how long it may take. */
  | { readonly type: "attempt"; readonly circuit: CircuitVerdict; readonly lease_ms: number }
  | SettleDispatch
  | {
      readonly type: "cancel";
      readonly requested_by: string | null;
      readonly audit_id: string | null;
      /** A request unless told otherwise; the end of the process that dispatches is none, and is not recorded as one. */
      readonly cause?: CancelCause | undefined;
      readonly reason?: string;
    }
  | {
      readonly type: "respond";
      readonly approved: boolean;
      readonly reviewer: string | null;
      readonly reason: string | null;
    }
  /** Remembers that a replay was made. */
  | { readonly type: "note_replay"; readonly summary: ReplaySummary }
  /** A replay is over. */
  | {
      readonly type: "end_replay";
      readonly number: number;
      readonly status: EventStatus;
      readonly error: string | null;
      readonly error_class: string;
      readonly run_id: string | null;
    }
  | { readonly type: "discard"; readonly reason?: string };

/** What is written down when a delivery is taken in. */
export interface Intake {
  readonly event: TriggerEvent;
  readonly receipt: string;
  readonly binding: BindingSnapshot;
  readonly verdicts: readonly Verdict[];
  readonly claim_expires_at: string | null;
  readonly replay: ReplayOf | null;
  readonly next_at: string | null;
}

type AttemptEnd = {
  readonly attempt: number;
  readonly outcome: AttemptOutcome;
  readonly error: DispatchError | null;
};

/** What happened to an event. */
export type EventEvent = { readonly at: string } & (
  | ({ readonly type: "accepted" } & Intake)
  | ({ readonly type: "intake_skipped" } & Intake)
  | { readonly type: "admitted"; readonly verdicts: readonly Verdict[]; readonly batch: readonly string[] | null }
  | { readonly type: "parked"; readonly verdicts: readonly Verdict[]; readonly next_at: string | null }
  | {
      readonly type: "deferred";
      readonly verdicts: readonly Verdict[];
      readonly reason: string;
      readonly next_at: string;
      readonly result: Json;
    }
  | {
      readonly type: "approval_requested";
      readonly verdicts: readonly Verdict[];
      readonly approval: ApprovalRequest;
      readonly result: Json;
    }
  | { readonly type: "approval_decided"; readonly decision: NonNullable<ApprovalRequest["decision"]> }
  | {
      readonly type: "skipped";
      readonly stage: "predicate" | "flow_control" | "approval" | "handler";
      readonly verdicts: readonly Verdict[];
      readonly detail: JsonObject;
      readonly result: Json;
    }
  | {
      readonly type: "dispatch_started";
      readonly dispatch_id: string;
      readonly run_id: string | null;
      readonly attempt: number;
      readonly lease_until: string;
    }
  | { readonly type: "run_started"; readonly attempt: number }
  | { readonly type: "attempt_ended"; readonly end: AttemptEnd }
  | { readonly type: "dispatched"; readonly result: Json }
  | {
      readonly type: "retry_scheduled";
      readonly attempt: number;
      readonly delay_ms: number;
      readonly next_at: string;
      readonly error: DispatchError;
    }
  | { readonly type: "dispatch_failed"; readonly error: DispatchError }
  | { readonly type: "cancel_requested"; readonly cancel: CancelRequest }
  | { readonly type: "cancelled"; readonly error: string }
  | { readonly type: "dead_lettered"; readonly dead_letter: DeadLetter; readonly destination: string | null }
  | { readonly type: "dead_letter_changed"; readonly dead_letter: DeadLetter }
  | { readonly type: "replay_noted"; readonly summary: ReplaySummary }
  | {
      readonly type: "replay_ended";
      readonly number: number;
      readonly status: EventStatus;
      readonly run_id: string | null;
    }
);

/** Orders of an event to the outside. */
export type EventEffect =
  /** Send the `dispatch` command, not before `at_ms`. */
  | { readonly type: "enqueue_dispatch"; readonly at_ms: Timestamp }
  /** Have the event handled and report with `settle`. Asking for the same attempt again is the same request. */
  | { readonly type: "handle"; readonly attempt: number; readonly dispatch_id: string; readonly run_id: string | null }
  /** Stop the run that handles the event. */
  | { readonly type: "cancel_run"; readonly run_id: string };

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
      /** Whether the handler is to stop. */
      readonly is_cancelled: boolean;
    };

import type { Context } from "../../src/engine/machine.ts";
import type { Admission } from "../../src/engine/trigger/admission.ts";
import type { AcceptEvent, CircuitVerdict, EventRecord, EventReply } from "../../src/engine/trigger/event.ts";
import type { HandlerCall } from "../../src/engine/trigger/handler.ts";
import type { LogRecord } from "../../src/engine/trigger/log.ts";
import type { Store } from "../storage/store.ts";
import type { EventChange } from "./event-commits.ts";
import type { Judgement, Question } from "./predicate-desk.ts";
import type { DispatchMessage } from "./trigger-messages.ts";

/** A verified delivery, with the version of the binding that it was verified under. */
export type Delivery = Omit<AcceptEvent, "type" | "binding" | "tenant_id"> & {
  readonly tenant: string | null;
  readonly version: number;
  /** The key of its row, for an event that is dispatched without claiming its dedupe key. */
  readonly key?: string | undefined;
};

/** What whoever dispatches an event has to do next, and to report with `dispatch` or `settle`. */
export type Order =
  | { readonly type: "handle"; readonly call: HandlerCall }
  /** A model decides whether the event is handled. */
  | { readonly type: "ask_model"; readonly question: Question }
  /** The object that coordinates the shards decides whether the event is handled now. */
  | { readonly type: "coordinate"; readonly ticket: string; readonly record: EventRecord }
  /** Whether calls of the destination pass just now. */
  | { readonly type: "check_circuit"; readonly destination: string; readonly attempt_id: string };

/** What is brought along when an event is dispatched again after an order. */
export interface DispatchGiven {
  readonly circuit?: CircuitVerdict | undefined;
  readonly judgement?: Judgement | undefined;
  /** What the coordinating object says. */
  readonly admission?: Admission | undefined;
}

/** What the object that coordinates shards says about an event of one. */
export type Coordination =
  | Admission
  | { readonly type: "ask"; readonly question: Question }
  | { readonly type: "asked" };

/** The answer to a request about an event. */
export interface EventAnswer extends EventChange {
  /** Of a request that told the event nothing: null. */
  readonly reply: EventReply | null;
  readonly order: Order | null;
  /** A run that is to be stopped. */
  readonly cancel_run: string | null;
}

/** What a replay is asked for with (spec/triggers 23). */
export interface ReplayRequest {
  /** The version of the binding that handles it. */
  readonly version: number;
  readonly as_of: string | null;
  readonly dlq_id: string | null;
  readonly requested_by: string | null;
  readonly not_before: number | null;
  /** Names the request: asking again under the same name makes no second replay. */
  readonly request_id?: string | undefined;
}

/** What a trigger's events need around them. */
export interface TriggerHosting {
  readonly store: Store;
  readonly context: () => Context;
  readonly objectId: string;
  /** Where queues keep their messages in memory, as the local server's do, a message that was sent may be lost. */
  readonly queuesForget: boolean;
  /** Sends messages; it is not waited for, and what is lost is sent again. */
  readonly send: (messages: readonly DispatchMessage[]) => void;
  /** Events that changed without being asked for. */
  readonly changed: (changes: readonly EventChange[]) => void;
  /** Tells the coordinating object that an event of this shard is over, and then forgets the message of this id. */
  readonly left?: (id: string, ticket: string) => void;
  /** The event log of what happened (spec/triggers 3). */
  readonly log?: (records: readonly LogRecord[]) => void;
}

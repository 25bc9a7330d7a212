import { type Answer, type Context, reject, type Rejection } from "../../src/engine/machine.ts";
import {
  acceptingBinding,
  type BindingCommand,
  type BindingEvent,
  bindingMachine,
  type BindingReply,
  type BindingState,
  definitionOf,
} from "../../src/engine/trigger/binding.ts";
import { destinationOf, handlerFor, hasCircuit } from "../../src/engine/trigger/definition-handler.ts";
import type {
  AcceptEvent,
  CircuitVerdict,
  EventRecord,
  EventReply,
  ReplayOf,
  ReplaySummary,
  SettleDispatch,
} from "../../src/engine/trigger/event.ts";
import { isFinal } from "../../src/engine/trigger/evolve.ts";
import type { HandlerCall } from "../../src/engine/trigger/handler.ts";
import type { LogRecord } from "../../src/engine/trigger/log.ts";
import { logRecords } from "../../src/engine/trigger/log.ts";
import { claimIsExpired } from "../../src/engine/trigger/machine.ts";
import { nextStep } from "../../src/engine/trigger/proceed.ts";
import type { TriggerEvent } from "../../src/schema/trigger.ts";
import { TRIGGER } from "../migrations/trigger.ts";
import type { Store } from "../storage/store.ts";
import { EventDraft } from "./event-draft.ts";
import { goesOnNow, wakeTime } from "./event-waking.ts";
import { encodeEvent, insertEvent, isDedupeKey, loadEvent, replayKey, updateEvent } from "./keyed-events.ts";
import { heldMessages, holdMessage, RESEND_MS, takeDueMessages } from "./keyed-outbox.ts";
import { MachineShell } from "./machine-shell.ts";
import { nextEffectAt, settleEffect } from "./outbox.ts";
import { type Judgement, type Question, TriggerControl } from "./trigger-control.ts";
import { handlerCall } from "./trigger-orders.ts";

/** A hint that an event waits for its dispatch; the event itself stays in its object (architecture 4, step 4). */
export interface DispatchMessage {
  readonly v: 1;
  readonly tenant: string;
  readonly trigger_id: string;
  readonly event_id: string;
  /** The key of the event's row: its dedupe key, or the key of a replay. */
  readonly dedupe_key: string;
}

/** What the outbox holds: an open event with the version that handles it, or one the list is to be told of once more. */
type HeldMessage = (DispatchMessage & { readonly version: number }) | { readonly v: 1; readonly listed: string };

/** A verified delivery, with the version of the binding that it was verified under. */
export type Delivery = Omit<AcceptEvent, "type" | "binding" | "tenant_id"> & {
  readonly tenant: string;
  readonly version: number;
};

/** What whoever dispatches an event has to do next, and to report with `dispatch` or `settle`. */
export type Order =
  | { readonly type: "handle"; readonly call: HandlerCall }
  /** A model decides whether the event is handled. */
  | { readonly type: "ask_model"; readonly question: Question }
  /** Whether calls of the destination pass just now. */
  | { readonly type: "check_circuit"; readonly destination: string };

/** What is brought along when an event is dispatched again after an order. */
export interface DispatchGiven {
  readonly circuit?: CircuitVerdict | undefined;
  readonly judgement?: Judgement | undefined;
}

/** An event after a request. */
export interface EventChange {
  readonly record: EventRecord;
  /** Counts up with everything that happens to the event. */
  readonly seq: number;
}

/** The answer to a request about an event. */
export interface EventAnswer extends EventChange {
  readonly reply: EventReply;
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
  /** The event log of what happened (spec/triggers 3). */
  readonly log?: (records: readonly LogRecord[]) => void;
}

const CLOSED: CircuitVerdict = { type: "closed" };

/** Longer than the longest handler, whoever performs it: an attempt is only given up when nobody can be at work on it. */
const LEASE_SLACK_MS = 30_000;

const outboxId = (record: EventRecord): string =>
  record.replay === null ? record.event.id : `${record.event.id}#${record.replay.number}`;

/**
 * The events of one trigger on one store, with the binding that accepts them: each request is one transaction (I3).
 *
 * Nothing waits in here. What has to happen outside is an order in the answer; the alarm looks after what nobody did.
 */
export class TriggerShell {
  readonly binding: MachineShell<BindingState, BindingCommand, BindingEvent, never, BindingReply>;
  readonly #hosting: TriggerHosting;
  #control: TriggerControl | null = null;
  /** The alarm this instance knows to be set. */
  #armedAt: number | null = null;

  constructor(hosting: TriggerHosting) {
    this.#hosting = hosting;
    const { store, context, objectId } = hosting;
    this.binding = new MachineShell(
      {
        machine: bindingMachine,
        migrations: TRIGGER,
        reducerVersion: 2,
        headOf: (state) => (state.status === "absent" ? null : { status: state.status, version: state.current.version }),
        wakeAt: () => null,
        store,
        context,
        objectId,
      },
      () => undefined,
    );
  }

  /**
   * Takes in a verified delivery: claim, event, waker and alarm in one commit, or the receipt of the first delivery.
   * `stale` asks to verify again: the binding has changed since.
   */
  accept({ tenant, version, ...delivery }: Delivery): Answer<EventAnswer> | "stale" {
    const binding = acceptingBinding(this.binding.state);
    if (!binding.ok) return { ok: false, rejection: binding.error };
    if (binding.value.version !== version) return "stale";
    const key = delivery.event.dedupe_key;
    if (!isDedupeKey(key)) return reject("invalid_request", "the dedupe key is empty or begins with a control character");
    const draft = this.#draft(key);
    const isFree = claimIsExpired(draft.state, this.#now());
    const next = isFree ? new EventDraft(key, { state: { status: "absent" }, journal: [] }, this.#context()) : draft;
    const refusal = next.tell({ type: "accept", ...delivery, binding: binding.value, tenant_id: tenant });
    return refusal === null ? this.#commit(next) : { ok: false, rejection: refusal };
  }

  /** Takes an event as far as it goes without help, and says what help it needs; messages and alarms call this. */
  dispatch(key: string, given: DispatchGiven = {}): Answer<EventAnswer> {
    const draft = this.#draft(key);
    if (draft.state.status === "absent") return unknownEvent;
    let order: Order | null = null;
    if (nextStep(draft.record, this.#now()) === "admission") {
      const admission = this.#controls().admit(draft.record, { key, now: this.#now(), judgement: given.judgement });
      if (admission.type === "ask") order = { type: "ask_model", question: admission.question };
      else draft.tell({ type: "admit", admission });
    }
    if (order === null && nextStep(draft.record, this.#now()) === "attempt") order = this.#attempt(draft, given);
    if (draft.reply === null) draft.tell({ type: "attempt", circuit: CLOSED, lease_ms: 0 });
    return this.#commit(draft, order);
  }

  /** Records how an attempt went. */
  settle(key: string, report: Omit<SettleDispatch, "type">): Answer<EventAnswer> {
    return this.#tell(key, { type: "settle", ...report });
  }

  /** Stops an event's dispatch wherever it is. */
  cancel(key: string, by: { readonly requested_by: string | null; readonly audit_id: string | null }): Answer<EventAnswer> {
    return this.#tell(key, { type: "cancel", ...by });
  }

  /** Takes a person's answer to what an autonomy budget asked. */
  respond(
    key: string,
    response: { readonly approved: boolean; readonly reviewer: string | null; readonly reason: string | null },
  ): Answer<EventAnswer> {
    return this.#tell(key, { type: "respond", ...response });
  }

  /** Takes a dead letter off the list. */
  discard(key: string, dlqId: string): Answer<EventAnswer> {
    const known = this.#draft(key).state;
    if (known.status === "absent" || known.dead_letter?.id !== dlqId)
      return reject("dead_letter_not_found", `unknown pending DLQ entry '${dlqId}'`);
    return this.#tell(key, { type: "discard" });
  }

  /** Makes a replay of an event; its answer is about the replay. A dead letter that is tried again has to be pending. */
  replay(key: string, request: ReplayRequest): Answer<EventAnswer> {
    const original = this.#draft(key);
    if (original.state.status === "absent") return unknownEvent;
    const { event, dead_letter, replay_count, binding } = original.record;
    const { version, as_of, dlq_id, requested_by, not_before } = request;
    if (dlq_id !== null && (dead_letter?.id !== dlq_id || dead_letter.state !== "pending"))
      return reject("dead_letter_not_found", `unknown pending DLQ entry '${dlq_id}'`);
    const definition = definitionOf(this.binding.state, version);
    if (definition === null)
      return reject("invalid_request", `unknown trigger binding '${binding.trigger_id}' version ${version}`);
    const number = replay_count + 1;
    const replay: ReplayOf = { event_id: event.id, number, dlq_id, as_of, requested_by };
    const draft = this.#draft(replayKey(key, number));
    draft.tell({ type: "accept_replay", event, binding: { ...binding, version, definition }, replay, not_before });
    const summary: ReplaySummary = {
      number,
      binding_version: version,
      requested_at: draft.record.updated_at,
      requested_by,
      as_of,
      dlq_id,
      status: "accepted",
      settled_at: null,
      run_id: null,
    };
    original.tell({ type: "note_replay", summary });
    return this.#commit(draft, null, [original]);
  }

  /** The event of a key, if it still is the one with this id; null when there is none. */
  event(key: string, eventId: string): EventRecord | null {
    const { state } = this.#draft(key);
    return state.status === "absent" || state.event.id !== eventId ? null : state;
  }

  /** What happened to an event, in the words of the event log. */
  eventLog(key: string): readonly LogRecord[] {
    const { journal } = this.#load(key);
    const draft = new EventDraft(key, { state: { status: "absent" }, journal: [] }, this.#context());
    return journal.flatMap((event) => logRecords(draft.fold(event), event));
  }

  /** Messages of everything that is open; after the process that held the queues is gone, all of them are sent again. */
  *openMessages(): Generator<readonly DispatchMessage[]> {
    for (const messages of heldMessages<HeldMessage>(this.#hosting.store)) yield messages.filter(isOpen);
  }

  /** Does what has become due, and arms the alarm for what comes next; the messages are to be sent. */
  alarm(): readonly HeldMessage[] {
    this.#armedAt = null;
    const { store } = this.#hosting;
    const now = this.#now();
    return store.transaction(() => {
      const control = this.#controls();
      control.wake(now);
      const woken = this.#wakeControlled();
      const due = takeDueMessages<HeldMessage>(store, now);
      this.#arm(now);
      return [...woken, ...due];
    });
  }
}

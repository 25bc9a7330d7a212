import { type Answer, type Context, reject } from "../../src/engine/machine.ts";
import {
  acceptingBinding,
  type BindingCommand,
  type BindingEvent,
  bindingMachine,
  type BindingReply,
  type BindingState,
  definitionOf,
} from "../../src/engine/trigger/binding.ts";
import { destinationOf, hasCircuit } from "../../src/engine/trigger/definition-handler.ts";
import {
  beginInFlight,
  type BindingLoad,
  busyVersions,
  finishInFlight,
  idleVersions,
  loadOf,
  tendedLoad,
} from "../../src/engine/trigger/binding-load.ts";
import type {
  AcceptEvent,
  CircuitVerdict,
  EventCommand,
  EventRecord,
  EventReply,
  ReplayOf,
  ReplaySummary,
  SettleDispatch,
} from "../../src/engine/trigger/event.ts";
import type { FlowWoken } from "../../src/engine/trigger/flow/changes.ts";
import type { HandlerCall } from "../../src/engine/trigger/handler.ts";
import { type LogRecord, logRecords } from "../../src/engine/trigger/log.ts";
import { claimIsExpired } from "../../src/engine/trigger/machine.ts";
import { nextStep } from "../../src/engine/trigger/proceed.ts";
import { TRIGGER } from "../migrations/trigger.ts";
import type { Store } from "../storage/store.ts";
import { EventDraft } from "./event-draft.ts";
import { leaseOf, mustHold, wakeTime } from "./event-waking.ts";
import { insertEvent, isDedupeKey, type KeptEvent, loadEvent, replayKey, updateEvent } from "./keyed-events.ts";
import { heldMessages, holdMessage, RESEND_MS, takeDueMessages } from "./keyed-outbox.ts";
import { MachineShell } from "./machine-shell.ts";
import { nextEffectAt, settleEffect } from "./outbox.ts";
import type { Judgement, Question } from "./predicate-desk.ts";
import { admittedWith, skippedBy, TriggerControl } from "./trigger-control.ts";
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
export type HeldMessage = OpenMessage | ListedMessage;

/** An event that is open, with the version that handles it. */
type OpenMessage = DispatchMessage & { readonly version: number };

/** An event that is over, which the list is to be told of once more. */
interface ListedMessage {
  readonly v: 1;
  readonly id: string;
  readonly listed: string;
}

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

const NO_EVENT: KeptEvent = { state: { status: "absent" }, journal: [] };

const unknownLetter = (id: string): Answer<never> =>
  reject("dead_letter_not_found", `unknown pending DLQ entry '${id}'`);

const unknownEvent = reject("event_not_found", "there is no such event");

const outboxId = (record: EventRecord): string =>
  record.replay === null ? record.event.id : `${record.event.id}#${record.replay.number}`;

const messageFor = ({ event, binding }: EventRecord, key: string): OpenMessage => ({
  v: 1,
  tenant: event.tenant_id ?? "",
  trigger_id: binding.trigger_id,
  event_id: event.id,
  dedupe_key: key,
  version: binding.version,
});

const FINISHED = { dispatched: "dispatched", skipped: "dispatched", failed: "failed", cancelled: "failed" } as const;

/** What a finished event counts as among those of its version (spec/triggers 6.4). */
const loadOutcome = ({ status }: EventRecord): "dispatched" | "failed" | "dlq" =>
  status in FINISHED ? FINISHED[status as keyof typeof FINISHED] : "dlq";

/**
 * The events of one trigger on one store, with the binding that accepts them: each request is one transaction (I3).
 *
 * Nothing waits in here. What has to happen outside is an order in the answer; the alarm looks after what nobody did.
 */
export class TriggerShell {
  readonly binding: MachineShell<BindingState, BindingCommand, BindingEvent, never, BindingReply>;
  readonly #hosting: TriggerHosting;
  #control: TriggerControl | null = null;
  #inFlight: BindingLoad | null = null;
  /** The alarm this instance knows to be set. */
  #armedAt: number | null = null;
  #outgoing: DispatchMessage[] = [];

  constructor(hosting: TriggerHosting) {
    this.#hosting = hosting;
    const { store, context, objectId } = hosting;
    this.binding = new MachineShell(
      {
        machine: bindingMachine,
        migrations: TRIGGER,
        reducerVersion: 2,
        headOf: (state) =>
          state.status === "absent" ? null : { status: state.status, version: state.current.version },
        wakeAt: () => null,
        // Loading the binding sets the alarm: flow control times things as well as the outbox (I1).
        store: { ...store, setAlarm: (at) => this.#arm(at) },
        context,
        objectId,
      },
      () => undefined,
    );
  }

  /** What each version has in flight and has done since the object woke (spec/triggers 6.4). */
  get load(): BindingLoad {
    this.#inFlight ??= loadOf(this.binding.state, this.#openVersions());
    // Something may have gone wrong between the end of a version's last event and its own.
    this.#endIdle(this.#inFlight);
    return this.#inFlight;
  }

  /** Tells the binding; versions that have something in flight drain, and end with it. */
  configure(command: BindingCommand): Answer<BindingReply> {
    const withBusy =
      command.type === "configure" || command.type === "delete"
        ? { ...command, busy: busyVersions(this.load) }
        : command;
    const answer = this.binding.execute(withBusy);
    this.#inFlight = tendedLoad(this.binding.state, this.load);
    return answer;
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
    if (!isDedupeKey(key))
      return reject("invalid_request", "the dedupe key is empty or begins with a control character");
    const known = this.#draft(key);
    const draft = claimIsExpired(known.state, this.#now()) ? this.#newDraft(key) : known;
    const refusal = draft.tell({ type: "accept", ...delivery, binding: binding.value, tenant_id: tenant });
    return refusal === null ? this.#commit(draft) : { ok: false, rejection: refusal };
  }

  /** Takes an event as far as it goes without help, and says what help it needs; messages lead here. */
  dispatch(key: string, given: DispatchGiven = {}): Answer<EventAnswer> {
    const draft = this.#draft(key);
    if (draft.state.status === "absent") return unknownEvent;
    const now = this.#now();
    let order: Order | null = null;
    if (nextStep(draft.record, now) === "admission") {
      const admission = this.#controls().admit(draft.record, { key, now, judgement: given.judgement });
      if (admission.type === "ask") order = { type: "ask_model", question: admission.question };
      else if (admission.type !== "asked") draft.tell({ type: "admit", admission });
    }
    if (order === null && nextStep(draft.record, now) === "attempt") order = this.#attempt(draft, given);
    return this.#commit(draft, order);
  }

  /** Records how an attempt went. */
  settle(key: string, report: Omit<SettleDispatch, "type">): Answer<EventAnswer> {
    const answer = this.#tell(key, { type: "settle", ...report });
    if (answer.ok && report.outcome.type === "running") this.#keepPermits(key);
    return answer;
  }

  /** Stops an event's dispatch wherever it is. */
  cancel(
    key: string,
    by: { readonly requested_by: string | null; readonly audit_id: string | null },
  ): Answer<EventAnswer> {
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
    const { state } = this.#draft(key);
    if (state.status === "absent" || state.dead_letter?.id !== dlqId) return unknownLetter(dlqId);
    return this.#tell(key, { type: "discard" });
  }

  /** Makes a replay of an event; the answer is about the replay. A dead letter that is tried again has to be pending. */
  replay(key: string, request: ReplayRequest): Answer<EventAnswer> {
    const original = this.#draft(key);
    if (original.state.status === "absent") return unknownEvent;
    const { event, dead_letter, replay_count, binding } = original.record;
    const { version, as_of, dlq_id, requested_by, not_before } = request;
    if (dlq_id !== null && (dead_letter?.id !== dlq_id || dead_letter.state !== "pending"))
      return unknownLetter(dlq_id);
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
  event(key: string, eventId: string): EventChange | null {
    const { state, seq } = this.#draft(key);
    return state.status === "absent" || state.event.id !== eventId ? null : { record: state, seq };
  }

  /** The event of a key as it is now; null when there is none. */
  latest(key: string): EventChange | null {
    const { state, seq } = this.#draft(key);
    return state.status === "absent" ? null : { record: state, seq };
  }

  /** What happened to an event, in the words of the event log (spec/triggers 3). */
  eventLog(key: string): readonly LogRecord[] {
    const replayed = this.#newDraft(key);
    return this.#load(key).journal.flatMap((event) => logRecords(replayed.fold(event), event));
  }

  /** Messages of everything that is open: after the process that held the queues is gone, all of them are sent again. */
  *openMessages(): Generator<readonly HeldMessage[]> {
    if (this.binding.state.status !== "absent") yield* heldMessages<HeldMessage>(this.#hosting.store);
  }

  /** Looks after everything again, as after a restart. */
  rearm(): void {
    this.#armedAt = null;
    if (this.binding.state.status === "absent") return;
    this.#controls();
    this.#arm(this.#now());
  }

  /** An event that was listed needs its message no more. */
  forget(message: HeldMessage): void {
    if ("listed" in message) settleEffect(this.#hosting.store, message.id);
  }

  /** Does what has become due and arms the alarm for what comes next; the messages are to be sent. */
  alarm(): readonly HeldMessage[] {
    this.#armedAt = null;
    if (this.binding.state.status === "absent") return [];
    const now = this.#now();
    const drafts: EventDraft[] = [];
    const due = this.#transaction(() => {
      const control = this.#controls();
      control.wake(now);
      this.#move(drafts);
      const messages = takeDueMessages<HeldMessage>(this.#hosting.store, now);
      this.#arm();
      return messages;
    });
    this.#published(drafts, null);
    return due;
  }

  #now(): number {
    return this.#hosting.context().now;
  }

  #load(key: string): KeptEvent {
    const { state } = this.binding;
    if (state.status === "absent") return NO_EVENT;
    return loadEvent(this.#hosting.store, key, (version) => definitionOf(state, version));
  }

  #draft(key: string): EventDraft {
    return new EventDraft(key, this.#load(key), this.#hosting.context());
  }

  #newDraft(key: string): EventDraft {
    return new EventDraft(key, NO_EVENT, this.#hosting.context());
  }

  #controls(): TriggerControl {
    this.#control ??= new TriggerControl(this.#hosting.store);
    return this.#control;
  }

  #openVersions(): readonly number[] {
    const versions: number[] = [];
    for (const messages of this.openMessages())
      for (const message of messages) if ("version" in message) versions.push(message.version);
    return versions;
  }

  /** Begins the next attempt where nothing stands in its way. */
  #attempt(draft: EventDraft, given: DispatchGiven): Order | null {
    const { definition } = draft.record.binding;
    const isNext = draft.record.status !== "dispatching";
    if (isNext && hasCircuit(definition) && given.circuit === undefined)
      return { type: "check_circuit", destination: destinationOf(definition) };
    // Permits that were lost meanwhile have to be had again; the event is woken when they are.
    if (isNext && !this.#controls().hold(draft.key, this.#now())) return null;
    draft.tell({ type: "attempt", circuit: given.circuit ?? CLOSED, lease_ms: leaseOf(draft.record) });
    if (!draft.effects.some(({ type }) => type === "handle")) return null;
    const batch = (draft.record.batch ?? []).flatMap((key) => {
      const { state } = this.#load(key);
      return state.status === "absent" ? [] : [state.event];
    });
    return { type: "handle", call: handlerCall(draft.record, batch) };
  }

  #tell(key: string, command: EventCommand): Answer<EventAnswer> {
    const draft = this.#draft(key);
    const refusal = draft.tell(command);
    return refusal === null ? this.#commit(draft) : { ok: false, rejection: refusal };
  }

  /** Writes what has happened to an event, and what that means for others, in one transaction. */
  #commit(draft: EventDraft, order: Order | null = null, others: readonly EventDraft[] = []): Answer<EventAnswer> {
    if (draft.state.status === "absent") return unknownEvent;
    if (draft.isNew && draft.fresh.length > 0 && draft.encoded === null)
      return reject("payload_too_large", "the delivery is too large to be stored");
    const drafts = [draft, ...others];
    if (drafts.some(({ fresh }) => fresh.length > 0) || this.#control?.isPending === true) {
      this.#transaction(() => this.#write(drafts));
      this.#published(drafts, draft);
    }
    const stop = draft.effects.find((effect) => effect.type === "cancel_run");
    const { record, seq, reply } = draft;
    return { ok: true, reply: { record, seq, reply, order, cancel_run: stop?.run_id ?? null } };
  }

  /** What one event's end does to others is added to the list while it is gone through. */
  #write(drafts: EventDraft[]): void {
    for (const draft of drafts) this.#writeOne(draft, drafts);
    this.#move(drafts);
  }

  #writeOne(draft: EventDraft, drafts: EventDraft[]): void {
    const { store } = this.#hosting;
    if (draft.fresh.length === 0) return;
    if (draft.isNew && draft.encoded !== null) insertEvent(store, draft.key, draft.encoded);
    else updateEvent(store, draft.key, draft.journal);
    this.#hold(draft);
    if (!draft.isOver) return;
    this.#controls().leave(draft.key, this.#now());
    const { replay, event, status, error, run_id, dead_letter } = draft.record;
    if (replay === null) return;
    const original = this.#draft(event.dedupe_key);
    if (original.state.status === "absent" || original.state.event.id !== event.id) return;
    original.tell({
      type: "end_replay",
      number: replay.number,
      status,
      error: error?.detail ?? null,
      error_class: dead_letter?.error_class ?? "unknown",
      run_id,
    });
    drafts.push(original);
  }

  /** Writes what flow control has decided, and carries it out on the events it concerns. */
  #move(drafts: EventDraft[]): void {
    const control = this.#control;
    for (let moved = control?.flush(this.#now()); control !== null && moved !== undefined;) {
      const { woken, skipped, log, more } = moved;
      this.#hosting.log?.(log);
      for (const one of woken) this.#wake(one, drafts);
      for (const { id, reason } of skipped) {
        const draft = this.#draft(id);
        if (draft.state.status === "absent" || draft.isOver) continue;
        const verdicts = [{ stage: "flow_control", outcome: "skipped", reason }] as const;
        draft.tell({ type: "admit", admission: skippedBy(reason, verdicts) });
        // The end of a replay is written down in its original, which is added to the list.
        const first = drafts.push(draft) - 1;
        for (let next = first; next < drafts.length; next += 1) this.#writeOne(drafts[next] as EventDraft, drafts);
      }
      if (more) this.#armedAt = null;
      if (!control.isPending) break;
      moved = control.flush(this.#now());
    }
    if (control !== null) this.#armFor(control.nextDueAt());
  }

  /**
   * An event goes on now, which is written down at once: a ticket without permits is gone with it. Its message is sent with
   * the commit, and again if nobody takes it.
   */
  #wake({ id: key, members }: FlowWoken, drafts: EventDraft[]): void {
    const known = drafts.find((one) => one.key === key);
    const draft = known ?? this.#draft(key);
    if (draft.state.status === "absent" || draft.isOver) return;
    draft.tell({ type: "admit", admission: admittedWith([], members) });
    if (draft.fresh.length > 0) {
      updateEvent(this.#hosting.store, key, draft.journal);
      if (known === undefined) drafts.push(draft);
    }
    const state = draft.record;
    const message = messageFor(state, key);
    holdMessage(this.#hosting.store, outboxId(state), message, this.#now() + RESEND_MS);
    this.#outgoing.push(message);
    this.#armFor(this.#now() + RESEND_MS);
  }

  /** Keeps, moves or takes away the row that has an event looked after (E2). */
  #hold(draft: EventDraft): void {
    const { store, queuesForget } = this.#hosting;
    const { record, key, isNew } = draft;
    const now = this.#now();
    const id = outboxId(record);
    if (draft.isOver && draft.wasOver) return;
    const at = wakeTime(record, now);
    if (at === null) {
      // Where queues forget, the list is told once more before the event's message goes.
      if (queuesForget) holdMessage(store, id, { v: 1, id, listed: key }, now + RESEND_MS);
      else if (!isNew) settleEffect(store, id);
      if (queuesForget) this.#armFor(now + RESEND_MS);
      return;
    }
    if (!isNew && !mustHold(draft.fresh, draft.effects)) return;
    const message = messageFor(record, key);
    holdMessage(store, id, message, at);
    this.#armFor(at);
    if (draft.effects.some((effect) => effect.type === "enqueue_dispatch" && effect.at_ms <= now))
      this.#outgoing.push(message);
    if (record.status === "retrying") this.#controls().renew(key, at);
  }

  /** Sends, tells and counts what was committed. */
  #published(drafts: readonly EventDraft[], asked: EventDraft | null): void {
    const hosting = this.#hosting;
    for (const draft of drafts) hosting.log?.(draft.log());
    const messages = this.#outgoing;
    this.#outgoing = [];
    if (messages.length > 0) hosting.send(messages);
    const others = drafts.filter((draft) => draft !== asked && draft.fresh.length > 0);
    if (others.length > 0) hosting.changed(others.map(({ record, seq }) => ({ record, seq })));
    // What is counted for the first time is read from rows that have all of this already.
    if (this.#inFlight === null) this.#tend(drafts);
    else for (const draft of drafts) this.#count(draft);
  }

  /** Nobody has asked since the object woke: only the end of a version has to be found. */
  #tend(drafts: readonly EventDraft[]): void {
    const { state } = this.binding;
    const isEnd = drafts.some(({ isOver, fresh }) => isOver && fresh.length > 0);
    if (isEnd && state.status !== "absent" && state.versions.some((one) => one.state === "draining"))
      this.#endIdle(this.load);
  }

  /** Counts events in and out of their versions; a version that drains ends with its last event (spec/triggers 6.4). */
  #count(draft: EventDraft): void {
    const { state } = this.binding;
    if (draft.fresh.length === 0 || state.status === "absent" || this.#inFlight === null) return;
    const { trigger_id, version } = draft.record.binding;
    if (draft.isNew) {
      const is_replay = draft.record.replay !== null;
      const begun = beginInFlight(state, this.#inFlight, { trigger_id, version, now: this.#now(), is_replay });
      if (begun.ok) this.#inFlight = begun.value;
    }
    if (!draft.isOver || draft.wasOver) return;
    const outcome = loadOutcome(draft.record);
    const finished = finishInFlight(this.#inFlight, { trigger_id, version, outcome });
    if (finished.ok) this.#inFlight = finished.value;
    this.#endIdle(this.#inFlight);
  }

  #endIdle(load: BindingLoad): void {
    const { state } = this.binding;
    try {
      for (const version of idleVersions(state, load)) this.binding.execute({ type: "drained", version });
    } catch (error) {
      // What was not counted because of it is found out anew.
      this.#inFlight = null;
      throw error;
    }
  }

  #keepPermits(key: string): void {
    const { status, next_at } = this.#draft(key).record;
    if (status !== "dispatching" || next_at !== null) return;
    const control = this.#controls();
    control.hold(key, this.#now());
    if (control.isPending) this.#transaction(() => this.#move([]));
  }

  /** Moves the alarm only when it is missing or comes too late: setting it costs a row. */
  #armFor(at: number | null): void {
    if (at === null) return;
    const now = this.#now();
    if (this.#armedAt !== null && this.#armedAt > now && this.#armedAt <= at) return;
    // An instance that knows of no alarm, or of one that is due, looks after what is still to be done (I1).
    if (this.#armedAt === null || this.#armedAt <= now) return this.#arm(at);
    this.#setAlarm(Math.max(at, now));
  }

  #arm(otherwise: number | null = null): void {
    // Also an instance that was not asked about flow control yet must not put off what that has timed.
    const times = [nextEffectAt(this.#hosting.store), this.#controls().nextDueAt(), otherwise];
    const known = times.filter((time): time is number => time !== null);
    if (known.length > 0) this.#setAlarm(Math.max(Math.min(...known), this.#now()));
  }

  #setAlarm(at: number): void {
    this.#armedAt = at;
    this.#hosting.store.setAlarm(at);
  }

  #transaction<T>(body: () => T): T {
    try {
      return this.#hosting.store.transaction(body);
    } catch (error) {
      // Only a committed transaction may change what this instance believes.
      this.#control = null;
      this.#inFlight = null;
      this.#armedAt = null;
      this.#outgoing = [];
      throw error;
    }
  }
}

import type { Context } from "../../src/engine/machine.ts";
import type { EventRecord } from "../../src/engine/trigger/event.ts";
import type { LogRecord } from "../../src/engine/trigger/log.ts";
import type { Store } from "../storage/store.ts";
import { keepVerdict, needsCoordinator } from "./coordinated.ts";
import type { EventAlarm } from "./event-alarm.ts";
import type { EventBook } from "./event-book.ts";
import type { EventDraft } from "./event-draft.ts";
import type { EventOutbox } from "./event-outbox.ts";
import { replayedKey } from "./keyed-events.ts";
import { parseTicket, ticketMessage, ticketText } from "./shard-ticket.ts";
import { admittedBy, type Moved, skippedBy, TriggerControl } from "./trigger-control.ts";
import { type DispatchMessage, outboxId } from "./trigger-messages.ts";
import type { VersionLoads } from "./version-loads.ts";

/** An event after a request. */
export interface EventChange {
  readonly record: EventRecord;
  /** Counts up with everything that happens to the event. */
  readonly seq: number;
}

interface CommitHosting {
  readonly store: Store;
  readonly context: () => Context;
  readonly book: EventBook;
  readonly outbox: EventOutbox;
  readonly alarm: EventAlarm;
  readonly loads: VersionLoads;
  readonly triggerId: () => string;
  readonly shard: () => number | null;
  readonly send: (messages: readonly DispatchMessage[]) => void;
  readonly changed: (changes: readonly EventChange[]) => void;
  readonly left: (id: string, ticket: string) => void;
  readonly log: ((records: readonly LogRecord[]) => void) | undefined;
}

const FLOW_STAGE = "flow_control";

/** Commits what happens to events, with everything that it means for other events, in one transaction (I3). */
export class EventCommits {
  readonly #hosting: CommitHosting;
  #control: TriggerControl | null = null;
  #ended: { readonly id: string; readonly ticket: string }[] = [];

  constructor(hosting: CommitHosting) {
    this.#hosting = hosting;
  }

  /** What decides whether events are handled now. */
  get control(): TriggerControl {
    this.#control ??= new TriggerControl(this.#hosting.store);
    return this.#control;
  }

  /** When flow control has something to do next; null for never. */
  get dueAt(): number | null {
    return this.control.nextDueAt();
  }

  /** Whether something has to be written although no event has changed. */
  get isPending(): boolean {
    return this.#control?.isPending === true;
  }

  /** Commits some drafts; `asked` is the one whose caller tells the list of events of it. */
  commit(drafts: EventDraft[], asked: EventDraft | null): void {
    if (drafts.every(({ fresh }) => fresh.length === 0) && !this.isPending) return;
    this.transaction(() => this.write(drafts));
    this.publish(drafts, asked);
  }

  /** The ticket of an event at the object that coordinates the shards; null where this object decides by itself. */
  ticketOf({ key, record }: EventDraft): string | null {
    const shard = this.#hosting.shard();
    if (shard === null || !needsCoordinator(record.binding.definition)) return null;
    const { tenant_id, id: event_id } = record.event;
    return ticketText({ shard, tenant: tenant_id ?? "", event_id, key });
  }

  /** Somebody came for an event that is over: whoever coordinates it may have let it in again meanwhile. */
  endAgain(draft: EventDraft): void {
    const ticket = this.ticketOf(draft);
    if (ticket === null) return;
    this.transaction(() => this.#hosting.outbox.end(draft, ticket));
    this.#ended.push({ id: outboxId(draft.record), ticket });
    this.publish([], null);
  }

  /** Writes drafts inside a transaction; what one event's end does to others is added to the list on the way. */
  write(drafts: EventDraft[]): void {
    for (const draft of drafts) this.#writeOne(draft, drafts);
    this.move(drafts);
  }

  /** Writes what flow control has decided, and carries it out on the events it concerns. */
  move(drafts: EventDraft[]): void {
    const { alarm, context, log } = this.#hosting;
    const control = this.#control;
    if (control === null) return;
    for (let moved = control.flush(context().now); ; moved = control.flush(context().now)) {
      log?.(moved.log);
      for (const woken of moved.woken) this.#wake(woken, drafts);
      for (const { id, reason } of moved.skipped) this.#skip(id, reason, drafts);
      for (const id of moved.expired) this.#expire(id);
      if (moved.more) alarm.forget();
      if (!control.isPending) break;
    }
    alarm.armFor(control.nextDueAt());
  }

  /** Sends, tells and counts what was committed. */
  publish(drafts: readonly EventDraft[], asked: EventDraft | null): void {
    const { outbox, loads, context, send, changed, left, log } = this.#hosting;
    for (const draft of drafts) log?.(draft.log());
    const messages = outbox.takeOutgoing();
    if (messages.length > 0) send(messages);
    const others = drafts.filter((draft) => draft !== asked && draft.fresh.length > 0);
    if (others.length > 0) changed(others.map(({ record, seq }) => ({ record, seq })));
    const ended = this.#ended;
    this.#ended = [];
    for (const { id, ticket } of ended) left(id, ticket);
    loads.count(drafts, context().now);
  }

  /** Runs a transaction; only a committed one may change what this instance believes. */
  transaction<T>(body: () => T): T {
    const { store, outbox, alarm, loads } = this.#hosting;
    try {
      return store.transaction(body);
    } catch (error) {
      this.#control = null;
      this.#ended = [];
      outbox.takeOutgoing();
      alarm.forget();
      loads.forget();
      throw error;
    }
  }

  #writeOne(draft: EventDraft, drafts: EventDraft[]): void {
    const { book, outbox } = this.#hosting;
    const isEnded = draft.isOver && !draft.wasOver && draft.written < draft.fresh.length;
    if (draft.written === draft.fresh.length) return;
    draft.written = draft.fresh.length;
    book.write(draft);
    if (isEnded) this.#end(draft, drafts);
    if (draft.isOver) return;
    const at = outbox.hold(draft);
    // Permits are held over every attempt, however long the wait between them is.
    if (at !== null && draft.record.status === "retrying") this.#control?.renew(draft.key, at);
  }

  /** A dispatch is over: its permits are free, its row goes, and the event it replays learns of it. */
  #end(draft: EventDraft, drafts: EventDraft[]): void {
    const { book, outbox, context, shard } = this.#hosting;
    const { replay, event, status, error, run_id, dead_letter } = draft.record;
    const ticket = draft.isNew ? null : this.ticketOf(draft);
    if (shard() === null) this.control.leave(draft.key, context().now);
    outbox.end(draft, ticket);
    if (ticket !== null) this.#ended.push({ id: outboxId(draft.record), ticket });
    if (replay === null) return;
    const key = replayedKey(draft.key);
    const original = drafts.find((one) => one.key === key) ?? book.draft(key);
    if (original.state.status === "absent" || original.state.event.id !== event.id) return;
    original.tell({
      type: "end_replay",
      number: replay.number,
      status,
      error: error?.detail ?? null,
      error_class: dead_letter?.error_class ?? "unknown",
      run_id,
    });
    if (!drafts.includes(original)) drafts.push(original);
    this.#writeOne(original, drafts);
  }

  /** Flow control lets an event go on. */
  #wake({ id, members }: Moved["woken"][number], drafts: EventDraft[]): void {
    const { store, outbox, triggerId } = this.#hosting;
    const ticket = parseTicket(id);
    if (ticket !== null) {
      keepVerdict(store, id, admittedBy(members));
      outbox.watch(id, ticketMessage(ticket, triggerId()));
      return;
    }
    const draft = this.#open(id, drafts);
    if (draft === null) return;
    // Its ticket may be gone by now: that it was let through is written down here, and not asked again.
    draft.tell({ type: "admit", admission: admittedBy(members) });
    this.#writeOne(draft, drafts);
    outbox.wake(draft);
  }

  /** Flow control ends an event. */
  #skip(id: string, reason: string, drafts: EventDraft[]): void {
    const { store, outbox, triggerId } = this.#hosting;
    const admission = skippedBy(reason, [{ stage: FLOW_STAGE, outcome: "skipped", reason }]);
    const ticket = parseTicket(id);
    if (ticket !== null) {
      keepVerdict(store, id, admission);
      outbox.watch(id, ticketMessage(ticket, triggerId()));
      return;
    }
    const draft = this.#open(id, drafts);
    if (draft === null) return;
    draft.tell({ type: "admit", admission });
    this.#writeOne(draft, drafts);
  }

  /** The event of a key, on the list of what is committed; null when it is over. */
  #open(key: string, drafts: EventDraft[]): EventDraft | null {
    const known = drafts.find((one) => one.key === key);
    const draft = known ?? this.#hosting.book.draft(key);
    if (draft.state.status === "absent" || draft.isOver) return null;
    if (known === undefined) drafts.push(draft);
    return draft;
  }

  /** The permits of an event have run out: one of a shard may be over without this object knowing. */
  #expire(id: string): void {
    const { outbox, triggerId } = this.#hosting;
    const ticket = parseTicket(id);
    if (ticket !== null) outbox.watch(id, ticketMessage(ticket, triggerId()));
  }
}

import type { Store } from "../storage/store.ts";
import type { EventAlarm } from "./event-alarm.ts";
import type { EventDraft } from "./event-draft.ts";
import { mustHold, wakeTime, watchMs } from "./event-waking.ts";
import { heldMessages, holdMessage, RESEND_MS, takeDueMessages } from "./keyed-outbox.ts";
import { settleEffect } from "./outbox.ts";
import { type DispatchMessage, type HeldMessage, messageFor, outboxId } from "./trigger-messages.ts";

/** Looking for what is due reads the whole outbox: where very much is due, as after an outage, it is done in few steps. */
const DUE_AT_ONCE = 1_000;

/** How often an event of a shard asks whether it may go on. */
const SHARD_WATCH_MS = 600_000;

interface OutboxHosting {
  readonly store: Store;
  readonly now: () => number;
  readonly alarm: EventAlarm;
  /** Where queues keep their messages in memory, as the local server's do, a message that was sent may be lost. */
  readonly queuesForget: boolean;
  readonly shard: () => number | null;
}

/** Looks after open events: each has a row that says when it is looked after again (E2). */
export class EventOutbox {
  readonly #hosting: OutboxHosting;
  #outgoing: DispatchMessage[] = [];

  constructor(hosting: OutboxHosting) {
    this.#hosting = hosting;
  }

  /** Keeps or moves the row of an open event; returns when it is looked after again, or null where nothing changed. */
  hold(draft: EventDraft): number | null {
    const { store, now, alarm, shard } = this.#hosting;
    const wake = wakeTime(draft.record, now());
    if (wake === null || (!draft.isNew && !mustHold(draft.fresh, draft.effects))) return null;
    // Another object wakes what waits in a shard: that message may be lost.
    const isFar = shard() !== null && draft.record.status === "parked";
    const at = isFar ? Math.min(wake, now() + SHARD_WATCH_MS) : wake;
    const message = messageFor(draft.record, draft.key, shard());
    const every_ms = isFar ? SHARD_WATCH_MS : watchMs(draft.record);
    holdMessage(store, outboxId(draft.record), every_ms === null ? message : { ...message, every_ms }, at);
    alarm.armFor(at);
    if (draft.effects.some((effect) => effect.type === "enqueue_dispatch" && effect.at_ms <= now()))
      this.#outgoing.push(message);
    return at;
  }

  /** An event is over: its row goes, unless somebody has to be told of the end first. */
  end(draft: EventDraft, ticket: string | null): void {
    const { store, now, alarm, queuesForget } = this.#hosting;
    const id = outboxId(draft.record);
    if (!queuesForget && ticket === null) {
      if (!draft.isNew) settleEffect(store, id);
      return;
    }
    const left = ticket === null ? {} : { left: ticket };
    // Where queues forget, the list is told once more before the event's message goes.
    const listed = queuesForget ? { listed: draft.key } : {};
    holdMessage(store, id, { v: 1, id, ...listed, ...left }, now() + RESEND_MS);
    alarm.armFor(now() + RESEND_MS);
  }

  /** An event goes on now: its message is sent with the commit, and again if nobody takes it. */
  wake(draft: EventDraft): void {
    const { store, now, alarm, shard } = this.#hosting;
    const message = messageFor(draft.record, draft.key, shard());
    const at = now() + RESEND_MS;
    holdMessage(store, outboxId(draft.record), message, at);
    this.#outgoing.push(message);
    alarm.armFor(at);
  }

  /** An event that another object holds goes on now: its message is sent until that object has asked about it. */
  watch(id: string, message: DispatchMessage): void {
    const { store, now, alarm } = this.#hosting;
    const at = now() + RESEND_MS;
    holdMessage(store, id, message, at);
    this.#outgoing.push(message);
    alarm.armFor(at);
  }

  /** What is to be sent with the commit. */
  takeOutgoing(): readonly DispatchMessage[] {
    const messages = this.#outgoing;
    this.#outgoing = [];
    return messages;
  }

  /** Messages whose time has come. */
  due(): readonly HeldMessage[] {
    return takeDueMessages<HeldMessage>(this.#hosting.store, this.#hosting.now(), DUE_AT_ONCE);
  }

  /** Everything that is held. */
  held(): Generator<readonly HeldMessage[]> {
    return heldMessages<HeldMessage>(this.#hosting.store);
  }

  /** Whoever had to be told was told. */
  forget(id: string): void {
    settleEffect(this.#hosting.store, id);
  }
}

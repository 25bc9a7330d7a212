import type { Answer } from "../src/engine/machine.ts";
import { handlerKindOf } from "../src/engine/trigger/definition-handler.ts";
import type { EventRecord } from "../src/engine/trigger/event.ts";
import type { LogRecord } from "../src/engine/trigger/log.ts";
import { deadLetterChange, eventRow, eventView } from "../src/engine/trigger/view.ts";
import type { DeadLetterChange } from "../src/schema/api-dead-letter.ts";
import type { EventRow, EventView } from "../src/schema/trigger-event.ts";
import {
  type EventAddress,
  eventLogOf,
  type ReplayAsk,
  replayEvent,
  type ReplayMade,
  replayOf,
} from "./shell/event-inspection.ts";
import type { Judgement } from "./shell/predicate-desk.ts";
import { TriggerOwner } from "./shell/trigger-owner.ts";
import type {
  Coordination,
  Delivery as VerifiedDelivery,
  DispatchGiven,
  EventAnswer as ShellAnswer,
  Order,
} from "./shell/trigger-requests.ts";
import type { Told, TriggerShell } from "./shell/trigger-shell.ts";

/** A verified delivery, with the version of the binding and the secrets that it was verified under. */
export type Delivery = VerifiedDelivery & {
  /** Says under which secrets it was verified; left out where they have no part in it. */
  readonly secrets_tag?: string;
  /** How far the binding was that it was verified under; left out where a shard decides by the version alone. */
  readonly seq?: number;
};

/** An event's answer with its new row for the lists, and what is to be done outside. */
export interface EventAnswer {
  readonly reply: ShellAnswer["reply"];
  readonly row: EventRow;
  /** Counts up with every change of the row. */
  readonly seq: number;
  readonly dead_letter: DeadLetterChange | null;
  /** What kind of handler the event has (spec/triggers 8). */
  readonly handler_kind: string;
  readonly order: Order | null;
  readonly cancel_run: string | null;
}

/** A replay that was made, with what is to be told outside. */
export type ReplayAnswer = Omit<ReplayMade, "answer"> & { readonly event: EventAnswer };

/** When an alarm that went wrong is tried again. */
const ALARM_RETRY_MS = 10_000;

/** One trigger (architecture 2): its binding is journaled, each accepted event has a row of its own. */
export class Trigger extends TriggerOwner {
  /**
   * Takes in a verified delivery: claim, event, waker and alarm in one commit, or the receipt of the first delivery.
   * `stale` asks to verify again: the binding has changed since.
   */
  accept({ secrets_tag: tag, seq: _seq, ...delivery }: Delivery): Answer<EventAnswer> | "stale" {
    if (tag !== undefined && tag !== this.secrets.tag(Date.now())) return "stale";
    const answer = this.shell.accept(delivery);
    return answer === "stale" ? answer : this.#shown(answer);
  }

  /** The same at a shard, which knows of secrets only that they have changed; `behind` asks to bring it up to date. */
  acceptInShard({ secrets_tag: _tag, seq, ...delivery }: Delivery): Answer<EventAnswer> | "stale" | "behind" {
    const answer = this.shell.acceptInShard(delivery, seq);
    return typeof answer === "string" ? answer : this.#shown(answer);
  }

  /** Takes an event as far as it goes without help, and says what help it needs; the waker stays until it is over. */
  dispatch(key: string, given?: DispatchGiven): Answer<EventAnswer> {
    return this.#shown(this.shell.dispatch(key, given));
  }

  /** Decides about an event of a shard. */
  coordinate(ticket: string, record: EventRecord, judgement?: Judgement): Coordination {
    return this.shell.shards.coordinate(ticket, record, judgement);
  }

  /** An event of a shard is over. */
  leave(ticket: string): void {
    this.shell.shards.leave(ticket);
  }

  /** Records how an attempt went. */
  settle(key: string, report: Parameters<TriggerShell["settle"]>[1]): Answer<EventAnswer> {
    return this.#shown(this.shell.settle(key, report));
  }

  /** Stops an event's dispatch wherever it is. */
  cancel(key: string, by: Omit<Told<"cancel">, "type">): Answer<EventAnswer> {
    return this.#shown(this.shell.cancel(key, by));
  }

  /** Whether somebody has asked for an event's dispatch to stop; handlers at work ask. */
  isCancelled(key: string): boolean {
    return this.shell.latest(key)?.record.cancel != null;
  }

  /** Takes a person's answer to what an autonomy budget asked. */
  respond(key: string, response: Omit<Told<"respond">, "type">): Answer<EventAnswer> {
    return this.#shown(this.shell.respond(key, response));
  }

  /** Makes a replay of an event; asking again under the same name makes no second one. */
  replay(address: EventAddress, ask: ReplayAsk): Answer<ReplayAnswer> {
    const made = replayEvent(this.shell, address, ask);
    if (!made.ok) return made;
    const { answer, ...replay } = made.reply;
    const event = this.#shown({ ok: true, reply: answer });
    return event.ok ? { ok: true, reply: { ...replay, event: event.reply } } : event;
  }

  /** A replay beside its original. */
  replayOf(address: EventAddress & { readonly replay: number }): ReturnType<typeof replayOf> {
    return replayOf(this.shell, address);
  }

  /** Takes a dead letter off the list. */
  discard(key: string, dlqId: string, why: Omit<Told<"discard">, "type"> = {}): Answer<EventAnswer> {
    return this.#shown(this.shell.discard(key, dlqId, why));
  }

  /** The event of a key, if it still is the one with this id. */
  event(key: string, eventId: string): EventView | null {
    const found = this.shell.event(key, eventId);
    return found === null ? null : eventView(found.record);
  }

  /** What the event log says of an event or a replay. */
  log(address: EventAddress): readonly LogRecord[] | null {
    return eventLogOf(this.shell, address);
  }

  /** Tells the trigger that queues may have lost their messages: everything that is pending is sent again at once. */
  async recover(): Promise<void> {
    this.shell.rearm();
    for (const messages of this.shell.openMessages()) await this.messenger.sendHeld(messages);
  }

  /** Sends what was not settled in time. Never throws: an alarm that does is dropped for good after six tries. */
  override async alarm(): Promise<void> {
    try {
      await this.messenger.sendHeld(this.shell.alarm());
    } catch (error) {
      this.report(error);
      this.store.setAlarm(Date.now() + ALARM_RETRY_MS);
    }
  }

  #shown(answer: Answer<ShellAnswer>): Answer<EventAnswer> {
    if (!answer.ok) return answer;
    const { record, seq, reply, order, cancel_run } = answer.reply;
    const row = { ...eventRow(record), shard: this.shell.place.shard };
    const handler_kind = handlerKindOf(record.binding.definition);
    const dead_letter = deadLetterChange(record, seq);
    return { ok: true, reply: { reply, row, seq, dead_letter, handler_kind, order, cancel_run } };
  }
}

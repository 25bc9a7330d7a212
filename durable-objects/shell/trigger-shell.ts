import { type Answer, reject } from "../../src/engine/machine.ts";
import { type BindingCommand, type BindingReply, type BindingState } from "../../src/engine/trigger/binding.ts";
import type { BindingLoad } from "../../src/engine/trigger/binding-load.ts";
import type { EventCommand, SettleDispatch } from "../../src/engine/trigger/event.ts";
import type { ReplayOf } from "../../src/engine/trigger/event.ts";
import type { TriggerEvent } from "../../src/schema/trigger.ts";
import type { LogRecord } from "../../src/engine/trigger/log.ts";
import { type BindingCopy, bindingCopy } from "./binding-replica.ts";
import type { EventChange } from "./event-commits.ts";
import { EventDispatch } from "./event-dispatch.ts";
import type { EventDraft } from "./event-draft.ts";
import { makeReplay, recordedReplay, unknownLetter } from "./event-replay.ts";
import { EventIntake } from "./event-intake.ts";
import { ShardCoordinator } from "./shard-coordinator.ts";
import type { HeldMessage } from "./trigger-messages.ts";
import { type BindingShell, triggerParts, type TriggerParts } from "./trigger-parts.ts";
import type { Delivery, DispatchGiven, EventAnswer, Order, ReplayRequest, TriggerHosting } from "./trigger-requests.ts";

const unknownEvent = reject("event_not_found", "there is no such event");

/**
 * The events of one trigger on one store, with the binding that accepts them: each request is one transaction (I3).
 *
 * Nothing waits in here. What has to happen outside is an order in the answer; the alarm looks after what nobody did.
 */
export class TriggerShell {
  /** The journaled binding; a shard has none. */
  readonly binding: BindingShell;
  /** What is decided here for events of its shards. */
  readonly shards: ShardCoordinator;
  readonly #parts: TriggerParts;
  readonly #intake: EventIntake;
  readonly #dispatch: EventDispatch;

  constructor(hosting: TriggerHosting) {
    this.#parts = triggerParts(hosting, (tick) => this.#intake.acceptTick(tick));
    this.binding = this.#parts.binding;
    this.#intake = new EventIntake(this.#parts);
    this.#dispatch = new EventDispatch(this.#parts);
    this.shards = new ShardCoordinator(this.#parts);
  }

  /** The binding; a shard knows it by a copy. */
  get state(): BindingState {
    return this.#parts.state();
  }

  /** Which shard this is, and of whose trigger; null for both where the object is the trigger itself. */
  get place(): { readonly shard: number | null; readonly tenant: string | null } {
    const { shard, tenant } = this.#parts.replica;
    return { shard, tenant };
  }

  /** What each version has in flight and has done since the object woke (spec/triggers 6.4). */
  get load(): BindingLoad {
    return this.#parts.loads.load;
  }

  /** Tells the binding; a schedule is started with it. */
  configure(command: BindingCommand, tenant?: string): Answer<BindingReply> {
    const drafts: EventDraft[] = [];
    const answer = this.#parts.commits.transaction(() => {
      const told = this.#parts.loads.configure(command);
      if (told.ok) this.#parts.ticks.start({ tenant, isResumed: command.type === "resume" }, drafts);
      this.#parts.alarm.armFor(this.#parts.ticks.nextAt);
      return told;
    });
    this.#parts.commits.publish(drafts, null);
    return answer;
  }

  /** The binding as a shard is told it. */
  copyFor(shard: number, tenant: string): BindingCopy | null {
    return bindingCopy(this.binding.state, { shard, tenant, seq: this.binding.seq });
  }

  /** Makes this object a shard, or brings the shard up to date. */
  adopt(copy: BindingCopy): void {
    this.#parts.replica.adopt(copy);
  }

  /**
   * Takes in a verified delivery: claim, event, waker and alarm in one commit, or the receipt of the first delivery.
   * `stale` asks to verify again: the binding has changed since.
   */
  accept(delivery: Delivery): Answer<EventAnswer> | "stale" {
    const taken = this.#intake.accept(delivery);
    if (typeof taken === "string" || !taken.ok) return taken;
    return this.#answer(taken.reply);
  }

  /** The same at a shard; `behind` asks to bring the shard up to date. */
  acceptInShard(delivery: Delivery, seq: number | null = null): Answer<EventAnswer> | "stale" | "behind" {
    const known = this.#parts.replica.seq;
    if (this.#intake.isBehind(delivery.version) || (seq ?? known) > known) return "behind";
    // Paused, deleted or with other secrets: whoever verified it did not know yet.
    return (seq ?? known) < known ? "stale" : this.accept(delivery);
  }

  /** Takes an event as far as it goes without help, and says what help it needs; messages lead here. */
  dispatch(key: string, given: DispatchGiven = {}): Answer<EventAnswer> {
    const draft = this.#parts.book.draft(key);
    if (draft.state.status === "absent") return unknownEvent;
    if (draft.isOver) this.#parts.commits.endAgain(draft);
    const order = this.#dispatch.advance(draft, given);
    // Before the circuit has answered nothing is worth a row: what was decided for nothing is decided again.
    const isFree = draft.effects.length === 0 && !this.#parts.commits.isPending;
    const isAgain = order?.type === "check_circuit" && isFree && draft.record.binding.definition.when === undefined;
    return isAgain ? { ok: true, reply: answerOf(draft, order) } : this.#answer(draft, order);
  }

  /** Records how an attempt went. */
  settle(key: string, report: Omit<SettleDispatch, "type">): Answer<EventAnswer> {
    const draft = this.#parts.book.draft(key);
    const answer = this.#told(draft, { type: "settle", ...report });
    if (answer.ok && report.outcome.type === "running" && !draft.isOver) {
      this.#parts.commits.control.hold(key, this.#parts.hosting.context().now);
      this.#parts.commits.commit([], null);
    }
    return answer;
  }

  /** Stops an event's dispatch wherever it is. */
  cancel(key: string, by: Omit<Told<"cancel">, "type">): Answer<EventAnswer> {
    return this.#told(this.#parts.book.draft(key), { type: "cancel", ...by });
  }

  /** Takes a person's answer to what an autonomy budget asked. */
  respond(key: string, response: Omit<Told<"respond">, "type">): Answer<EventAnswer> {
    return this.#told(this.#parts.book.draft(key), { type: "respond", ...response });
  }

  /** Takes a dead letter off the list. */
  discard(key: string, dlqId: string, why: Omit<Told<"discard">, "type"> = {}): Answer<EventAnswer> {
    const draft = this.#parts.book.draft(key);
    if (draft.state.status === "absent" || draft.state.dead_letter?.id !== dlqId) return unknownLetter(dlqId);
    return this.#told(draft, { type: "discard", ...why });
  }

  /** Makes a replay of an event; the answer is about the replay. A dead letter that is tried again has to be pending. */
  replay(key: string, request: ReplayRequest): Answer<EventAnswer> {
    const made = makeReplay(this.#parts, key, request);
    return made.ok ? this.#answer(made.reply.replay, null, [made.reply.original]) : made;
  }

  /** Dispatches an event that was recorded elsewhere as a replay; the key is the one that its original would have here. */
  replayRecorded(key: string, event: TriggerEvent, replay: ReplayOf): Answer<EventAnswer> {
    const made = recordedReplay(this.#parts, { key, event, replay });
    return made.ok ? this.#answer(made.reply) : made;
  }

  /** The event of a key, if it still is the one with this id; null when there is none. */
  event(key: string, eventId: string): EventChange | null {
    const { state, seq } = this.#parts.book.fresh(key);
    return state.status === "absent" || state.event.id !== eventId ? null : { record: state, seq };
  }

  /** The event of a key as it is now; null when there is none. */
  latest(key: string): EventChange | null {
    const { state, seq } = this.#parts.book.draft(key);
    return state.status === "absent" ? null : { record: state, seq };
  }

  /** What happened to an event, in the words of the event log (spec/triggers 3). */
  eventLog(key: string): readonly LogRecord[] {
    return this.#parts.book.log(key);
  }

  /** Messages of everything that is open: after the process that held the queues is gone, all of them are sent again. */
  *openMessages(): Generator<readonly HeldMessage[]> {
    if (this.state.status !== "absent") yield* this.#parts.outbox.held();
  }

  /** Whoever had to be told of an event's end was told. */
  forget(message: HeldMessage | { readonly id: string }): void {
    if ("id" in message) this.#parts.outbox.forget(message.id);
  }

  /** Looks after everything again, as after a restart. */
  rearm(): void {
    this.#wake(() => {
      this.#parts.alarm.arm(this.#parts.hosting.context().now);
      return [];
    });
  }

  /** Does what has become due and arms the alarm for what comes next; the messages are to be sent. */
  alarm(): readonly HeldMessage[] {
    return this.#wake((drafts) => {
      this.#parts.commits.control.wake(this.#parts.hosting.context().now);
      this.#parts.commits.move(drafts);
      const messages = this.#parts.outbox.due();
      this.#parts.alarm.arm();
      return messages;
    });
  }

  #wake(body: (drafts: EventDraft[]) => readonly HeldMessage[]): readonly HeldMessage[] {
    this.#parts.alarm.forget();
    if (this.state.status === "absent") return [];
    const drafts: EventDraft[] = [];
    const messages = this.#parts.commits.transaction(() => {
      this.#parts.ticks.run(drafts);
      return body(drafts);
    });
    this.#parts.commits.publish(drafts, null);
    return messages;
  }

  #told(draft: EventDraft, command: EventCommand): Answer<EventAnswer> {
    const refusal = draft.tell(command);
    return refusal === null ? this.#answer(draft) : { ok: false, rejection: refusal };
  }

  #answer(draft: EventDraft, order: Order | null = null, others: readonly EventDraft[] = []): Answer<EventAnswer> {
    if (draft.state.status === "absent") return unknownEvent;
    if (draft.isNew && draft.fresh.length > 0 && draft.encoded === null)
      return reject("payload_too_large", "the delivery is too large to be stored");
    this.#parts.commits.commit([draft, ...others], draft);
    return { ok: true, reply: answerOf(draft, order) };
  }
}

const answerOf = (draft: EventDraft, order: Order | null): EventAnswer => {
  const { record, seq, reply, effects } = draft;
  const stop = effects.find((effect) => effect.type === "cancel_run");
  return { record, seq, reply, order, cancel_run: stop?.run_id ?? null };
};

/** What an event is told. */
export type Told<Type extends EventCommand["type"]> = Extract<EventCommand, { readonly type: Type }>;

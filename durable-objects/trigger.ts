import { type Answer, fold, reject } from "../src/engine/machine.ts";
import {
  acceptingBinding,
  bindingMachine,
  storedDefinition,
  triggerView,
  type BindingCommand,
  type BindingEvent,
  type BindingReply,
  type BindingState,
} from "../src/engine/trigger/binding.ts";
import type { EventCommand, EventEffect, EventRecord, EventReply, EventState } from "../src/engine/trigger/event.ts";
import { claimIsExpired, eventMachine } from "../src/engine/trigger/machine.ts";
import { eventRow, eventSeq, eventView } from "../src/engine/trigger/view.ts";
import { uuidIds } from "../src/ports/ids.ts";
import type { EventRow, EventView } from "../src/schema/trigger-event.ts";
import type { HeldSecret, ResealedSecret, SealedSecret } from "../src/schema/trigger-secret.ts";
import type { StoredDefinition, TriggerDefinition, TriggerReport } from "../src/schema/trigger.ts";
import { migrate } from "./migrations/migration.ts";
import { TRIGGER } from "./migrations/trigger.ts";
import { withoutStaleBody } from "./shell/keyed-bodies.ts";
import { encodeEvent, insertEvent, loadEvent, updateEvent } from "./shell/keyed-events.ts";
import { heldMessages, holdMessage, RESEND_MS, takeDueMessages } from "./shell/keyed-outbox.ts";
import { RejectionCounts } from "./shell/keyed-rejections.ts";
import { KeyedSecrets, type Rotation } from "./shell/keyed-secrets.ts";
import { MachineObject, type ObjectParts } from "./shell/machine-object.ts";
import { nextEffectAt, settleEffect } from "./shell/outbox.ts";

/** A hint that an event waits for its dispatch; the event itself stays in its object (architecture 4, step 4). */
export interface DispatchMessage {
  readonly v: 1;
  readonly tenant: string;
  readonly trigger_id: string;
  readonly event_id: string;
  readonly dedupe_key: string;
}

/** What the outbox holds: a dispatch that is not settled, or an event that the list is to be told of once more. */
type HeldMessage = DispatchMessage | { readonly v: 1; readonly listed: string };

/** What verifying a delivery needs. */
export interface DeliveryBinding {
  readonly version: number;
  readonly definition: StoredDefinition;
  /** Whether the trigger was given secrets of its own: without them nothing may be taken in, should they be lost. */
  readonly has_secret: boolean;
  /** Sealed; empty when `secret_ref` names the secret. */
  readonly secrets: readonly HeldSecret[];
  /** Another text as soon as other secrets are valid. */
  readonly secrets_tag: string;
}

/** A verified delivery, with the version of the binding that it was verified under. */
export type Delivery = Omit<Extract<EventCommand, { readonly type: "accept" }>, "type" | "binding" | "tenant_id"> & {
  readonly tenant: string;
  readonly version: number;
  /** Says under which secrets it was verified; left out where they have no part in it. */
  readonly secrets_tag?: string;
};

/** An event's answer with its new row for the lists, and the run to start where there is one. */
export interface EventAnswer {
  readonly reply: EventReply;
  readonly row: EventRow;
  /** Counts up with every change of the row. */
  readonly seq: number;
  readonly start: Extract<EventEffect, { readonly type: "start_run" }> | null;
}

type Parts = ObjectParts<BindingState, BindingCommand, BindingEvent, never, BindingReply>;

/** One trigger (architecture 2): its binding is journaled, each accepted event has a row of its own. */
export class Trigger extends MachineObject<BindingState, BindingCommand, BindingEvent, never, BindingReply> {
  readonly #rejections = new RejectionCounts(this.store);
  readonly #secrets = new KeyedSecrets(this.store);
  /** Where queues keep their messages in memory, as the local server's do, a message that was sent may be lost. */
  readonly #queuesForget = this.env.GODWIT_QUEUES === "memory";
  /** The alarm this instance knows to be set. */
  #armedAt: number | null = null;

  protected parts(): Parts {
    return {
      machine: bindingMachine,
      migrations: TRIGGER,
      reducerVersion: 1,
      headOf: (state) => (state.status === "absent" ? null : { status: state.status, version: state.current.version }),
      wakeAt: () => null,
      perform: () => Promise.resolve(),
      onAlarm: () => null,
    };
  }

  /** Puts a definition; secret and binding commit together, and only the binding's digest of the secret is journaled. */
  configure(triggerId: string, definition: TriggerDefinition, secret: SealedSecret | null): Answer<BindingReply> {
    const { quarantine } = this.shell;
    if (quarantine !== null) return reject("invariant_violated", quarantine);
    const { state } = definition;
    return this.store.transaction(() => {
      migrate(this.store, TRIGGER);
      const secret_digest = this.#secrets.put(secret, Date.now())?.id ?? null;
      const stored = storedDefinition(definition);
      return this.execute({ type: "configure", trigger_id: triggerId, definition: stored, secret_digest, state });
    });
  }

  /** Makes another secret the current one; the version stays, and the secret before is valid for a while. */
  rotateSecret(secret: SealedSecret, rotation: Omit<Rotation, "now">): "rotated" | "referred" | "absent" {
    const { state } = this.shell;
    if (state.status === "absent" || state.status === "deleted") return "absent";
    if (isReferred(state.definition)) return "referred";
    this.store.transaction(() => this.#secrets.rotate(secret, { ...rotation, now: Date.now() }));
    return "rotated";
  }

  /** Keeps the same secrets under another key. */
  resealSecrets(secrets: readonly ResealedSecret[]): void {
    if (this.shell.state.status !== "absent") this.store.transaction(() => this.#secrets.reseal(secrets));
  }

  /** Pauses, resumes or deletes the trigger; a deleted one keeps its events and forgets its secret. */
  control(type: "pause" | "resume" | "delete"): Answer<BindingReply> {
    const answer = this.execute({ type });
    if (answer.ok && type === "delete") this.#secrets.drop();
    return answer;
  }

  /** The trigger as it may be shown, with the number of its last change; null when there is none or it was deleted. */
  show(): { readonly trigger: TriggerReport; readonly seq: number } | null {
    const view = triggerView(this.shell.state);
    if (view === null || view.state === "deleted") return null;
    const secrets = this.#secrets.view(Date.now());
    return { trigger: { ...view, secrets, rejections: this.#rejections.list() }, seq: this.shell.seq };
  }

  /** What verifying a delivery needs, also while the trigger is paused; null for an unknown or deleted trigger. */
  binding(): DeliveryBinding | null {
    const { state } = this.shell;
    if (state.status === "absent" || state.status === "deleted") return null;
    const { definition, current } = state;
    const now = Date.now();
    const secrets = this.#secrets.held(now);
    const has_secret = current.secret_digest !== null;
    return { version: current.version, definition, has_secret, secrets, secrets_tag: this.#secrets.tag(now) };
  }

  /**
   * Takes in a verified delivery: claim, event, waker and alarm in one commit, or the receipt of the first delivery.
   * `stale` asks to verify again: the binding has changed since.
   */
  accept({ tenant, version, secrets_tag: tag, ...delivery }: Delivery): Answer<EventAnswer> | "stale" {
    const binding = acceptingBinding(this.shell.state);
    if (!binding.ok) return { ok: false, rejection: binding.error };
    if (binding.value.version !== version) return "stale";
    if (tag !== undefined && tag !== this.#secrets.tag(Date.now())) return "stale";
    const key = delivery.event.dedupe_key;
    return this.#tell(key, { type: "accept", ...delivery, binding: binding.value, tenant_id: tenant });
  }

  /** Counts a delivery that was refused before it could be accepted. */
  refuse(reason: string, message: string): void {
    if (this.shell.state.status !== "absent") this.#rejections.count(reason, message, Date.now());
  }

  /** Records an attempt to start the run of an event and says which run to start; the waker stays until `settle`. */
  dispatch(dedupeKey: string): Answer<EventAnswer> {
    return this.#tell(dedupeKey, { type: "dispatch" });
  }

  /** Records how an attempt ended. */
  settle(dedupeKey: string, report: Omit<Extract<EventCommand, { type: "settle" }>, "type">): Answer<EventAnswer> {
    return this.#tell(dedupeKey, { type: "settle", ...report });
  }

  /** The event of a dedupe key, if it still is the one with this id. */
  event(dedupeKey: string, eventId: string): EventView | null {
    const state = this.#load(dedupeKey);
    if (state.status === "absent" || state.event.id !== eventId) return null;
    return eventView(this.store.transaction(() => withoutStaleBody(this.store, state, Date.now())));
  }

  /** Tells the trigger that queues may have lost their messages: everything that is pending is sent again at once. */
  async recover(): Promise<void> {
    if (this.shell.state.status === "absent") return;
    this.#armedAt = null;
    this.#arm(Date.now());
    for (const messages of heldMessages<HeldMessage>(this.store)) await this.#sendHeld(messages);
  }

  /** Sends what was not settled in time. Never throws: an alarm that does is dropped for good after six tries. */
  override async alarm(): Promise<void> {
    this.#armedAt = null;
    try {
      const due = this.store.transaction(() => {
        const messages = takeDueMessages<HeldMessage>(this.store, Date.now());
        this.#arm(Date.now());
        return messages;
      });
      await this.#sendHeld(due);
    } catch (error) {
      this.report(error);
      this.store.setAlarm(Date.now() + RESEND_MS);
    }
  }

  #load(key: string): EventState {
    return this.shell.state.status === "absent" ? eventMachine.initial : loadEvent(this.store, key);
  }

  #tell(key: string, command: EventCommand): Answer<EventAnswer> {
    const now = Date.now();
    const found = this.#load(key);
    const state = command.type === "accept" && claimIsExpired(found, now) ? eventMachine.initial : found;
    const decision = eventMachine.decide(state, command, { now, nextId: uuidIds });
    if (!decision.ok) return decision;
    const record = fold(eventMachine, state, decision.events);
    if (record.status === "absent") return reject("event_not_found", "there is no such event");
    if (decision.events.length > 0) {
      const refusal = this.#commit(record, state.status === "absent", decision.effects);
      if (refusal !== null) return refusal;
    }
    const start = decision.effects.find((effect) => effect.type === "start_run") ?? null;
    return { ok: true, reply: { reply: decision.reply, row: eventRow(record), seq: eventSeq(record), start } };
  }

  #commit(record: EventRecord, isNew: boolean, effects: readonly EventEffect[]): Answer<never> | null {
    const { id, dedupe_key: key } = record.event;
    const encoded = isNew ? encodeEvent(record) : null;
    if (isNew && encoded === null) return reject("payload_too_large", "the delivery is too large to be stored");
    const now = Date.now();
    const wake = effects.find((effect) => effect.type === "enqueue_dispatch");
    const message = wake === undefined ? null : messageFor(record);
    // What is sent at once is looked after a little later; a retry is sent when its time has come.
    const nextAt = wake === undefined || wake.at_ms <= now ? now + RESEND_MS : wake.at_ms;
    try {
      this.store.transaction(() => {
        if (encoded === null) updateEvent(this.store, key, record);
        else insertEvent(this.store, key, encoded);
        if (wake !== undefined) holdMessage(this.store, id, message, nextAt);
        else if (isFinal(record)) this.#leave(id, key, isNew);
        // An instance that knows of no alarm looks after what another one may have left behind (I1).
        if (wake !== undefined || this.#armedAt === null || this.#queuesForget) this.#arm(nextAt);
      });
    } catch (error) {
      this.#armedAt = null;
      throw error;
    }
    if (message !== null && wake !== undefined && wake.at_ms <= now) this.ctx.waitUntil(this.#send([message]));
    return null;
  }

  /** Moves the alarm only when it is missing or comes too late: setting it costs a row. */
  #arm(latest: number): void {
    const now = Date.now();
    if (this.#armedAt !== null && this.#armedAt > now && this.#armedAt <= latest) return;
    // An instance that knows of no alarm looks at everything, a busy one only at what is new.
    const next = this.#armedAt === null ? nextEffectAt(this.store) : latest;
    if (next === null) return;
    this.#armedAt = Math.max(next, now);
    this.store.setAlarm(this.#armedAt);
  }

  /** An event is over. Where queues forget, the list is told once more before the event's message goes. */
  #leave(id: string, key: string, isNew: boolean): void {
    if (this.#queuesForget) holdMessage(this.store, id, { v: 1, listed: key }, Date.now() + RESEND_MS);
    else if (!isNew) settleEffect(this.store, id);
  }

  async #sendHeld(messages: readonly HeldMessage[]): Promise<void> {
    const dispatches = messages.filter((message): message is DispatchMessage => "event_id" in message);
    await this.#send(dispatches);
    for (const message of messages) if ("listed" in message) await this.#list(message.listed);
  }

  /** Tells the list of events about one that is over, and forgets its message. */
  async #list(key: string): Promise<void> {
    const record = this.#load(key);
    if (record.status === "absent") return;
    const { id, tenant_id: tenant } = record.event;
    await this.env.INDEX_QUEUE.send({ v: 1, seq: eventSeq(record), tenant: tenant ?? "", event: eventRow(record) });
    settleEffect(this.store, id);
  }

  async #send(messages: readonly DispatchMessage[]): Promise<void> {
    if (messages.length === 0) return;
    try {
      await this.env.DISPATCH_QUEUE.sendBatch(messages.map((body) => ({ body })));
    } catch (error) {
      this.report(error);
    }
  }
}

const isReferred = ({ secret_ref: one, secret_refs: several }: StoredDefinition): boolean =>
  one !== undefined || several !== undefined;

const isFinal = ({ status }: EventRecord): boolean => status !== "accepted" && status !== "dispatching";

const messageFor = ({ event, binding }: EventRecord): DispatchMessage => ({
  v: 1,
  tenant: event.tenant_id ?? "",
  trigger_id: binding.trigger_id,
  event_id: event.id,
  dedupe_key: event.dedupe_key,
});

import { DurableObject } from "cloudflare:workers";
import { type Answer, reject } from "../src/engine/machine.ts";
import { bindingMachine, type BindingReply, storedDefinition, triggerView } from "../src/engine/trigger/binding.ts";
import { listedVersions } from "../src/engine/trigger/binding-load.ts";
import type { BindingSource } from "../src/engine/trigger/binding-version.ts";
import { deadLetterChange, eventRow, eventView } from "../src/engine/trigger/view.ts";
import { uuidIds } from "../src/ports/ids.ts";
import type { DeadLetterChange } from "../src/schema/api-dead-letter.ts";
import type { EventRow, EventView } from "../src/schema/trigger-event.ts";
import type { HeldSecret, ResealedSecret, SealedSecret } from "../src/schema/trigger-secret.ts";
import type { TriggerReport } from "../src/schema/trigger.ts";
import type { StoredDefinition, TriggerDefinition } from "../src/schema/trigger-definition.ts";
import { migrate } from "./migrations/migration.ts";
import { TRIGGER } from "./migrations/trigger.ts";
import { RESEND_MS } from "./shell/keyed-outbox.ts";
import { RejectionCounts } from "./shell/keyed-rejections.ts";
import { KeyedSecrets, type Rotation } from "./shell/keyed-secrets.ts";
import {
  type Delivery as VerifiedDelivery,
  type DispatchGiven,
  type DispatchMessage,
  type EventAnswer as ShellAnswer,
  type EventChange,
  type HeldMessage,
  type Order,
  type ReplayRequest,
  TriggerShell,
} from "./shell/trigger-shell.ts";
import { objectStore } from "./storage/object-store.ts";
import type { Store } from "./storage/store.ts";

/** What verifying a delivery needs. */
export interface DeliveryBinding {
  readonly version: number;
  readonly definition: StoredDefinition;
  /** Whether the trigger has a secret of its own. */
  readonly has_secret: boolean;
  /** Sealed; empty when `secret_ref` names the secret. */
  readonly secrets: readonly HeldSecret[];
  /** Another text as soon as other secrets are valid. */
  readonly secrets_tag: string;
}

/** A verified delivery, with the version of the binding and the secrets that it was verified under. */
export type Delivery = VerifiedDelivery & {
  /** Says under which secrets it was verified; left out where they have no part in it. */
  readonly secrets_tag?: string;
};

/** An event's answer with its new row for the lists, and what is to be done outside. */
export interface EventAnswer {
  readonly reply: ShellAnswer["reply"];
  readonly row: EventRow;
  /** Counts up with every change of the row. */
  readonly seq: number;
  readonly dead_letter: DeadLetterChange | null;
  readonly order: Order | null;
  readonly cancel_run: string | null;
}

/** When an alarm that went wrong is tried again. */
const ALARM_RETRY_MS = 10_000;

/** One trigger (architecture 2): its binding is journaled, each accepted event has a row of its own. */
export class Trigger extends DurableObject<Env> {
  protected readonly store: Store;
  #shell: TriggerShell;
  readonly #rejections: RejectionCounts;
  readonly #secrets: KeyedSecrets;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.store = objectStore(ctx.storage);
    this.#rejections = new RejectionCounts(this.store);
    this.#secrets = new KeyedSecrets(this.store);
    this.#shell = this.#newShell();
  }

  /** Puts a definition; secret and binding commit together, and only that the secret has changed is journaled. */
  configure(
    triggerId: string,
    definition: TriggerDefinition,
    { source, secret }: { readonly source: BindingSource; readonly secret: SealedSecret | null },
  ): Answer<BindingReply> {
    const { binding } = this.#shell;
    if (binding.quarantine !== null) return reject("invariant_violated", binding.quarantine);
    const { state } = definition;
    const command = {
      type: "configure",
      trigger_id: triggerId,
      definition: storedDefinition(definition),
      state,
      source,
    } as const;
    // What is refused leaves the secrets as they are.
    const decision = bindingMachine.decide(binding.state, command, { now: Date.now(), nextId: uuidIds });
    if (!decision.ok) return decision;
    return this.#together(() => {
      migrate(this.store, TRIGGER);
      const isChanged = this.#secrets.changes(secret, Date.now());
      this.#secrets.put(secret, Date.now());
      return this.#shell.configure(isChanged ? { ...command, secrets: { has_secret: secret !== null } } : command);
    });
  }

  /** Makes another secret the current one; the version stays, and the secret before is valid for a while. */
  rotateSecret(secret: SealedSecret, rotation: Omit<Rotation, "now">): "rotated" | "referred" | "absent" {
    const { state } = this.#shell.binding;
    if (state.status === "absent" || state.status === "deleted") return "absent";
    const { secret_ref: one, secret_refs: several } = state.definition;
    if (one !== undefined || several !== undefined) return "referred";
    this.#together(() => {
      if (this.#secrets.rotate(secret, { ...rotation, now: Date.now() }).changed)
        this.#shell.configure({ type: "secrets_changed", has_secret: true });
    });
    return "rotated";
  }

  /** Keeps the same secrets under another key. */
  resealSecrets(secrets: readonly ResealedSecret[]): void {
    if (this.#shell.binding.state.status !== "absent") this.store.transaction(() => this.#secrets.reseal(secrets));
  }

  /** Pauses, resumes or deletes the trigger; a deleted one keeps its events and forgets its secret. */
  control(type: "pause" | "resume" | "delete"): Answer<BindingReply> {
    const answer = this.#shell.configure({ type });
    if (answer.ok && type === "delete") this.#secrets.drop();
    return answer;
  }

  /** The trigger as it may be shown, with the number of its last change; null when there is none or it was deleted. */
  show(): { readonly trigger: TriggerReport; readonly seq: number } | null {
    const { binding, load } = this.#shell;
    const view = triggerView(binding.state);
    if (view === null || view.state === "deleted") return null;
    const secrets = this.#secrets.view(Date.now());
    const metrics = listedVersions(binding.state, load).map(({ version, metrics: counts }) => ({ version, ...counts }));
    return { trigger: { ...view, secrets, metrics, rejections: this.#rejections.list() }, seq: binding.seq };
  }

  /** What verifying a delivery needs, also while the trigger is paused; null for an unknown or deleted trigger. */
  binding(): DeliveryBinding | null {
    const { state } = this.#shell.binding;
    if (state.status === "absent" || state.status === "deleted") return null;
    const { definition, current } = state;
    const now = Date.now();
    const secrets = { secrets: this.#secrets.held(now), secrets_tag: this.#secrets.tag(now) };
    return { version: current.version, definition, has_secret: state.has_secret, ...secrets };
  }

  /**
   * Takes in a verified delivery: claim, event, waker and alarm in one commit, or the receipt of the first delivery.
   * `stale` asks to verify again: the binding has changed since.
   */
  accept({ secrets_tag: tag, ...delivery }: Delivery): Answer<EventAnswer> | "stale" {
    if (tag !== undefined && tag !== this.#secrets.tag(Date.now())) return "stale";
    const answer = this.#shell.accept(delivery);
    return answer === "stale" ? answer : shown(answer);
  }

  /** Counts a delivery that was refused before it could be accepted. */
  refuse(reason: string, message: string): void {
    if (this.#shell.binding.state.status !== "absent") this.#rejections.count(reason, message, Date.now());
  }

  /** Takes an event as far as it goes without help, and says what help it needs; the waker stays until it is over. */
  dispatch(key: string, given?: DispatchGiven): Answer<EventAnswer> {
    return shown(this.#shell.dispatch(key, given));
  }

  /** Records how an attempt went. */
  settle(key: string, report: Parameters<TriggerShell["settle"]>[1]): Answer<EventAnswer> {
    return shown(this.#shell.settle(key, report));
  }

  /** Stops an event's dispatch wherever it is. */
  cancel(key: string, by: Parameters<TriggerShell["cancel"]>[1]): Answer<EventAnswer> {
    return shown(this.#shell.cancel(key, by));
  }

  /** Whether somebody has asked for an event's dispatch to stop; handlers at work ask. */
  isCancelled(key: string): boolean {
    return this.#shell.latest(key)?.record.cancel != null;
  }

  /** Takes a person's answer to what an autonomy budget asked. */
  respond(key: string, response: Parameters<TriggerShell["respond"]>[1]): Answer<EventAnswer> {
    return shown(this.#shell.respond(key, response));
  }

  /** Makes a replay of an event. */
  replay(key: string, request: ReplayRequest): Answer<EventAnswer> {
    return shown(this.#shell.replay(key, request));
  }

  /** Takes a dead letter off the list. */
  discard(key: string, dlqId: string): Answer<EventAnswer> {
    return shown(this.#shell.discard(key, dlqId));
  }

  /** The event of a key, if it still is the one with this id. */
  event(key: string, eventId: string): EventView | null {
    const found = this.#shell.event(key, eventId);
    return found === null ? null : eventView(found.record);
  }

  /** Tells the trigger that queues may have lost their messages: everything that is pending is sent again at once. */
  async recover(): Promise<void> {
    this.#shell.rearm();
    for (const messages of this.#shell.openMessages()) await this.#sendHeld(messages);
  }

  /** Sends what was not settled in time. Never throws: an alarm that does is dropped for good after six tries. */
  override async alarm(): Promise<void> {
    try {
      await this.#sendHeld(this.#shell.alarm());
    } catch (error) {
      this.#report(error);
      this.store.setAlarm(Date.now() + Math.max(ALARM_RETRY_MS, RESEND_MS));
    }
  }

  #newShell(): TriggerShell {
    const { store, ctx, env } = this;
    return new TriggerShell({
      store,
      context: () => ({ now: Date.now(), nextId: uuidIds }),
      objectId: ctx.id.toString(),
      queuesForget: env.GODWIT_QUEUES === "memory",
      send: (messages) => ctx.waitUntil(this.#send(messages)),
      changed: (changes) => ctx.waitUntil(this.#tellList(changes)),
    });
  }

  /** Changes secrets and binding in one commit; when it fails, the binding that the shell knows is none that was committed. */
  #together<T>(body: () => T): T {
    try {
      return this.store.transaction(body);
    } catch (error) {
      this.#shell = this.#newShell();
      throw error;
    }
  }

  async #sendHeld(messages: readonly HeldMessage[]): Promise<void> {
    const dispatches = messages.filter(
      (message): message is Extract<HeldMessage, DispatchMessage> => "event_id" in message,
    );
    await this.#send(dispatches);
    for (const message of messages) {
      if (!("listed" in message)) continue;
      const found = this.#shell.latest(message.listed);
      if (found !== null) await this.#tellList([found]);
      this.#shell.forget(message);
    }
  }

  /** Tells the list of events what has changed. */
  async #tellList(changes: readonly EventChange[]): Promise<void> {
    // A replay has no row of its own: its original's says how it went.
    const listed = changes.filter(({ record }) => record.replay === null);
    const bodies = listed.map(({ record, seq }) => {
      const dead = deadLetterChange(record, seq);
      const about = { v: 1, seq, tenant: record.event.tenant_id ?? "", event: eventRow(record) };
      return dead === null ? about : { ...about, dead_letter: dead };
    });
    try {
      for (let start = 0; start < bodies.length; start += BATCH)
        await this.env.INDEX_QUEUE.sendBatch(bodies.slice(start, start + BATCH).map((body) => ({ body })));
    } catch (error) {
      this.#report(error);
    }
  }

  async #send(messages: readonly DispatchMessage[]): Promise<void> {
    try {
      for (let start = 0; start < messages.length; start += BATCH)
        await this.env.DISPATCH_QUEUE.sendBatch(messages.slice(start, start + BATCH).map((body) => ({ body })));
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    // oxlint-disable-next-line no-console -- the platform's log is where faults of an object are seen
    console.error(error instanceof Error ? `${error.name}: ${error.message}` : "fault in a trigger");
  }
}

/** Queues take a hundred messages at a time. */
const BATCH = 100;

const shown = (answer: Answer<ShellAnswer>): Answer<EventAnswer> => {
  if (!answer.ok) return answer;
  const { record, seq, reply, order, cancel_run } = answer.reply;
  const dead_letter = deadLetterChange(record, seq);
  return { ok: true, reply: { reply, row: eventRow(record), seq, dead_letter, order, cancel_run } };
};

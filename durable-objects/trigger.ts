import { DurableObject } from "cloudflare:workers";
import { type Answer, reject } from "../src/engine/machine.ts";
import { bindingMachine, type BindingReply, storedDefinition, triggerView } from "../src/engine/trigger/binding.ts";
import { listedVersions } from "../src/engine/trigger/binding-load.ts";
import type { BindingSource } from "../src/engine/trigger/binding-version.ts";
import { handlerKindOf } from "../src/engine/trigger/definition-handler.ts";
import type { EventRecord } from "../src/engine/trigger/event.ts";
import type { LogRecord } from "../src/engine/trigger/log.ts";
import { deadLetterChange, eventRow, eventView } from "../src/engine/trigger/view.ts";
import { uuidIds } from "../src/ports/ids.ts";
import type { DeadLetterChange } from "../src/schema/api-dead-letter.ts";
import type { EventRow, EventView } from "../src/schema/trigger-event.ts";
import type { HeldSecret, ResealedSecret, SealedHandshake, SealedSecret } from "../src/schema/trigger-secret.ts";
import type { StoredDefinition, TriggerDefinition } from "../src/schema/trigger-definition.ts";
import type { TriggerReport } from "../src/schema/trigger.ts";
import { migrate } from "./migrations/migration.ts";
import { TRIGGER } from "./migrations/trigger.ts";
import type { BindingCopy } from "./shell/binding-replica.ts";
import { loadControl, storeControl } from "./shell/control-rows.ts";
import { RejectionCounts } from "./shell/keyed-rejections.ts";
import { KeyedSecrets, type Rotation } from "./shell/keyed-secrets.ts";
import type { Judgement } from "./shell/predicate-desk.ts";
import { TriggerMessenger } from "./shell/trigger-messenger.ts";
import type {
  Coordination,
  Delivery as VerifiedDelivery,
  DispatchGiven,
  EventAnswer as ShellAnswer,
  Order,
  ReplayRequest,
} from "./shell/trigger-requests.ts";
import { TriggerShell } from "./shell/trigger-shell.ts";
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
  /** What kind of handler the event has (spec/triggers 8). */
  readonly handler_kind: string;
  readonly order: Order | null;
  readonly cancel_run: string | null;
}

/** What comes with a definition that is put. */
export interface TriggerPut {
  readonly tenant: string;
  readonly source: BindingSource;
  readonly secret: SealedSecret | null;
  /** Which code is deployed; it counts where the handler is a function of the deployment. */
  readonly code_version: string | null;
}

/** When an alarm that went wrong is tried again. */
const ALARM_RETRY_MS = 10_000;

/** One trigger (architecture 2): its binding is journaled, each accepted event has a row of its own. */
export class Trigger extends DurableObject<Env> {
  protected readonly store: Store;
  readonly #shell: TriggerShell;
  readonly #messenger: TriggerMessenger;
  readonly #rejections: RejectionCounts;
  readonly #secrets: KeyedSecrets;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.store = objectStore(ctx.storage);
    this.#rejections = new RejectionCounts(this.store);
    this.#secrets = new KeyedSecrets(this.store);
    this.#messenger = new TriggerMessenger({ env: this.env, shell: () => this.#shell, report });
    this.#shell = new TriggerShell({
      store: this.store,
      context: () => ({ now: Date.now(), nextId: uuidIds }),
      objectId: ctx.id.toString(),
      queuesForget: env.GODWIT_QUEUES === "memory",
      send: (messages) => ctx.waitUntil(this.#messenger.send(messages)),
      changed: (changes) => ctx.waitUntil(this.#messenger.tellList(changes)),
      left: (id, ticket) => ctx.waitUntil(this.#messenger.tellLeft(id, ticket)),
    });
  }

  /** Puts a definition; secret and binding commit together, and only that the secret has changed is journaled. */
  configure(triggerId: string, definition: TriggerDefinition, put: TriggerPut): Answer<BindingReply> {
    const { source, secret, tenant, code_version } = put;
    const { binding } = this.#shell;
    if (binding.quarantine !== null) return reject("invariant_violated", binding.quarantine);
    const command = {
      type: "configure",
      trigger_id: triggerId,
      definition: storedDefinition(definition),
      state: definition.state,
      source,
      code_version,
    } as const;
    // What is refused leaves the secrets as they are.
    const decision = bindingMachine.decide(binding.state, command, { now: Date.now(), nextId: uuidIds });
    if (!decision.ok) return decision;
    return this.store.transaction(() => {
      migrate(this.store, TRIGGER);
      const isChanged = this.#secrets.changes(secret, Date.now());
      this.#secrets.put(secret, Date.now());
      const secrets = isChanged ? { secrets: { has_secret: secret !== null } } : {};
      return this.#shell.configure({ ...command, ...secrets }, tenant);
    });
  }

  /** Makes another secret the current one; the version stays, and the secret before is valid for a while. */
  rotateSecret(secret: SealedSecret, rotation: Omit<Rotation, "now">): "rotated" | "referred" | "absent" {
    const { state } = this.#shell.binding;
    if (state.status === "absent" || state.status === "deleted") return "absent";
    const { secret_ref: one, secret_refs: several } = state.definition;
    if (one !== undefined || several !== undefined) return "referred";
    this.store.transaction(() => {
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
    const now = Date.now();
    const secrets = { secrets: this.#secrets.held(now), secrets_tag: this.#secrets.tag(now) };
    return { version: state.current.version, definition: state.definition, has_secret: state.has_secret, ...secrets };
  }

  /** The binding as a shard is told it; null for a trigger that there never was. */
  copyFor(shard: number, tenant: string): BindingCopy | null {
    return this.#shell.copyFor(shard, tenant);
  }

  /** Makes this object a shard, or brings the shard up to date. */
  adopt(copy: BindingCopy): void {
    this.#shell.adopt(copy);
  }

  /**
   * Takes in a verified delivery: claim, event, waker and alarm in one commit, or the receipt of the first delivery.
   * `stale` asks to verify again: the binding has changed since; `behind` asks to bring the shard up to date.
   */
  accept({ secrets_tag: tag, ...delivery }: Delivery): Answer<EventAnswer> | "stale" | "behind" {
    const isTagged = tag !== undefined && delivery.shard === undefined;
    if (isTagged && tag !== this.#secrets.tag(Date.now())) return "stale";
    const answer = this.#shell.accept(delivery);
    return typeof answer === "string" ? answer : this.#shown(answer);
  }

  /** Keeps the newest token that the provider sent to be verified with, while the trigger has no secret. */
  keepHandshake(handshake: SealedHandshake): void {
    const { state } = this.#shell.binding;
    if (state.status !== "absent" && !state.has_secret)
      this.store.transaction(() => storeControl(this.store, "handshake", handshake));
  }

  /** The newest token of the provider; null when there is none. */
  handshake(): SealedHandshake | null {
    return loadControl<SealedHandshake>(this.store, "handshake");
  }

  /** Counts a delivery that was refused before it could be accepted. */
  refuse(reason: string, message: string): void {
    if (this.#shell.binding.state.status !== "absent") this.#rejections.count(reason, message, Date.now());
  }

  /** Takes an event as far as it goes without help, and says what help it needs; the waker stays until it is over. */
  dispatch(key: string, given?: DispatchGiven): Answer<EventAnswer> {
    return this.#shown(this.#shell.dispatch(key, given));
  }

  /** Decides about an event of a shard. */
  coordinate(ticket: string, record: EventRecord, judgement?: Judgement): Coordination {
    return this.#shell.coordinate(ticket, record, judgement);
  }

  /** An event of a shard is over. */
  leave(ticket: string): void {
    this.#shell.leave(ticket);
  }

  /** Records how an attempt went. */
  settle(key: string, report: Parameters<TriggerShell["settle"]>[1]): Answer<EventAnswer> {
    return this.#shown(this.#shell.settle(key, report));
  }

  /** Stops an event's dispatch wherever it is. */
  cancel(key: string, by: Omit<Told<"cancel">, "type">): Answer<EventAnswer> {
    return this.#shown(this.#shell.tell(key, { type: "cancel", ...by }));
  }

  /** Whether somebody has asked for an event's dispatch to stop; handlers at work ask. */
  isCancelled(key: string): boolean {
    return this.#shell.latest(key)?.record.cancel != null;
  }

  /** Takes a person's answer to what an autonomy budget asked. */
  respond(key: string, response: Omit<Told<"respond">, "type">): Answer<EventAnswer> {
    return this.#shown(this.#shell.tell(key, { type: "respond", ...response }));
  }

  /** Makes a replay of an event. */
  replay(key: string, request: ReplayRequest): Answer<EventAnswer> {
    return this.#shown(this.#shell.replay(key, request));
  }

  /** Takes a dead letter off the list. */
  discard(key: string, dlqId: string): Answer<EventAnswer> {
    return this.#shown(this.#shell.discard(key, dlqId));
  }

  /** The event of a key, if it still is the one with this id. */
  event(key: string, eventId: string): EventView | null {
    const found = this.#shell.event(key, eventId);
    return found === null ? null : eventView(found.record);
  }

  /** What happened to an event, in the words of the event log. */
  eventLog(key: string): readonly LogRecord[] {
    return this.#shell.eventLog(key);
  }

  /** Tells the trigger that queues may have lost their messages: everything that is pending is sent again at once. */
  async recover(): Promise<void> {
    this.#shell.rearm();
    for (const messages of this.#shell.openMessages()) await this.#messenger.sendHeld(messages);
  }

  /** Sends what was not settled in time. Never throws: an alarm that does is dropped for good after six tries. */
  override async alarm(): Promise<void> {
    try {
      await this.#messenger.sendHeld(this.#shell.alarm());
    } catch (error) {
      report(error);
      this.store.setAlarm(Date.now() + ALARM_RETRY_MS);
    }
  }

  #shown(answer: Answer<ShellAnswer>): Answer<EventAnswer> {
    if (!answer.ok) return answer;
    const { record, seq, reply, order, cancel_run } = answer.reply;
    const row = { ...eventRow(record), shard: this.#shell.shard };
    const handler_kind = handlerKindOf(record.binding.definition);
    const dead_letter = deadLetterChange(record, seq);
    return { ok: true, reply: { reply, row, seq, dead_letter, handler_kind, order, cancel_run } };
  }
}

type Told<Type extends "cancel" | "respond"> = Extract<Parameters<TriggerShell["tell"]>[1], { readonly type: Type }>;

const report = (error: unknown): void => {
  // oxlint-disable-next-line no-console -- the platform's log is where faults of an object are seen
  console.error(error instanceof Error ? `${error.name}: ${error.message}` : "fault in a trigger");
};

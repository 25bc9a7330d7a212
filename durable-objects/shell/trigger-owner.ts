import { DurableObject } from "cloudflare:workers";
import { type Answer, reject } from "../../src/engine/machine.ts";
import { bindingMachine, type BindingReply, storedDefinition, triggerView } from "../../src/engine/trigger/binding.ts";
import { listedVersions } from "../../src/engine/trigger/binding-load.ts";
import type { BindingSource } from "../../src/engine/trigger/binding-version.ts";
import { uuidIds } from "../../src/ports/ids.ts";
import type { HeldSecret, ResealedSecret, SealedHandshake, SealedSecret } from "../../src/schema/trigger-secret.ts";
import type { StoredDefinition, TriggerDefinition } from "../../src/schema/trigger-definition.ts";
import type { TriggerReport } from "../../src/schema/trigger.ts";
import { migrate } from "../migrations/migration.ts";
import { TRIGGER } from "../migrations/trigger.ts";
import { objectStore } from "../storage/object-store.ts";
import type { Store } from "../storage/store.ts";
import type { BindingCopy } from "./binding-replica.ts";
import { dropControl, loadControl, storeControl } from "./control-rows.ts";
import { RejectionCounts } from "./keyed-rejections.ts";
import { KeyedSecrets, type Rotation } from "./keyed-secrets.ts";
import { TriggerMessenger } from "./trigger-messenger.ts";
import { TriggerShell } from "./trigger-shell.ts";

/** What verifying a delivery needs. */
export interface DeliveryBinding {
  readonly version: number;
  /** Counts up with every change of the binding. */
  readonly seq: number;
  readonly definition: StoredDefinition;
  /** Whether the trigger has a secret of its own. */
  readonly has_secret: boolean;
  /** Sealed; empty when `secret_ref` names the secret. */
  readonly secrets: readonly HeldSecret[];
  /** Another text as soon as other secrets are valid. */
  readonly secrets_tag: string;
}

/** What comes with a definition that is put. */
export interface TriggerPut {
  readonly tenant: string;
  readonly source: BindingSource;
  readonly secret: SealedSecret | null;
  /** Which code is deployed; it counts where the handler is a function of the deployment. */
  readonly code_version: string | null;
}

/** Where the token of the provider is kept until the trigger has a secret. */
const HANDSHAKE = "handshake";

/** What an owner does with a trigger: it is put, shown, paused and deleted, and has its secrets changed. */
export abstract class TriggerOwner extends DurableObject<Env> {
  protected readonly store: Store;
  protected shell: TriggerShell;
  protected readonly messenger: TriggerMessenger;
  readonly #rejections: RejectionCounts;
  protected readonly secrets: KeyedSecrets;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.store = objectStore(ctx.storage);
    this.#rejections = new RejectionCounts(this.store);
    this.secrets = new KeyedSecrets(this.store);
    this.messenger = new TriggerMessenger({
      env: this.env,
      shell: () => this.shell,
      report: (error) => this.report(error),
    });
    this.shell = this.#newShell();
  }

  /** Puts a definition; secret and binding commit together, and only that the secret has changed is journaled. */
  configure(triggerId: string, definition: TriggerDefinition, put: TriggerPut): Answer<BindingReply> {
    const { source, secret, tenant, code_version } = put;
    const { binding } = this.shell;
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
    return this.#together(() => {
      migrate(this.store, TRIGGER);
      const isChanged = this.secrets.changes(secret, Date.now());
      this.secrets.put(secret, Date.now());
      if (secret !== null) dropControl(this.store, HANDSHAKE);
      const secrets = isChanged ? { secrets: { has_secret: secret !== null } } : {};
      return this.shell.configure({ ...command, ...secrets }, tenant);
    });
  }

  /** Makes another secret the current one; the version stays, and the secret before is valid for a while. */
  rotateSecret(secret: SealedSecret, rotation: Omit<Rotation, "now">): "rotated" | "referred" | "absent" {
    const { state } = this.shell.binding;
    if (state.status === "absent" || state.status === "deleted") return "absent";
    const { secret_ref: one, secret_refs: several } = state.definition;
    if (one !== undefined || several !== undefined) return "referred";
    this.#together(() => {
      dropControl(this.store, HANDSHAKE);
      if (this.secrets.rotate(secret, { ...rotation, now: Date.now() }).changed)
        this.shell.configure({ type: "secrets_changed", has_secret: true });
    });
    return "rotated";
  }

  /** Keeps the same secrets under another key. */
  resealSecrets(secrets: readonly ResealedSecret[]): void {
    if (this.shell.binding.state.status !== "absent") this.store.transaction(() => this.secrets.reseal(secrets));
  }

  /** Pauses, resumes or deletes the trigger; a deleted one keeps its events and forgets its secrets. */
  control(type: "pause" | "resume" | "delete"): Answer<BindingReply> {
    return this.#together(() => {
      const answer = this.shell.configure({ type });
      if (!answer.ok || type !== "delete") return answer;
      this.secrets.drop();
      dropControl(this.store, HANDSHAKE);
      return answer;
    });
  }

  /** The trigger as it may be shown, with the number of its last change; null when there is none or it was deleted. */
  show(): { readonly trigger: TriggerReport; readonly seq: number } | null {
    const { binding, load } = this.shell;
    const view = triggerView(binding.state);
    if (view === null || view.state === "deleted") return null;
    const secrets = this.secrets.view(Date.now());
    const metrics = listedVersions(binding.state, load).map(({ version, metrics: counts }) => ({ version, ...counts }));
    return { trigger: { ...view, secrets, metrics, rejections: this.#rejections.list() }, seq: binding.seq };
  }

  /** What verifying a delivery needs, also while the trigger is paused; null for an unknown or deleted trigger. */
  binding(): DeliveryBinding | null {
    const { state, seq } = this.shell.binding;
    if (state.status === "absent" || state.status === "deleted") return null;
    const now = Date.now();
    const secrets = { secrets: this.secrets.held(now), secrets_tag: this.secrets.tag(now) };
    return {
      version: state.current.version,
      seq,
      definition: state.definition,
      has_secret: state.has_secret,
      ...secrets,
    };
  }

  /** The binding as a shard is told it; null for a trigger that there never was. */
  copyFor(shard: number, tenant: string): BindingCopy | null {
    return this.shell.copyFor(shard, tenant);
  }

  /** Makes this object a shard, or brings the shard up to date. */
  adopt(copy: BindingCopy): void {
    this.shell.adopt(copy);
  }

  /** Keeps the newest token that the provider sent to be verified with, while the trigger has no secret. */
  keepHandshake(handshake: SealedHandshake): void {
    const { state } = this.shell.binding;
    if (state.status !== "absent" && !state.has_secret)
      this.store.transaction(() => storeControl(this.store, HANDSHAKE, handshake));
  }

  /** The newest token of the provider; null when there is none. */
  handshake(): SealedHandshake | null {
    return loadControl<SealedHandshake>(this.store, HANDSHAKE);
  }

  /** Counts a delivery that was refused before it could be accepted. */
  refuse(reason: string, message: string): void {
    if (this.shell.binding.state.status !== "absent") this.#rejections.count(reason, message, Date.now());
  }

  #newShell(): TriggerShell {
    const { store, ctx, env, messenger } = this;
    return new TriggerShell({
      store,
      context: () => ({ now: Date.now(), nextId: uuidIds }),
      objectId: ctx.id.toString(),
      queuesForget: env.GODWIT_QUEUES === "memory",
      send: (messages) => ctx.waitUntil(messenger.send(messages)),
      changed: (changes) => ctx.waitUntil(messenger.tellList(changes)),
      left: (id, ticket) => ctx.waitUntil(messenger.leave(id, ticket)),
    });
  }

  /** Changes secrets and binding in one commit; when it fails, the shell forgets the binding that was not committed. */
  #together<T>(body: () => T): T {
    try {
      return this.store.transaction(body);
    } catch (error) {
      this.shell = this.#newShell();
      throw error;
    }
  }

  protected report(error: unknown): void {
    // oxlint-disable-next-line no-console -- the platform's log is where faults of an object are seen
    console.error(error instanceof Error ? `${error.name}: ${error.message}` : "fault in a trigger");
  }
}

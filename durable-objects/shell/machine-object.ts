import { DurableObject } from "cloudflare:workers";
import { uuidIds } from "../../src/ports/ids.ts";
import type { Json } from "../../src/lib/json.ts";
import type { Answer, Machine } from "../../src/engine/machine.ts";
import type { Migration } from "../migrations/migration.ts";
import { objectStore } from "../storage/object-store.ts";
import type { Store } from "../storage/store.ts";
import { drainOutbox } from "./drain.ts";
import { nextEffectAt } from "./outbox.ts";
import type { IdempotencyKey } from "./idempotency.ts";
import { type Commit, MachineShell } from "./machine-shell.ts";

/** What a class of objects adds to the shell. */
export interface ObjectParts<State, Command, Event, Effect, Reply> {
  readonly machine: Machine<State, Command, Event, Effect, Reply>;
  readonly migrations: readonly Migration[];
  readonly reducerVersion: number;
  readonly headOf: (state: State) => Json;
  readonly wakeAt: (state: State, now: number) => number | null;
  /** Performs an effect; a derived one has no id. */
  readonly perform: (effect: Effect, id: string | null) => Promise<void>;
  readonly isDerived?: (effect: Effect) => boolean;
  /** The derived effects of a state: what the world must know of it. */
  readonly derive?: (state: State) => readonly Effect[];
  /** The command the alarm gives, or null when the alarm only drains the outbox. */
  readonly onAlarm: (state: State) => Command | null;
}

/** When an alarm that went wrong is tried again. */
const ALARM_RETRY_MS = 10_000;

/**
 * A Durable Object around one machine. Nothing is awaited between load and commit (I3); effects leave through the
 * outbox after the commit; the alarm looks after whatever a crash left behind (I1).
 */
export abstract class MachineObject<State, Command, Event, Effect, Reply> extends DurableObject<Env> {
  protected readonly store: Store;
  protected readonly shell: MachineShell<State, Command, Event, Effect, Reply>;
  readonly #parts: ObjectParts<State, Command, Event, Effect, Reply>;
  #draining: Promise<void> | null = null;
  /** How many times derived effects are being performed just now. */
  #deriving = 0;
  /** Whether the newest derived effects were performed or are under way; an instance that was just loaded cannot know. */
  #isDerived = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.store = objectStore(ctx.storage);
    this.#parts = this.parts();
    this.shell = new MachineShell(
      {
        ...this.#parts,
        store: this.store,
        objectId: ctx.id.toString(),
        context: () => ({ now: Date.now(), nextId: uuidIds }),
      },
      (commit) => this.#committed(commit),
    );
  }

  protected abstract parts(): ObjectParts<State, Command, Event, Effect, Reply>;

  /** Called after each commit, before the reply leaves. */
  protected committed(_commit: Commit<Event, Effect>): void {}

  /** Executes one command in one commit. Refusals are values; nothing expected is thrown. */
  execute(command: Command, key?: IdempotencyKey): Answer<Reply> {
    return this.shell.execute(command, key);
  }

  /** Never throws: an alarm that does is dropped for good after six tries. */
  override async alarm(): Promise<void> {
    try {
      this.shell.alarmFired();
      const command = this.#parts.onAlarm(this.shell.state);
      if (command !== null) this.execute(command);
      // Armed before anything is awaited: this instance and the alarm that called it may be lost meanwhile (I1).
      this.shell.rearm(Date.now(), this.#owesEffects());
      if (!this.#owesEffects()) return;
      if (!this.#isDerived) await this.#perform(this.#parts.derive?.(this.shell.state) ?? []);
      await this.drain();
      this.shell.rearm(Date.now(), this.#owesEffects());
    } catch (error) {
      this.report(error);
      this.store.setAlarm(Date.now() + ALARM_RETRY_MS);
    }
  }

  /** Performs what the outbox holds; at most one drain at a time. */
  protected drain(): Promise<void> {
    this.#draining ??= this.#drainOnce().finally(() => {
      this.#draining = null;
    });
    return this.#draining;
  }

  protected report(error: unknown): void {
    // oxlint-disable-next-line no-console -- the platform's log is where faults of an object are seen
    console.error(error instanceof Error ? `${error.name}: ${error.message}` : "fault in an object");
  }

  async #drainOnce(): Promise<void> {
    await drainOutbox<Effect>(
      this.store,
      this.#parts.perform,
      () => Date.now(),
      (e) => this.report(e),
    );
    this.#rest();
  }

  /** Performs derived effects, those of the newest state. */
  async #perform(effects: readonly Effect[]): Promise<void> {
    this.#deriving += 1;
    this.#isDerived = true;
    try {
      for (const effect of effects) await this.#parts.perform(effect, null);
    } catch (error) {
      this.report(error);
      // The alarm is set and finds this: it derives the effects from the state again.
      this.#isDerived = false;
    }
    this.#deriving -= 1;
    this.#rest();
  }

  #owesEffects(): boolean {
    const owesDerived = this.#deriving > 0 || (this.#parts.derive !== undefined && !this.#isDerived);
    return owesDerived || nextEffectAt(this.store) !== null;
  }

  /** Once no effect is outstanding and the state needs no wake-up either, the alarm goes. */
  #rest(): void {
    if (!this.#owesEffects() && this.shell.isQuiet(Date.now())) this.shell.rearm(Date.now());
  }

  #committed(commit: Commit<Event, Effect>): void {
    this.committed(commit);
    if (commit.derived.length > 0) this.ctx.waitUntil(this.#perform(commit.derived));
    if (commit.queued > 0) this.ctx.waitUntil(this.drain());
  }
}

import { canonicalJson, type Json } from "../../src/lib/json.ts";
import { type Context, type Decision, fold, type Machine, type Rejection, reject } from "../../src/engine/machine.ts";
import { isMigrated, migrate, type Migration } from "../migrations/migration.ts";
import type { Store } from "../storage/store.ts";
import { type IdempotencyKey, recallReply, rememberReply } from "./idempotency.ts";
import { appendEntry, type JournalEntry, readEntries } from "./journal.ts";
import { enqueueEffect, nextEffectAt } from "./outbox.ts";

/** What a shell needs to host a machine. */
export interface Hosting<State, Command, Event, Effect, Reply> {
  readonly machine: Machine<State, Command, Event, Effect, Reply>;
  readonly store: Store;
  readonly migrations: readonly Migration[];
  /** Counted up when `evolve` changes meaning; a head of another version is written anew. */
  readonly reducerVersion: number;
  /** The small part of the state that the head row keeps (I2). */
  readonly headOf: (state: State) => Json;
  /** When the state itself needs the alarm; null for never. */
  readonly wakeAt: (state: State, now: number) => number | null;
  readonly context: () => Context;
  /** A name that makes effect ids unique beyond this object (I4). */
  readonly objectId: string;
}

/** When the alarm looks after an outbox that is also drained right after its commit. */
const OUTBOX_WATCH_MS = 10_000;

/** A command's answer: the machine's reply, or a refusal. */
export type Answer<Reply> =
  | { readonly ok: true; readonly reply: Reply }
  | { readonly ok: false; readonly rejection: Rejection };

/** What a commit wrote. */
export interface Commit<Event> {
  readonly entry: JournalEntry<Event>;
  readonly rows_written: number;
  /** How many effects went into the outbox. */
  readonly effects: number;
}

/**
 * Hosts one machine on one store: load, decide, evolve, one transaction (I3), all of it synchronous.
 *
 * State, journal, outbox, idempotency key and alarm commit together or not at all.
 */
export class MachineShell<State, Command, Event, Effect, Reply> {
  readonly #hosting: Hosting<State, Command, Event, Effect, Reply>;
  readonly #onCommit: (commit: Commit<Event>) => void;
  #state: State;
  #seq = 0;
  #loaded = false;
  #migrated = false;
  #broken: string | null = null;
  /** The alarm this instance knows to be set; null when it knows of none. */
  #armedAt: number | null = null;

  constructor(hosting: Hosting<State, Command, Event, Effect, Reply>, onCommit: (commit: Commit<Event>) => void) {
    this.#hosting = hosting;
    this.#onCommit = onCommit;
    this.#state = hosting.machine.initial;
  }

  /** The current state, loaded when it has to be. */
  get state(): State {
    this.#load();
    return this.#state;
  }

  /** The sequence number of the newest journal entry; 0 for none. */
  get seq(): number {
    this.#load();
    return this.#seq;
  }

  /** Why the object takes no commands any more, or null. */
  get quarantine(): string | null {
    this.#load();
    return this.#broken;
  }

  /** Journal entries after a sequence number. */
  entries(after = 0): readonly JournalEntry<Event>[] {
    this.#load();
    return this.#migrated ? readEntries<Event>(this.#hosting.store, after) : [];
  }

  /** Decides a command and commits what it leads to. A repeated idempotency key gets its first reply (I5). */
  execute(command: Command, key?: IdempotencyKey): Answer<Reply> {
    this.#load();
    if (this.#broken !== null) return reject("invariant_violated", this.#broken);
    if (key !== undefined && this.#migrated) {
      const recalled = recallReply<Reply>(this.#hosting.store, key);
      if (recalled !== null) return recalled;
    }
    const context = this.#hosting.context();
    const decision = this.#hosting.machine.decide(this.#state, command, context);
    if (!decision.ok) return decision;
    if (decision.events.length > 0 || decision.effects.length > 0) this.#commit(decision, context.now, key);
    return { ok: true, reply: decision.reply };
  }

  /** Tells the shell that the alarm it had set has gone off. */
  alarmFired(): void {
    this.#armedAt = null;
  }

  /** Whether neither the state nor the outbox needs a wake-up any more. */
  isQuiet(now: number): boolean {
    return this.#hosting.wakeAt(this.state, now) === null;
  }

  /** Sets the alarm to when it is needed next, whatever this instance believes about it (I1, on wake and after a drain). */
  rearm(now: number): void {
    this.#load();
    if (!this.#migrated) return;
    const at = this.#nextAlarm(this.#state, now);
    this.#hosting.store.setAlarm(at);
    this.#armedAt = at;
  }

  #nextAlarm(state: State, now: number): number | null {
    const times = [nextEffectAt(this.#hosting.store), this.#hosting.wakeAt(state, now)];
    const known = times.filter((time): time is number => time !== null);
    return known.length === 0 ? null : Math.max(Math.min(...known), now);
  }

  #commit(decision: Decision<Event, Effect, Reply> & { readonly ok: true }, now: number, key?: IdempotencyKey): void {
    const { store, machine, objectId, migrations } = this.#hosting;
    const entry = { seq: this.#seq + 1, at_ms: now, events: decision.events };
    const state = fold(machine, this.#state, decision.events);
    let rows = 0;
    const armedAt = store.transaction(() => {
      migrate(store, migrations);
      rows += appendEntry(store, entry) + this.#writeHead(entry.seq, state);
      for (const [index, effect] of decision.effects.entries())
        rows += enqueueEffect(store, `${objectId}:${entry.seq}:${index}`, effect, now);
      if (key !== undefined) rows += rememberReply(store, key, decision.reply);
      return this.#arm(state, now, decision.effects.length > 0);
    });
    // Only a committed transaction may change what this instance believes.
    this.#state = state;
    this.#seq = entry.seq;
    this.#migrated = true;
    this.#armedAt = armedAt;
    this.#onCommit({ entry, rows_written: rows, effects: decision.effects.length });
  }

  /** Moves the alarm only when it is missing or comes too late: setting it costs a row. */
  #arm(state: State, now: number, hasEffects: boolean): number | null {
    const wake = this.#hosting.wakeAt(state, now);
    const needed = hasEffects ? Math.min(wake ?? Infinity, now + OUTBOX_WATCH_MS) : wake;
    if (needed === null || (this.#armedAt !== null && this.#armedAt <= needed && this.#armedAt > now)) return this.#armedAt;
    this.#hosting.store.setAlarm(needed);
    return needed;
  }

  #writeHead(seq: number, state: State): number {
    return this.#hosting.store.write(
      "INSERT INTO head (id, seq, reducer_version, state) VALUES (1, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, reducer_version = excluded.reducer_version, state = excluded.state",
      seq,
      this.#hosting.reducerVersion,
      canonicalJson(this.#hosting.headOf(state)),
    );
  }

  #load(): void {
    if (this.#loaded) return;
    this.#loaded = true;
    const { store, machine, migrations, reducerVersion } = this.#hosting;
    this.#migrated = isMigrated(store, migrations);
    if (!this.#migrated) return;
    for (const entry of readEntries<Event>(store)) {
      this.#state = fold(machine, this.#state, entry.events);
      this.#seq = entry.seq;
    }
    const head = store.query("SELECT seq, reducer_version, state FROM head WHERE id = 1")[0];
    if (head === undefined || Number(head["seq"]) !== this.#seq) this.#broken = "the head row does not belong to the journal";
    else if (Number(head["reducer_version"]) !== reducerVersion) this.#writeHead(this.#seq, this.#state);
    else if (head["state"] !== canonicalJson(this.#hosting.headOf(this.#state)))
      this.#broken = "the stored state is not what the journal folds to";
  }
}

import type { Json } from "../../src/lib/json.ts";
import { type Answer, type Context, type Decision, fold, type Machine, reject } from "../../src/engine/machine.ts";
import { isMigrated, migrate, type Migration } from "../migrations/migration.ts";
import type { Store } from "../storage/store.ts";
import { type IdempotencyKey, recallReply, rememberReply } from "./idempotency.ts";
import { appendEntry, type JournalEntry, readEntries, readEntryTexts } from "./journal.ts";
import { enqueueEffect, nextEffectAt } from "./outbox.ts";

/** What a shell needs to host a machine. */
export interface Hosting<State, Command, Event, Effect, Reply> {
  readonly machine: Machine<State, Command, Event, Effect, Reply>;
  readonly store: Store;
  readonly migrations: readonly Migration[];
  /** Counted up when `evolve` changes meaning; a head of another version is written anew. */
  readonly reducerVersion: number;
  /** What of the state the head row keeps (I2); the row is written only when this changes. */
  readonly headOf: (state: State) => Json;
  /** When the state itself needs the alarm; null for never. */
  readonly wakeAt: (state: State, now: number) => number | null;
  /**
   * Effects that follow from the state and may be performed twice or late: they take no outbox row. Whoever hosts the
   * shell performs them after the commit, and again from the state when the alarm finds that this is not known to have
   * happened. Without it every effect goes through the outbox.
   */
  readonly isDerived?: (effect: Effect) => boolean;
  readonly context: () => Context;
  /** A name that makes effect ids unique beyond this object (I4). */
  readonly objectId: string;
}

/** When the alarm looks after an outbox that is also drained right after its commit. */
const OUTBOX_WATCH_MS = 10_000;

/** What a commit wrote. */
export interface Commit<Event, Effect = unknown> {
  readonly entry: JournalEntry<Event>;
  readonly rows_written: number;
  /** How many effects went into the outbox. */
  readonly queued: number;
  /** Effects to be performed now. */
  readonly derived: readonly Effect[];
}

/**
 * Hosts one machine on one store: load, decide, evolve, one transaction (I3), all of it synchronous.
 *
 * State, journal, outbox, idempotency key and alarm commit together or not at all.
 */
export class MachineShell<State, Command, Event, Effect, Reply> {
  readonly #hosting: Hosting<State, Command, Event, Effect, Reply>;
  readonly #onCommit: (commit: Commit<Event, Effect>) => void;
  #state: State;
  #seq = 0;
  #loaded = false;
  #migrated = false;
  #broken: string | null = null;
  /** The alarm this instance knows to be set; null when it knows of none. */
  #armedAt: number | null = null;
  #head: string | null = null;

  constructor(
    hosting: Hosting<State, Command, Event, Effect, Reply>,
    onCommit: (commit: Commit<Event, Effect>) => void,
  ) {
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
    // What changed nothing is remembered too: repeated later, it could change something (I5).
    else if (key !== undefined && this.#migrated) rememberReply(this.#hosting.store, key, decision.reply);
    return { ok: true, reply: decision.reply };
  }

  /** A transaction around a commit was rolled back: everything is read anew. */
  forget(): void {
    this.#loaded = false;
    this.#armedAt = null;
  }

  /** Tells the shell that the alarm it had set has gone off. */
  alarmFired(): void {
    this.#armedAt = null;
  }

  /** Whether neither the state nor the outbox needs a wake-up any more. */
  isQuiet(now: number): boolean {
    return this.#wakeAt(this.state, now) === null;
  }

  /**
   * Sets the alarm to when it is needed next, or takes it away (I1). `owesEffects` says that effects are outstanding
   * which are not in the outbox.
   */
  rearm(now: number, owesEffects = false): void {
    this.#load();
    if (!this.#migrated) return;
    const at = this.#nextAlarm(now, owesEffects);
    if (at !== null && at === this.#armedAt) return;
    this.#hosting.store.setAlarm(at);
    this.#armedAt = at;
  }

  /** A quarantined object is left alone: nothing it could do would put it right. */
  #wakeAt(state: State, now: number): number | null {
    return this.#broken === null ? this.#hosting.wakeAt(state, now) : null;
  }

  #nextAlarm(now: number, owesEffects: boolean): number | null {
    const times = [nextEffectAt(this.#hosting.store), this.#wakeAt(this.#state, now)];
    if (owesEffects) times.push(now + OUTBOX_WATCH_MS);
    const known = times.filter((time): time is number => time !== null);
    return known.length === 0 ? null : Math.max(Math.min(...known), now);
  }

  #commit(
    decision: Decision<Event, Effect, Reply, State> & { readonly ok: true },
    now: number,
    key?: IdempotencyKey,
  ): void {
    const { store, machine, objectId } = this.#hosting;
    const entry = { seq: this.#seq + 1, at_ms: now, events: decision.events };
    const state = decision.state ?? fold(machine, this.#state, decision.events);
    const head = JSON.stringify(this.#hosting.headOf(state));
    const alarmAt = this.#alarmFor(state, now, decision.effects.length > 0);
    const writes = [() => appendEntry(store, entry)];
    if (head !== this.#head) writes.push(() => this.#writeHead(entry.seq, head));
    const derived: Effect[] = [];
    for (const [index, effect] of decision.effects.entries())
      if (this.#hosting.isDerived?.(effect) === true) derived.push(effect);
      else writes.push(() => enqueueEffect(store, `${objectId}:${entry.seq}:${index}`, effect, now));
    if (key !== undefined) writes.push(() => rememberReply(store, key, decision.reply));
    const rows = this.#writeTogether(writes, alarmAt);
    // Only a committed transaction may change what this instance believes.
    this.#state = state;
    this.#seq = entry.seq;
    this.#migrated = true;
    this.#armedAt = alarmAt ?? this.#armedAt;
    this.#head = head;
    this.#onCommit({ entry, rows_written: rows, queued: decision.effects.length - derived.length, derived });
  }

  /** Commits writes and alarm together. One statement on a database that is ready is a transaction by itself. */
  #writeTogether(writes: readonly (() => number)[], alarmAt: number | null): number {
    const { store, migrations } = this.#hosting;
    const [only, ...others] = writes;
    if (this.#migrated && only !== undefined && others.length === 0 && alarmAt === null) return only();
    return store.transaction(() => {
      if (!this.#migrated) migrate(store, migrations);
      if (alarmAt !== null) store.setAlarm(alarmAt);
      return writes.reduce((rows, write) => rows + write(), 0);
    });
  }

  /** When the alarm has to be set by this commit; null when the one that is set does. Setting it costs a row. */
  #alarmFor(state: State, now: number, hasEffects: boolean): number | null {
    const wake = this.#wakeAt(state, now);
    const needed = hasEffects ? Math.min(wake ?? Infinity, now + OUTBOX_WATCH_MS) : wake;
    if (needed === null) return null;
    // One that is overdue stays: it is about to go off, and may look after more than this commit.
    return this.#armedAt !== null && this.#armedAt <= needed ? null : needed;
  }

  #writeHead(seq: number, head: string): number {
    return this.#hosting.store.write(
      "INSERT INTO head (id, seq, reducer_version, state) VALUES (1, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, reducer_version = excluded.reducer_version, state = excluded.state",
      seq,
      this.#hosting.reducerVersion,
      head,
    );
  }

  #load(): void {
    if (this.#loaded) return;
    const { store, machine, migrations, context } = this.#hosting;
    // A database that is refused stays refused: whatever throws here throws again the next time.
    const isKnown = isMigrated(store, migrations);
    [this.#state, this.#seq, this.#head] = [machine.initial, 0, null];
    this.#broken = isKnown ? (this.#foldJournal() ?? this.#checkHead()) : null;
    this.#migrated = isKnown;
    this.#loaded = true;
    // Whoever wakes the object finds what it was woken for, even where an alarm was lost with the instance before (I1).
    const { now } = context();
    if (isKnown && this.#nextAlarm(now, false) !== null) this.rearm(now);
  }

  /** Folds the journal as far as it can be read; says what is wrong with it, or null. */
  #foldJournal(): string | null {
    const { store, machine } = this.#hosting;
    for (const { seq, text } of readEntryTexts(store)) {
      if (seq !== this.#seq + 1) return `journal entry ${seq} follows entry ${this.#seq}`;
      try {
        this.#state = fold(machine, this.#state, JSON.parse(text) as readonly Event[]);
      } catch {
        return `journal entry ${seq} cannot be read`;
      }
      this.#seq = seq;
    }
    return null;
  }

  /** Compares the head row with the fold, or writes it anew for a new reducer (I2). */
  #checkHead(): string | null {
    const { store, reducerVersion, headOf } = this.#hosting;
    this.#head = JSON.stringify(headOf(this.#state));
    const stored = store.query("SELECT seq, reducer_version, state FROM head WHERE id = 1")[0];
    if (stored === undefined || Number(stored["seq"]) > this.#seq) return "the head row does not belong to the journal";
    if (Number(stored["reducer_version"]) !== reducerVersion) this.#writeHead(this.#seq, this.#head);
    else if (stored["state"] !== this.#head) return "the stored state is not what the journal folds to";
    return null;
  }
}

import type { RunShell } from "../../support/run-fixture.ts";
import { readEntries } from "../../../durable-objects/shell/journal.ts";
import { nextEffectAt } from "../../../durable-objects/shell/outbox.ts";
import type { Json } from "../../../src/lib/json.ts";
import type { ObjectHost, Watch } from "../host.ts";
import type { HostedObject } from "../real-object.ts";
import { type Invariant, Violation } from "../violation.ts";
import type { WorkerWorld } from "./world.ts";

/** How late an alarm may be, beyond what it looks after. */
const WATCH_MS = 10_000;

/** More alarms than this within ten seconds are a storm. */
const STORM = 40;

/** An object with a journal, as it is watched. */
export interface Journaled<State, Event> {
  readonly name: string;
  readonly host: () => ObjectHost<HostedObject>;
  readonly evolve: (state: State, event: Event) => State;
  readonly headOf: (state: State) => Json;
  readonly initial: State;
  /** Looks at an event that was committed, with the states around it. */
  readonly happened: (event: Event, before: State, after: State) => void;
  /** The latest moment for which the alarm may be set; null where it need not be. */
  readonly latestAlarm: (state: State, latest: number) => number | null;
}

/** Watches the disk of an object from outside and folds its journal with the real machine. */
export class JournalWatch<State, Event> implements Watch {
  state: State;
  seq = 0;
  /** Alarms that have gone off. */
  alarms = 0;
  readonly #world: WorkerWorld;
  readonly #object: Journaled<State, Event>;
  readonly #recent: number[] = [];

  constructor(world: WorkerWorld, object: Journaled<State, Event>) {
    this.#world = world;
    this.#object = object;
    this.state = object.initial;
  }

  readonly diskSeq = (): number => {
    const { store } = this.#object.host();
    if (store.query("SELECT 1 AS found FROM sqlite_master WHERE name = 'journal'").length === 0) return 0;
    return Number(store.query("SELECT max(seq) AS seq FROM journal")[0]?.["seq"] ?? 0);
  };

  /** After a call has left the object: one command is at most one commit, and memory agrees with the disk (I3, I2). */
  readonly entered = (name: string, before: number): void => {
    const after = this.diskSeq();
    if (after < before || after > before + 1) this.fail("I3 commit", `${name} made ${after - before} commits`);
    if (name === "alarm") this.#countAlarm();
    this.check();
  };

  #countAlarm(): void {
    const { now } = this.#world.scheduler;
    this.alarms += 1;
    this.#recent.push(now);
    while ((this.#recent[0] ?? now) < now - 10_000) this.#recent.shift();
    if (this.#recent.length > STORM) this.fail("idle", `${this.#recent.length} alarms within ten seconds`);
  }

  /** Reads what was committed since it last looked. */
  check(): void {
    if (this.diskSeq() !== this.seq) {
      this.#absorb();
      this.#checkMemory();
    }
    this.#checkAlarm();
  }

  #absorb(): void {
    for (const entry of readEntries<Event>(this.#object.host().store, this.seq)) {
      if (entry.seq !== this.seq + 1) this.fail("I2 fold", `entry ${entry.seq} follows entry ${this.seq}`);
      this.seq = entry.seq;
      for (const event of entry.events) {
        const before = this.state;
        this.state = this.#object.evolve(before, event);
        this.#world.trace(`${this.#object.name} #${this.seq} ${(event as { readonly type: string }).type}`);
        this.#object.happened(event, before, this.state);
      }
    }
  }

  #checkMemory(): void {
    const host = this.#object.host();
    const stored = host.store.query("SELECT state FROM head WHERE id = 1")[0]?.["state"];
    if (stored !== JSON.stringify(this.#object.headOf(this.state)))
      this.fail("I2 fold", `the head row holds ${String(stored)}`);
    if (!host.isLoaded) return;
    const { shell } = host.object() as unknown as { readonly shell: RunShell };
    if (shell.quarantine !== null) this.fail("I2 fold", `quarantine: ${shell.quarantine}`);
    if (shell.seq === this.seq && JSON.stringify(shell.state) !== JSON.stringify(this.state))
      this.fail("I2 fold", `memory differs from the fold of the journal at ${this.seq}`);
  }

  #checkAlarm(): void {
    const { store } = this.#object.host();
    if (this.seq === 0) return;
    const now = this.#world.clock();
    const alarm = store.alarmAt();
    const effectAt = nextEffectAt(store);
    if (effectAt !== null && (alarm === null || alarm > Math.max(effectAt, now) + WATCH_MS))
      this.fail("I1 alarm", `an effect is due at ${effectAt}, the alarm at ${String(alarm)}, it is ${now}`);
    const latest = this.#object.latestAlarm(this.state, now + WATCH_MS);
    if (latest !== null && (alarm === null || alarm > latest))
      this.fail("A1 start", `nobody wakes it: the alarm is at ${String(alarm)}, it is ${now}`);
  }

  /** Once nothing goes on any more. */
  finish(): void {
    const host = this.#object.host();
    if (nextEffectAt(host.store) !== null) this.fail("liveness", "an effect was never performed");
    host.reset("looked at once more");
    const { shell } = host.object() as unknown as { readonly shell: RunShell };
    if (shell.quarantine !== null || JSON.stringify(shell.state) !== JSON.stringify(this.state))
      this.fail("I2 fold", `a fresh load differs: ${shell.quarantine ?? "in its state"}`);
  }

  fail(invariant: Invariant, detail: string): never {
    throw new Violation(invariant, `${this.#object.name}: ${detail}`);
  }
}

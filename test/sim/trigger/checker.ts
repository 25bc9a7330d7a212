// What holds for the events of a trigger, whatever goes wrong. Everything is read from the disk of its object.
//
// T1  An event that was answered stays for ever and comes to its end once nothing goes wrong any more.
// T2  The same dedupe key gets the same receipt.
// T3  A journal only grows, and a final state never changes.
// T4  An open event has a row of the outbox; the alarm is set no later than the first of them, or than what flow control times.
// T5  What the object counts as in flight is what its rows say.
// T6  A dispatch has no two runs at the same time, and none beside one that was completed.
// T7  No attempt calls its handler twice, and one attempt of a dispatch ends well at most.
// T8  No gate holds more permits than its limit, and what is being handled holds its own or has let its lease run out.
// T9  No window counts more than its limit within its period.
// T10 An event that is debounced goes on only when no newer one of its gate came within its quiet period.
// T11 Every member of a batch is handled by one leader.
// T12 Attempts are numbered, and never more than the definition allows.
// T13 After a cancellation nothing is begun and nothing succeeds.
// T14 A dead letter has a history; it is resolved by a replay that went well, and discarded by a person.
// T15 No more events act by themselves in an hour than the budget says, nor does a predicate cost more.
// T16 A circuit: see `circuit-model.ts`.
// T17 A version drains as long as it has something in flight; nobody sees one that drains with nothing.
// T18 Every event is handled as the version says that took it in.
// T19 No row shows a secret.

import { type BindingState, definitionOf } from "../../../src/engine/trigger/binding.ts";
import type { EventRecord, SettleDispatch } from "../../../src/engine/trigger/event.ts";
import { isFinal } from "../../../src/engine/trigger/evolve.ts";
import { TriggerShell } from "../../../durable-objects/shell/trigger-shell.ts";
import { loadEvent } from "../../../durable-objects/shell/keyed-events.ts";
import { loadFlow } from "../../../durable-objects/shell/flow-rows.ts";
import { Violation } from "../violation.ts";
import { checkEnd } from "./check-end.ts";
import { checkJournal } from "./check-journal.ts";
import { FlowWatch } from "./flow-watch.ts";
import type { WatchedTrigger } from "./watched-trigger.ts";

/** An event as its row says, with the journal it folds from. */
export interface SeenEvent {
  readonly key: string;
  readonly record: EventRecord;
  readonly journal: readonly { readonly type: string; readonly at: string }[];
  readonly text: string;
}

/** Looks at the disk of a trigger after every call. */
export class TriggerChecker {
  readonly events = new Map<string, SeenEvent>();
  readonly #trigger: WatchedTrigger;
  readonly #flow: FlowWatch;
  readonly #succeeded = new Map<string, number>();
  #reader: { readonly head: string; readonly binding: BindingState } | null = null;
  checks = 0;

  constructor(trigger: WatchedTrigger) {
    this.#trigger = trigger;
    this.#flow = new FlowWatch(trigger);
  }

  readonly diskSeq = (): number => 0;

  readonly entered = (name: string): void => {
    if (!this.#isThere()) return;
    this.checks += 1;
    this.#read();
    this.#checkWakers(name);
    const flow = loadFlow(this.#trigger.host.store);
    this.#flow.check(flow, this.events);
    this.#checkVersions(name);
  };

  /** The binding as its rows say. */
  get binding(): BindingState {
    const { store } = this.#trigger.host;
    const head = JSON.stringify(store.query("SELECT max(seq) AS seq FROM journal"));
    if (this.#reader?.head === head) return this.#reader.binding;
    const shell = new TriggerShell({
      // Whoever only looks sets no alarm.
      store: { ...store, setAlarm: () => {} },
      context: () => ({ now: this.#trigger.world.clock(), nextId: (prefix) => prefix }),
      objectId: this.#trigger.id,
      queuesForget: false,
      send: () => {},
      changed: () => {},
    });
    this.#reader = { head, binding: shell.binding.state };
    return this.#reader.binding;
  }

  /** The events that are not over. */
  open(): readonly SeenEvent[] {
    return [...this.events.values()].filter(({ record }) => !isFinal(record));
  }

  /** Notes an attempt that was reported to have gone well, and taken as such (T7). */
  settled({ dispatch_id, attempt, outcome }: Omit<SettleDispatch, "type">): void {
    if (outcome.type !== "succeeded") return;
    const ended = [...this.events.values()].find(({ record }) => record.dispatch_id === dispatch_id);
    if (ended?.record.attempts.at(-1)?.attempt !== attempt) return;
    const known = this.#succeeded.get(dispatch_id) ?? attempt;
    if (known !== attempt) throw new Violation("T7 handler", `two attempts of ${dispatch_id} went well`);
    this.#succeeded.set(dispatch_id, attempt);
  }

  /** What has to hold once nothing goes on any more. */
  finish(): void {
    if (!this.#isThere()) return;
    this.#trigger.host.enter("show", (object) => object.show());
    this.#read();
    checkEnd(this.#trigger, this.events);
    this.#checkSecrets();
  }

  #isThere(): boolean {
    const { store } = this.#trigger.host;
    return store.query("SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'event'").length > 0;
  }

  #read(): void {
    const { store } = this.#trigger.host;
    const rows = store.query("SELECT dedupe_key, state FROM event");
    if (rows.length < this.events.size) throw new Violation("T1 kept", "an event is gone");
    for (const row of rows) {
      const [key, text] = [String(row["dedupe_key"]), String(row["state"])];
      const before = this.events.get(key);
      if (before?.text === text) continue;
      const { state, journal } = loadEvent(store, key, (version) => definitionOf(this.binding, version));
      if (state.status === "absent") throw new Violation("T1 kept", "an event cannot be read");
      const seen: SeenEvent = { key, record: state, journal, text };
      checkJournal(seen, before);
      this.events.set(key, seen);
    }
    for (const [key, { event_id, receipt }] of this.#trigger.receipts) {
      const record = this.events.get(key)?.record;
      if (record?.event.id !== event_id || record.receipt !== receipt)
        throw new Violation("T1 kept", `the event of ${key} is not what its sender was answered`);
    }
  }

  #checkWakers(name: string): void {
    const { host, world } = this.#trigger;
    const rows = host.store.query("SELECT id, next_at_ms FROM outbox");
    const held = new Map(rows.map((row) => [String(row["id"]), Number(row["next_at_ms"])]));
    for (const { record } of this.open()) {
      const { event, replay, status } = record;
      const id = replay === null ? event.id : `${event.id}#${replay.number}`;
      if (!held.has(id)) throw new Violation("T4 waker", `after ${name} nobody looks after an event that is ${status}`);
    }
    const tickets = loadFlow(host.store).tickets;
    const timed = [...tickets].flatMap(({ due_at_ms, lease_until_ms }) => [due_at_ms, lease_until_ms]);
    const due = Math.min(...held.values(), ...timed.filter((at) => at !== null));
    if (due === Infinity) return;
    const alarm = host.store.alarmAt();
    // An alarm that went wrong is tried again ten seconds later.
    const slack = world.clock() - world.reportedAt < 2 * RETRY_MS ? RETRY_MS : 0;
    if (alarm === null || alarm > Math.max(due, world.clock()) + slack)
      throw new Violation("T4 waker", `after ${name} the alarm is at ${String(alarm)}, but ${due} is due`);
  }

  #checkVersions(name: string): void {
    const state = this.binding;
    if (state.status === "absent") return;
    const open = new Map<number, number>();
    for (const { record } of this.open()) {
      const { version } = record.binding;
      open.set(version, (open.get(version) ?? 0) + 1);
    }
    for (const { version, state: life } of state.versions)
      if (life === "draining" && name === "show" && (open.get(version) ?? 0) === 0)
        throw new Violation("T17 draining", `version ${version} drains with nothing in flight`);
    for (const { record } of this.open()) {
      const one = state.versions.find(({ version }) => version === record.binding.version);
      if (one?.state === "terminated" && record.replay === null)
        throw new Violation("T17 draining", `version ${one.version} ended with an event that is ${record.status}`);
    }
  }

  /** Compares what the object says of itself with its rows (T5). */
  checkLoad(metrics: readonly { readonly version: number; readonly in_flight: number }[]): void {
    // A crash may have come after a commit that nobody has looked at since.
    if (this.#isThere()) this.#read();
    for (const { version, in_flight } of metrics) {
      const open = this.open().filter(({ record }) => record.binding.version === version).length;
      if (open !== in_flight)
        throw new Violation("T5 load", `version ${version} counts ${in_flight} in flight, but has ${open}`);
    }
  }

  #checkSecrets(): void {
    const { store } = this.#trigger.host;
    const tables = store.query("SELECT name FROM sqlite_master WHERE type = 'table'");
    for (const { name } of tables)
      if (JSON.stringify(store.query(`SELECT * FROM "${String(name)}"`)).includes(SECRET_MARK))
        throw new Violation("T19 secret", `the table ${String(name)} shows a secret`);
  }
}

const RETRY_MS = 10_000;

/** Part of every secret of a simulation. */
const SECRET_MARK = "s3cr3t-that";

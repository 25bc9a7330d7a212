import {
  type DispatchGiven,
  type EventAnswer,
  type Order,
  type ReplayRequest,
} from "../../../durable-objects/shell/trigger-requests.ts";
import { type DispatchMessage, type HeldMessage } from "../../../durable-objects/shell/trigger-messages.ts";
import { type EventChange } from "../../../durable-objects/shell/event-commits.ts";
import { TriggerShell } from "../../../durable-objects/shell/trigger-shell.ts";
import { loadEvent } from "../../../durable-objects/shell/keyed-events.ts";
import { type SqliteStore, sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import type { Answer } from "../../../src/engine/machine.ts";
import { definitionOf } from "../../../src/engine/trigger/binding.ts";
import type { EventRecord, HandlerReport } from "../../../src/engine/trigger/event.ts";
import type { LogRecord } from "../../../src/engine/trigger/log.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { NOON, opened, stored } from "./fixture.ts";

/** What an answer gives; one that is a refusal is an error of the test. */
export const given = <T>(answer: Answer<T> | "stale"): T => {
  if (answer === "stale" || !answer.ok) throw new Error(JSON.stringify(answer));
  return answer.reply;
};

/** The code of a refusal; null for an answer. */
export const codeOf = (answer: Answer<unknown>): string | null => (answer.ok ? null : answer.rejection.code);

/** A trigger on a store with virtual time in place of the platform's. */
export class HostedTrigger {
  readonly store: SqliteStore = sqliteStore();
  now = NOON;
  /** Messages that were sent with a commit. */
  sent: DispatchMessage[] = [];
  changed: EventChange[] = [];
  log: LogRecord[] = [];
  shell: TriggerShell;
  readonly #queuesForget: boolean;
  #ids = 0;

  constructor(definition: Readonly<Record<string, unknown>> = {}, { queuesForget = false } = {}) {
    this.#queuesForget = queuesForget;
    this.shell = this.#load();
    this.put(definition);
  }

  #load(): TriggerShell {
    return new TriggerShell({
      store: this.store,
      context: () => ({ now: this.now, nextId: (prefix) => `${prefix}_${(this.#ids += 1)}` }),
      objectId: "trigger",
      queuesForget: this.#queuesForget,
      send: (messages) => this.sent.push(...messages),
      changed: (changes) => this.changed.push(...changes),
      log: (records) => this.log.push(...records),
    });
  }

  /** Throws away everything in memory. */
  restart(): void {
    this.shell = this.#load();
  }

  put(change: Readonly<Record<string, unknown>> = {}): void {
    const definition = stored({ match: {}, handler: { function: "echo" }, ...change });
    given(this.shell.configure({ type: "configure", trigger_id: "hub", definition, source: "dynamic" }, "t1"));
  }

  get version(): number {
    const { state } = this.shell.binding;
    return state.status === "absent" ? 0 : state.current.version;
  }

  /** Takes in a delivery with a payload of its own. */
  deliver(key: string, payload: JsonObject = {}, kind = "issues.opened"): EventAnswer {
    const provider_payload = { ...opened.provider_payload, ...payload };
    const event = { ...opened, kind, dedupe_key: key, provider_payload };
    return given(this.shell.accept({ tenant: "t1", version: this.version, event }));
  }

  dispatch(key: string, brought: DispatchGiven = {}): EventAnswer {
    return given(this.shell.dispatch(key, brought));
  }

  /** Dispatches with a destination that is well. */
  begin(key: string): Order | null {
    return this.dispatch(key, { circuit: { type: "closed" } }).order;
  }

  settle(key: string, outcome: HandlerReport): EventAnswer {
    const { dispatch_id, attempts } = this.record(key);
    return given(this.shell.settle(key, { dispatch_id: dispatch_id ?? "", attempt: attempts.length, outcome }));
  }

  /** Dispatches and has it handled at once. */
  handle(key: string, outcome: HandlerReport = { type: "succeeded", result: null }): EventRecord {
    if (this.begin(key)?.type !== "handle") throw new Error(`${key} is ${this.status(key)}: it is not handled now`);
    return this.settle(key, outcome).record;
  }

  replay(key: string, change: Partial<ReplayRequest> = {}): EventAnswer {
    const request = { as_of: null, dlq_id: null, requested_by: null, not_before: null };
    return given(this.shell.replay(key, { version: this.version, ...request, ...change }));
  }

  record(key: string): EventRecord {
    const found = this.shell.latest(key);
    if (found === null) throw new Error(`there is no event ${key}`);
    return found.record;
  }

  status(key: string): EventRecord["status"] {
    return this.record(key).status;
  }

  /** Moves the clock on and rings the alarm as often as it is due; gives the messages that came of it. */
  pass(ms: number): readonly HeldMessage[] {
    const until = this.now + ms;
    const messages: HeldMessage[] = [];
    for (let alarm = this.store.alarmAt(); alarm !== null && alarm <= until; alarm = this.store.alarmAt()) {
      this.now = Math.max(this.now, alarm);
      this.store.setAlarm(null);
      messages.push(...this.shell.alarm());
    }
    this.now = until;
    return messages;
  }

  /** The keys that messages were sent for since the last time this was asked. */
  takeSent(): readonly string[] {
    const keys = this.sent.map((message) => message.dedupe_key);
    this.sent = [];
    return keys;
  }

  /** The rows of the outbox. */
  get outbox(): readonly { readonly id: string; readonly next_at: number }[] {
    return this.store
      .query("SELECT id, next_at_ms FROM outbox ORDER BY id")
      .map((row) => ({ id: String(row["id"]), next_at: Number(row["next_at_ms"]) }));
  }

  /** The keys of all rows, with what is folded from them. */
  get rows(): ReadonlyMap<string, EventRecord> {
    const { state } = this.shell.binding;
    const rows = new Map<string, EventRecord>();
    if (state.status === "absent") return rows;
    for (const row of this.store.query("SELECT dedupe_key FROM event ORDER BY dedupe_key")) {
      const key = String(row["dedupe_key"]);
      const kept = loadEvent(this.store, key, (version) => definitionOf(state, version));
      if (kept.state.status !== "absent") rows.set(key, kept.state);
    }
    return rows;
  }
}

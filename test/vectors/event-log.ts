import type { LogRecord } from "../../src/engine/trigger/log.ts";
import { tenantTopic } from "../../src/engine/trigger/topics.ts";
import { isObject, type Json, type JsonObject } from "../../src/lib/json.ts";
import type { VirtualClock } from "./clock.ts";
import { valueOf } from "./operation.ts";

/** A record of the event log as vectors see it. */
export interface LogEntry {
  readonly kind: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Json;
  readonly occurred_at_ms: number;
}

/** Topics that a tenant has for itself (spec/triggers 3). */
const OF_TENANT: ReadonlySet<string> = new Set([
  "trigger.inbox.envelopes",
  "trigger.outbox",
  "trigger.attempts",
  "trigger.dlq",
  "triggers.lifecycle",
]);

/** The event log of a system: what its triggers say has happened, and what was written by hand (spec/triggers 2). */
export class EventLog {
  readonly #clock: VirtualClock;
  readonly #topics = new Map<string, LogEntry[]>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** Writes down what a trigger says, under its tenant's topic. */
  readonly record = (records: readonly LogRecord[]): void => {
    for (const { topic, kind, headers, payload } of records) this.append(topic, { kind, headers, payload });
  };

  append(topic: string, entry: Omit<LogEntry, "occurred_at_ms">): void {
    const tenant = entry.headers["tenant_id"];
    const isScoped = tenant !== undefined && OF_TENANT.has(topic);
    this.appendRaw(isScoped ? valueOf(tenantTopic(tenant, topic)) : topic, entry);
  }

  /** Writes a record under exactly this topic. */
  appendRaw(name: string, entry: Omit<LogEntry, "occurred_at_ms">): void {
    const entries = this.#topics.get(name) ?? [];
    this.#topics.set(name, entries);
    entries.push({ ...entry, occurred_at_ms: this.#clock.now });
  }

  read(topic: string): readonly LogEntry[] {
    return this.#topics.get(topic) ?? [];
  }

  /** The records of a topic in every tenant. */
  everywhere(topic: string): readonly LogEntry[] {
    return [...this.#topics].flatMap(([name, entries]) =>
      name === topic || name.endsWith(`.${topic}`) ? entries : [],
    );
  }

  /** Whether somebody has asked for an event's dispatch under a binding to stop (spec/triggers 13.1). */
  hasCancelRequest(bindingKey: string, eventId: string): boolean {
    return this.read("trigger.cancel.requests").some(({ kind, payload }) => {
      const request: JsonObject = isObject(payload) ? payload : {};
      const isSame = request["binding_key"] === bindingKey && request["event_id"] === eventId;
      return isSame && kind === "dispatch_cancel_requested";
    });
  }
}

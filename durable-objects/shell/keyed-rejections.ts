import { rfc3339 } from "../../src/lib/time.ts";
import type { RejectionCount } from "../../src/schema/trigger.ts";
import type { Store } from "../storage/store.ts";

const MINUTE_MS = 60_000;
const MAX_ROWS = 100;
const MAX_MESSAGE_LENGTH = 300;

interface Counter {
  readonly minute: number;
  readonly reason: string;
  count: number;
  written: number;
  last_at_ms: number;
  last_message: string;
}

/**
 * Counts refused deliveries by minute and reason, without anything of their bodies.
 *
 * A sender without the secret must not make us write a row for each of its requests: a counter is written when its count
 * is a power of two, so n refusals write about log2(n) rows, and at most the newest hundred counters are kept. The exact
 * count is in memory; an eviction loses less than half of it. Reasons have to come from a short list.
 */
export class RejectionCounts {
  readonly #store: Store;
  readonly #current = new Map<string, Counter>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Counts one refusal. */
  count(reason: string, message: string, now: number): void {
    const minute = Math.floor(now / MINUTE_MS);
    this.#leave(minute);
    const counter = this.#current.get(reason) ?? this.#read(minute, reason);
    counter.count += 1;
    counter.last_at_ms = now;
    counter.last_message = message.slice(0, MAX_MESSAGE_LENGTH);
    this.#current.set(reason, counter);
    if ((counter.count & (counter.count - 1)) === 0) this.#write(counter);
  }

  /** The counters, newest minute first. */
  list(): readonly RejectionCount[] {
    for (const counter of this.#current.values()) if (counter.count > counter.written) this.#write(counter);
    return this.#store
      .query("SELECT minute, reason, count, last_at_ms, last_message FROM rejection ORDER BY minute DESC, reason")
      .map((row) => ({
        minute: rfc3339(Number(row["minute"]) * MINUTE_MS),
        reason: String(row["reason"]),
        count: Number(row["count"]),
        last_at: rfc3339(Number(row["last_at_ms"])),
        last_message: String(row["last_message"]),
      }));
  }

  /** Writes down what the minutes before this one have counted since. */
  #leave(minute: number): void {
    for (const [reason, counter] of this.#current) {
      if (counter.minute === minute) continue;
      if (counter.count > counter.written) this.#write(counter);
      this.#current.delete(reason);
    }
  }

  #read(minute: number, reason: string): Counter {
    const row = this.#store.query("SELECT count FROM rejection WHERE minute = ? AND reason = ?", minute, reason)[0];
    const count = Number(row?.["count"] ?? 0);
    return { minute, reason, count, written: count, last_at_ms: 0, last_message: "" };
  }

  #write(counter: Counter): void {
    const isNew = counter.written === 0;
    this.#store.transaction(() => {
      this.#store.write(
        "INSERT INTO rejection (minute, reason, count, last_at_ms, last_message) VALUES (?, ?, ?, ?, ?) ON CONFLICT (minute, reason) DO UPDATE SET count = excluded.count, last_at_ms = excluded.last_at_ms, last_message = excluded.last_message",
        counter.minute,
        counter.reason,
        counter.count,
        counter.last_at_ms,
        counter.last_message,
      );
      if (!isNew) return;
      this.#store.write(
        "DELETE FROM rejection WHERE (minute, reason) NOT IN (SELECT minute, reason FROM rejection ORDER BY minute DESC, reason LIMIT ?)",
        MAX_ROWS,
      );
    });
    counter.written = counter.count;
  }
}

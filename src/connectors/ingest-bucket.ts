import type { Timestamp } from "../lib/time.ts";

interface Bucket {
  readonly tokens: number;
  readonly at: Timestamp;
}

const MAX_BUCKETS = 10_000;

/**
 * Token buckets that start full: a minute's worth of deliveries at once, and then as many a second as that makes
 * (spec/triggers 20.4). They are in memory, one set in each isolate, so a limit is approximate.
 */
export class IngestBuckets {
  readonly #buckets = new Map<string, Bucket>();

  /** Takes a token. Null when there was one, or the seconds after which there will be. */
  take(name: string, perMinute: number, now: Timestamp): number | null {
    const refill = Math.max(Math.floor(perMinute / 60), 1);
    const known = this.#buckets.get(name) ?? { tokens: perMinute, at: now };
    const passed = Math.max(now - known.at, 0) / 1000;
    const tokens = Math.min(known.tokens + passed * refill, perMinute);
    this.#buckets.delete(name);
    // The one that was not asked for the longest time is most likely full.
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size >= MAX_BUCKETS && oldest !== undefined) this.#buckets.delete(oldest);
    const isFree = tokens >= 1;
    this.#buckets.set(name, { tokens: isFree ? tokens - 1 : tokens, at: now });
    return isFree ? null : Math.max(1, Math.floor((1 - tokens) / refill));
  }
}

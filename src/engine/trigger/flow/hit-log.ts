import type { Timestamp } from "../../../lib/time.ts";

const COMPACT_AT = 64;

/** The accepted times of one gate within its period, oldest first (spec/triggers 10: a sliding log). */
export class HitLog {
  #times: Timestamp[];
  /** How many of the first times have expired. */
  #expired = 0;

  constructor(times: readonly Timestamp[] = []) {
    this.#times = [...times];
  }

  /** The time of the last hit, or null when none was ever added. */
  get last(): Timestamp | null {
    return this.#times.at(-1) ?? null;
  }

  /** When there is room for one more: in the past when there is now. A hit counts until its age is the period. */
  roomAt(max: number, period: number): Timestamp | null {
    const hit = this.#times[this.#times.length - max];
    return hit === undefined ? null : hit + period;
  }

  hasRoom(max: number, period: number, now: Timestamp): boolean {
    return (this.roomAt(max, period) ?? now) <= now;
  }

  /** Adds a hit; times never go back, whatever the clock does. */
  add(now: Timestamp, period: number): void {
    const at = Math.max(now, this.last ?? now);
    while (this.#expired < this.#times.length && (this.#times[this.#expired] ?? at) + period <= at) this.#expired++;
    if (this.#expired >= COMPACT_AT && this.#expired * 2 > this.#times.length) {
      this.#times = this.#times.slice(this.#expired);
      this.#expired = 0;
    }
    this.#times.push(at);
  }

  /** The times that still count. */
  times(): readonly Timestamp[] {
    return this.#times.slice(this.#expired);
  }
}

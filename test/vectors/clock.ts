import type { Context } from "../../src/engine/machine.ts";
import type { Json } from "../../src/lib/json.ts";
import type { Timestamp } from "../../src/lib/time.ts";

/** Virtual time: it stands still until it is moved. Ids are counted, so that a vector runs the same way every time. */
export class VirtualClock {
  #now: Timestamp = 0;
  #ids = 0;

  get now(): Timestamp {
    return this.#now;
  }

  /** The context of a command given now. */
  get context(): Context {
    return { now: this.#now, nextId: (prefix) => this.nextId(prefix) };
  }

  /** A fresh id in the layout of a uuid v7 (spec/workflow 0.4). */
  nextId(prefix: string): string {
    this.#ids += 1;
    const time = this.#now.toString(16).padStart(12, "0").slice(-12);
    const uuid = `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${this.#ids.toString(16).padStart(12, "0")}`;
    return prefix === "" ? uuid : `${prefix}_${uuid}`;
  }

  /** Sets the clock to a moment in milliseconds or RFC 3339. */
  set(at: Json | undefined): void {
    const moment = typeof at === "string" ? Date.parse(at) : Number(at);
    if (Number.isNaN(moment)) throw new Error(`not a moment: ${JSON.stringify(at)}`);
    this.#now = moment;
  }

  /** Moves the clock forward to a moment; it never goes back. */
  moveTo(at: Timestamp): void {
    this.#now = Math.max(this.#now, at);
  }
}

import { CircuitShell } from "../../durable-objects/shell/circuit-shell.ts";
import { type SqliteStore, sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import type { VirtualClock } from "./clock.ts";

/** The circuits of a system by destination: the product's shell on its storage. */
export class Circuits {
  readonly #clock: VirtualClock;
  readonly #stores = new Map<string, SqliteStore>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** The circuit of a destination, as an object that was just woken has it. */
  named(destination: string): CircuitShell {
    const store = this.#stores.get(destination) ?? sqliteStore();
    this.#stores.set(destination, store);
    return new CircuitShell({ store, now: () => this.#clock.now });
  }

  close(): void {
    for (const store of this.#stores.values()) store.close();
  }
}

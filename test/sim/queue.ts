import type { Platform } from "./platform.ts";

/** A queue: messages come at least once, in any order; one that may lose messages loses some. */
export class Queue {
  readonly #world: Platform;
  readonly #name: string;
  readonly #consume: (message: unknown, isDuplicate: boolean) => void;
  readonly #isLossy: boolean;
  /** Messages that were taken in, oldest first. */
  readonly accepted: unknown[] = [];

  constructor(
    world: Platform,
    name: string,
    isLossy: boolean,
    consume: (message: unknown, isDuplicate: boolean) => void,
  ) {
    this.#world = world;
    this.#name = name;
    this.#isLossy = isLossy;
    this.#consume = consume;
  }

  /** Sends from a sender that may die before it hears of it. */
  send(message: unknown, isAlive: () => boolean): Promise<void> {
    const { faults, scheduler } = this.#world;
    const copy: unknown = JSON.parse(JSON.stringify(message));
    return new Promise((resolve, reject) => {
      scheduler.after(this.#world.latency(), () => {
        // What a sender that has died since wanted to send never left it.
        if (!isAlive()) return;
        const fails = faults.hits("send_fails");
        if (!fails) this.#accept(copy);
        const isUnconfirmed = !fails && faults.hits("send_unconfirmed");
        scheduler.after(this.#world.latency(), () => {
          if (!isAlive()) return;
          if (fails || isUnconfirmed) reject(new Error("the queue could not be reached"));
          else resolve();
        });
      });
    });
  }

  #accept(message: unknown): void {
    const { faults } = this.#world;
    this.accepted.push(message);
    if (this.#isLossy && faults.hits("queue_drop")) return this.#world.trace(`${this.#name} queue loses a message`);
    this.#deliver(message, false);
    if (faults.hits("queue_duplicate")) this.#deliver(message, true);
  }

  #deliver(message: unknown, isDuplicate: boolean): void {
    const { faults, random, scheduler } = this.#world;
    const ms = faults.hits("queue_delay") ? faults.random("queue_delay").int(500, 15_000) : random.int(1, 60);
    scheduler.after(ms, () => this.#consume(message, isDuplicate));
  }
}

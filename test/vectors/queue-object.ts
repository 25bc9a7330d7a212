import { QueueShell } from "../../durable-objects/shell/queue-shell.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import { DEFAULT_POLICY, type QueuePolicy } from "../../src/engine/work-queue/policy.ts";
import type { VirtualClock } from "./clock.ts";

/** One queue's object: the product's shell on its storage, with virtual time in place of the platform's. */
class QueueObject {
  readonly #clock: VirtualClock;
  readonly #store = sqliteStore();
  shell: QueueShell;

  constructor(clock: VirtualClock, policy: QueuePolicy) {
    this.#clock = clock;
    this.shell = this.#load(policy);
  }

  /** Throws away everything in memory. */
  restart(policy: QueuePolicy): void {
    this.shell = this.#load(policy);
  }

  close(): void {
    this.#store.close();
  }

  #load(policy: QueuePolicy): QueueShell {
    return new QueueShell({ store: this.#store, context: () => this.#clock.context, policy, objectId: "queue" });
  }
}

/** All queues of a system, by name. */
export class Queues {
  readonly #clock: VirtualClock;
  readonly #objects = new Map<string, QueueObject>();
  #policy = DEFAULT_POLICY;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** The queue of a name; one that nobody has used yet is empty. */
  named(name: string): QueueShell {
    let object = this.#objects.get(name);
    if (object === undefined) this.#objects.set(name, (object = new QueueObject(this.#clock, this.#policy)));
    return object.shell;
  }

  /** Names of the queues that were used, in order. */
  get names(): readonly string[] {
    return [...this.#objects.keys()].toSorted();
  }

  setPolicy(policy: QueuePolicy): void {
    this.#policy = policy;
    for (const object of this.#objects.values()) object.shell.setPolicy(policy);
  }

  restart(): void {
    for (const object of this.#objects.values()) object.restart(this.#policy);
  }

  close(): void {
    for (const object of this.#objects.values()) object.close();
  }
}

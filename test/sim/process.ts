import type { Platform } from "./platform.ts";

/**
 * A process outside the object: a driver or a client. Everything it waits for goes through it, so that it can die or
 * stand still at any of its awaits.
 */
export class Process {
  readonly world: Platform;
  readonly name: string;
  readonly #isMortal: boolean;
  readonly #beats: boolean;
  /** How far this machine's clock is from the object's. */
  readonly #skew: number;
  #isAlive = true;
  #frozenUntil = 0;

  constructor(world: Platform, name: string, isMortal: boolean) {
    this.world = world;
    this.name = name;
    this.#isMortal = isMortal;
    if (isMortal) world.mortals.add(this);
    this.#beats = !(isMortal && world.faults.hits("no_heartbeat"));
    this.#skew = isMortal && world.faults.enabled.has("clock_jump") ? world.random.int(-2_000, 2_000) : 0;
  }

  kill(): void {
    this.#isAlive = false;
    this.world.mortals.delete(this);
  }

  now(): number {
    return this.world.clock() + this.#skew;
  }

  sleep(ms: number): Promise<void> {
    return this.later((resolve) => this.world.scheduler.after(ms, () => resolve()));
  }

  every(ms: number, task: () => void): () => void {
    let isStopped = !this.#beats;
    const beat = (): void => {
      if (isStopped || !this.#isAlive) return;
      if (this.world.scheduler.now >= this.#frozenUntil) task();
      this.world.scheduler.after(ms, beat);
    };
    this.world.scheduler.after(ms, beat);
    return () => {
      isStopped = true;
    };
  }

  /** A promise of something outside; nothing comes back to a process that has died meanwhile. */
  later<T>(start: (resolve: (value: T) => void, reject: (fault: unknown) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      start(
        (value) => this.#wake(() => resolve(value)),
        (fault) => this.#wake(() => reject(fault)),
      );
    });
  }

  #wake(go: () => void): void {
    const { faults, scheduler, trace } = this.world;
    if (this.#isMortal && this.#isAlive && faults.hits("driver_crash")) {
      trace(`${this.name} dies`);
      this.kill();
    }
    if (this.#isMortal && this.#isAlive && faults.hits("driver_freeze")) {
      const ms = faults.random("driver_freeze").int(4_000, 40_000);
      trace(`${this.name} stands still for ${ms} ms`);
      this.#frozenUntil = scheduler.now + ms;
    }
    if (!this.#isAlive) return;
    if (scheduler.now >= this.#frozenUntil) go();
    else
      scheduler.after(this.#frozenUntil - scheduler.now, () => {
        if (this.#isAlive) go();
      });
  }
}

import type { VirtualClock } from "./clock.ts";

interface Timer {
  readonly at: number;
  readonly wake: () => void;
}

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

/** Work that goes on beside the operations, and waits for virtual time. */
export class Agenda {
  readonly #clock: VirtualClock;
  #timers = new Set<Timer>();
  #active = 0;
  #fault: unknown = null;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** Begins a piece of work; what it throws is thrown where the work is waited for. */
  begin(work: () => Promise<void>): void {
    this.#active += 1;
    work()
      .catch((error: unknown) => {
        this.#fault = error;
      })
      .finally(() => {
        this.#active -= 1;
      });
  }

  /** Waits within a piece of work, until the time has passed or the signal is given. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0 || signal.aborted) return Promise.resolve();
    this.#active -= 1;
    return new Promise((resolve) => {
      const wake = (): void => {
        if (!this.#timers.delete(timer)) return;
        this.#active += 1;
        resolve();
      };
      const timer = { at: this.#clock.now + ms, wake };
      this.#timers.add(timer);
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  /** Until all work waits for time. */
  async quiet(): Promise<void> {
    do await turn();
    while (this.#active > 0);
    const fault = this.#fault;
    this.#fault = null;
    if (fault !== null) throw fault;
  }

  /** When the next wait is over; null for never. */
  get nextAt(): number | null {
    const times = [...this.#timers].map(({ at }) => at).filter(Number.isFinite);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Ends the waits whose time has come. */
  wake(): void {
    const due = [...this.#timers].filter(({ at }) => at <= this.#clock.now);
    for (const timer of due.toSorted((left, right) => left.at - right.at)) timer.wake();
  }

  /** The process is gone, and what waited with it. */
  clear(): void {
    this.#timers = new Set();
  }
}

import type { Store } from "../storage/store.ts";

/** An alarm that should have gone off so long ago was lost. */
const OVERDUE_MS = 5_000;

interface AlarmHosting {
  readonly store: Store;
  readonly now: () => number;
  /** When something is due, from everything that may be. */
  readonly dueTimes: () => readonly (number | null)[];
}

/** The one alarm of a trigger's object, set no later than anything is due (I1). */
export class EventAlarm {
  readonly #hosting: AlarmHosting;
  /** The alarm this instance knows to be set. */
  #armedAt: number | null = null;

  constructor(hosting: AlarmHosting) {
    this.#hosting = hosting;
  }

  /** Nothing is known of the alarm any more: it has gone off, or a transaction was rolled back. */
  forget(): void {
    this.#armedAt = null;
  }

  /** Moves the alarm only when it is missing or comes too late: setting it costs a row. */
  armFor(at: number | null): void {
    if (at === null) return;
    const now = this.#hosting.now();
    // One that is overdue stays: it is about to go off, and may look after more than this.
    const known = this.#armedAt !== null && this.#armedAt > now - OVERDUE_MS ? this.#armedAt : null;
    if (known !== null && known <= at) return;
    // An instance that knows of no alarm looks after what another one may have left behind (I1).
    if (known === null) this.arm(at);
    else this.#set(Math.max(at, now));
  }

  /** Sets the alarm to the first thing that is due. */
  arm(otherwise: number | null = null): void {
    const { dueTimes, now } = this.#hosting;
    const known = [...dueTimes(), otherwise].filter((time): time is number => time !== null);
    if (known.length > 0) this.#set(Math.max(Math.min(...known), now()));
  }

  #set(at: number): void {
    if (at === this.#armedAt) return;
    this.#armedAt = at;
    this.#hosting.store.setAlarm(at);
  }
}

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Simulated time. What is due runs in order of its moment, then of its scheduling; nothing waits in real time. */
export class Scheduler {
  now: number;
  readonly #entries: Entry[] = [];
  #order = 0;

  constructor(start: number) {
    this.now = start;
  }

  after(ms: number, run: () => void): void {
    const entry = { at: this.now + Math.max(0, ms), order: this.#order, run };
    this.#order += 1;
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#entries[middle] as Entry;
      if (other.at < entry.at || (other.at === entry.at && other.order < entry.order)) low = middle + 1;
      else high = middle;
    }
    this.#entries.splice(low, 0, entry);
  }

  /** Runs the next entry and everything that follows from it without time passing; false when there is none. */
  async step(): Promise<boolean> {
    const entry = this.#entries.shift();
    if (entry === undefined) return false;
    this.now = entry.at;
    entry.run();
    // All continuations are microtasks; a turn of the real event loop comes after the last of them.
    await new Promise((resolve) => setImmediate(resolve));
    return true;
  }
}

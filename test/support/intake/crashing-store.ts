import { sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import type { Store } from "../../../durable-objects/storage/store.ts";

/** What the code of an instance runs into when the instance is gone. */
export class Crash extends Error {}

/** Where an instance dies: before one of its next writes, before its next commit, or right after that. */
export type Doom =
  | { readonly at: "write"; readonly left: number }
  | { readonly at: "commit" }
  | { readonly at: "after_commit" };

/** A disk that outlives the instances that write on it, and ends them where it is told to. */
export class CrashingStore {
  readonly disk = sqliteStore();
  #doom: Doom | null = null;
  #epoch = 0;
  #isDead = false;
  #depth = 0;
  #alarms = 0;

  /** Whether the instance that was opened last has died. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /** Rows written so far; setting the alarm costs one. */
  get rows(): number {
    return this.disk.rowsWritten() + this.#alarms;
  }

  get isDoomed(): boolean {
    return this.#doom !== null;
  }

  /** Ends the instance at a point to come. */
  doom(doom: Doom): void {
    this.#doom = doom;
  }

  /** The store of a new instance; the one before is gone. */
  open(): Store {
    this.#epoch += 1;
    this.#isDead = false;
    this.#depth = 0;
    const epoch = this.#epoch;
    const alive = (): void => {
      if (this.#isDead || epoch !== this.#epoch) throw new Crash();
    };
    return {
      query: (sql, ...bindings) => {
        alive();
        return this.disk.query(sql, ...bindings);
      },
      write: (sql, ...bindings) => {
        alive();
        this.#beforeWrite();
        const rows = this.disk.write(sql, ...bindings);
        if (this.#depth === 0) this.#afterCommit();
        return rows;
      },
      setAlarm: (at) => {
        alive();
        this.#beforeWrite();
        this.#alarms += 1;
        this.disk.setAlarm(at);
        if (this.#depth === 0) this.#afterCommit();
      },
      transaction: (body) => {
        alive();
        return this.#transaction(body);
      },
    };
  }

  #transaction<T>(body: () => T): T {
    this.#depth += 1;
    try {
      return this.disk.transaction(() => {
        const value = body();
        if (this.#depth === 1 && this.#doom?.at === "commit") this.#die();
        return value;
      });
    } finally {
      this.#depth -= 1;
      if (this.#depth === 0 && !this.#isDead) this.#afterCommit();
    }
  }

  #beforeWrite(): void {
    if (this.#doom?.at === "write") {
      if (this.#doom.left <= 0) this.#die();
      this.#doom = { at: "write", left: this.#doom.left - 1 };
    } else if (this.#depth === 0 && this.#doom?.at === "commit") this.#die();
  }

  /** What was committed stays; nobody hears of it. */
  #afterCommit(): void {
    if (this.#doom?.at !== "after_commit") return;
    this.#doom = null;
    this.#isDead = true;
  }

  #die(): never {
    this.#doom = null;
    this.#isDead = true;
    throw new Crash();
  }
}

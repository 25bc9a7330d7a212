import { tickEvent } from "../../src/engine/cron/event.ts";
import { activateCron, wakeCron } from "../../src/engine/cron/schedule.ts";
import type { CronBinding, CronState, CronStep } from "../../src/engine/cron/state.ts";
import { ok, type Result } from "../../src/lib/result.ts";
import type { NormalisedEvent } from "../../src/schema/trigger.ts";
import type { Store } from "../storage/store.ts";

/** The state of a schedule, one row; most triggers have none, so that it is made with the first activation. */
const CRON_TABLE =
  "CREATE TABLE IF NOT EXISTS cron (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL) STRICT";

/** Ticks that one transaction takes in at most: each is an event with its rows and its message. */
const TICKS_PER_STEP = 100;

/** Whether there is nothing to do yet: looking at the clock costs no row. */
const isEarly = ({ owed, next_at_ms: next, cursor_ms: cursor }: CronState, now: number): boolean =>
  owed === null && next !== null && next > now && cursor <= now;

/** What a clock needs around it. */
export interface CronHosting {
  readonly store: Store;
  readonly now: () => number;
  /** Takes in the event of a tick as any other; a dedupe key that is claimed already is no error. */
  readonly accept: (event: NormalisedEvent) => void;
}

/**
 * The schedule of a cron trigger on its object's store: ticks are taken in and the state is kept in one transaction, so
 * that no crash loses or doubles one (spec/triggers 18). The alarm is its owner's: see {@link CronClock.nextAt}.
 */
export class CronClock {
  readonly #hosting: CronHosting;
  /** Whether this instance has seen the schedule before, so that a late alarm does not mean that nothing ran. */
  #wasRunning = false;

  constructor(hosting: CronHosting) {
    this.#hosting = hosting;
  }

  get state(): CronState | null {
    const { store } = this.#hosting;
    const known = store.query("SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'cron'");
    if (known.length === 0) return null;
    const row = store.query("SELECT state FROM cron")[0];
    return row === undefined ? null : (JSON.parse(String(row["state"])) as CronState);
  }

  /** When the object has to call {@link wake}, or null. */
  get nextAt(): number | null {
    return this.state?.next_at_ms ?? null;
  }

  /** Starts the schedule: call it when the trigger was defined, changed or resumed. */
  activate(binding: CronBinding): Result<null, string> {
    const now = this.#hosting.now();
    return this.#step(binding, activateCron(this.state, { binding, now, limit: TICKS_PER_STEP }));
  }

  /** Fires what is due; safe at any time. A schedule that is not started, or is another one by now, is started. */
  wake(binding: CronBinding): Result<null, string> {
    const { state } = this;
    const isSame = state?.schedule === binding.schedule && state.timezone === binding.timezone;
    if (state === null || !isSame) return this.activate(binding);
    const now = this.#hosting.now();
    if (this.#wasRunning && isEarly(state, now)) return ok(null);
    const wake = { binding, now, limit: TICKS_PER_STEP, wasRunning: this.#wasRunning };
    return this.#step(binding, wakeCron(state, wake));
  }

  /** Keeps a state as it is, such as one that was moved here from elsewhere. */
  keep(state: CronState): void {
    const { store } = this.#hosting;
    store.transaction(() => {
      store.write(CRON_TABLE);
      store.write(
        "INSERT INTO cron (id, state) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state",
        JSON.stringify(state),
      );
    });
  }

  #step(binding: CronBinding, step: Result<CronStep, string>): Result<null, string> {
    const { store, accept } = this.#hosting;
    if (!step.ok) return step;
    store.transaction(() => {
      // First of all, so that whoever takes a tick in knows when the next one comes.
      this.keep(step.value.state);
      for (const tick of step.value.ticks) accept(tickEvent(binding, tick));
    });
    this.#wasRunning = true;
    return ok(null);
  }
}

import {
  admit,
  type Admission,
  type AttemptReport,
  type CircuitAsk,
  type CircuitState,
  type CircuitVerdict,
  type CircuitView,
  CLOSED,
  settleAttempt,
  viewCircuit,
} from "../../src/engine/trigger/circuit.ts";
import type { Timestamp } from "../../src/lib/time.ts";
import { CIRCUIT } from "../migrations/circuit.ts";
import { isMigrated, migrate } from "../migrations/migration.ts";
import type { Store } from "../storage/store.ts";

/** What a circuit needs around it. */
export interface CircuitHosting {
  readonly store: Store;
  readonly now: () => Timestamp;
}

/**
 * One circuit on one store (spec/triggers 12.4). A change writes one row; a circuit that is closed and has seen no failure
 * has no row, and a destination that never failed has no table either.
 */
export class CircuitShell {
  readonly #hosting: CircuitHosting;
  #state: CircuitState | null = null;

  constructor(hosting: CircuitHosting) {
    this.#hosting = hosting;
  }

  /** Asks whether an attempt may be made. */
  allow(ask: CircuitAsk): Admission {
    const step = admit(this.#load(), ask, this.#hosting.now());
    this.#keep(step.state);
    return step.reply;
  }

  /** Takes in how an attempt went. */
  report(report: AttemptReport): CircuitVerdict {
    const step = settleAttempt(this.#load(), report, this.#hosting.now());
    this.#keep(step.state);
    return step.reply;
  }

  /** Closes the circuit by hand; returns how it stood. */
  reset(): CircuitView {
    const before = this.show();
    this.#keep(CLOSED);
    return before;
  }

  /** The circuit as operators see it. */
  show(): CircuitView {
    return viewCircuit(this.#load(), this.#hosting.now());
  }

  #load(): CircuitState {
    if (this.#state !== null) return this.#state;
    const { store } = this.#hosting;
    const row = isMigrated(store, CIRCUIT) ? store.query("SELECT state FROM circuit")[0] : undefined;
    this.#state = row === undefined ? CLOSED : (JSON.parse(String(row["state"])) as CircuitState);
    return this.#state;
  }

  #keep(next: CircuitState): void {
    if (next === this.#state) return;
    const { store } = this.#hosting;
    store.transaction(() => {
      if (next === CLOSED) {
        if (isMigrated(store, CIRCUIT)) store.write("DELETE FROM circuit");
        return;
      }
      migrate(store, CIRCUIT);
      store.write(
        "INSERT INTO circuit (id, state) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state",
        JSON.stringify(next),
      );
    });
    this.#state = next;
  }
}

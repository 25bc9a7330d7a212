import { DurableObject } from "cloudflare:workers";
import type {
  Admission,
  AttemptReport,
  CircuitAsk,
  CircuitVerdict,
  CircuitView,
} from "../src/engine/trigger/circuit.ts";
import { CircuitShell } from "./shell/circuit-shell.ts";
import { objectStore } from "./storage/object-store.ts";

/**
 * The circuit of one destination of a tenant (architecture 2, spec/triggers 12.4): asked before an attempt and told its
 * outcome after it. It has no alarm: its time passes by itself.
 */
export class Circuit extends DurableObject<Env> {
  readonly #shell: CircuitShell;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#shell = new CircuitShell({ store: objectStore(ctx.storage), now: () => Date.now() });
  }

  /** Asks whether an attempt may be made. */
  allow(ask: CircuitAsk): Admission {
    return this.#shell.allow(ask);
  }

  /** Takes in how an attempt went; the same report again is the same report. */
  report(report: AttemptReport): CircuitVerdict {
    return this.#shell.report(report);
  }

  /** Closes the circuit by hand; returns how it stood. */
  reset(): CircuitView {
    return this.#shell.reset();
  }

  /** The circuit as operators see it. */
  show(): CircuitView {
    return this.#shell.show();
  }

  /** Has nothing to look after: an earlier process left it nothing but its row. */
  recover(): void {}
}

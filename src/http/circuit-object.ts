import type { Admission, AttemptReport, CircuitAsk, CircuitVerdict, CircuitView } from "../engine/trigger/circuit.ts";
import { sha256Hex } from "../lib/stable-uuid.ts";
import type { Timestamp } from "../lib/time.ts";
import type { Bindings } from "./call.ts";

/** What others need of a circuit's object. */
export interface CircuitObject {
  readonly allow: (ask: CircuitAsk) => Promise<Admission>;
  readonly report: (report: AttemptReport) => Promise<CircuitVerdict>;
  readonly reset: () => Promise<CircuitView>;
  readonly show: () => Promise<CircuitView>;
}

/** Longer destinations go by their digest: an object's name has a limit. */
const MAX_NAME = 512;

/** The name of a destination's circuit; destinations are never shared between tenants. */
export const circuitName = (tenant: string, destination: string): string =>
  `${tenant}/${destination.length > MAX_NAME ? `sha256:${sha256Hex(destination)}` : destination}`;

/** A stub of a circuit; ask again after every fault, a stub of a reset object stays broken. */
export const circuitObject = (env: Pick<Bindings, "CIRCUIT">, tenant: string, destination: string): CircuitObject =>
  env.CIRCUIT.getByName(circuitName(tenant, destination)) as unknown as CircuitObject;

/** How long an answer is believed without asking again. */
const BELIEVED_MS = 1_000;

/** Destinations that are remembered at once. */
const MAX_REMEMBERED = 1_000;

interface Remembered {
  readonly answer: Exclude<Admission, { readonly probe: true }>;
  readonly until: Timestamp;
}

/**
 * Circuits behind a short memory, so that a busy and healthy destination costs no call for each attempt: what is closed
 * without failures is believed for a second and no success is reported meanwhile, what is open for a second at most and
 * never beyond its time. Probes are always asked for, failures are always reported.
 */
export class CircuitMemory {
  readonly #now: () => Timestamp;
  readonly #remembered = new Map<string, Remembered>();

  constructor(now: () => Timestamp) {
    this.#now = now;
  }

  /** Asks whether an attempt may be made. */
  async allow(circuit: CircuitObject, name: string, ask: CircuitAsk): Promise<Admission> {
    const known = this.#believed(name);
    if (known !== undefined) return known;
    const answer = await circuit.allow(ask);
    this.#remember(name, answer);
    return answer;
  }

  /** Takes in how an attempt went. */
  async report(circuit: CircuitObject, name: string, report: AttemptReport): Promise<CircuitVerdict> {
    const known = this.#believed(name);
    if (report.outcome !== "failure" && known?.allowed === true) return { opened: false, failures: 0 };
    this.#remembered.delete(name);
    return circuit.report(report);
  }

  #believed(name: string): Remembered["answer"] | undefined {
    const known = this.#remembered.get(name);
    if (known === undefined || known.until > this.#now()) return known?.answer;
    this.#remembered.delete(name);
    return undefined;
  }

  #remember(name: string, answer: Admission): void {
    const now = this.#now();
    if (answer.allowed && (answer.probe || answer.failures > 0)) return;
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    const end = answer.allowed ? Infinity : answer.retry_at_ms;
    this.#remembered.set(name, {
      answer: answer.allowed ? { ...answer, probe: false } : answer,
      until: Math.min(now + BELIEVED_MS, end),
    });
  }
}

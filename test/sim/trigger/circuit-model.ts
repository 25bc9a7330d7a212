import type { Admission, AttemptReport, CircuitAsk } from "../../../src/engine/trigger/circuit.ts";
import { Violation } from "../violation.ts";

const FAILURES = 5;
const OPEN_MS = 60_000;

/** A second look at a circuit, written from spec/triggers 12.4 alone (T16). */
export class CircuitModel {
  #failures = 0;
  #openedAt: number | null = null;
  #lastFailed: string | null = null;
  #probe: { readonly id: string; readonly until: number } | null = null;
  probes = 0;
  openings = 0;

  /** Judges an answer; returns it. */
  asked(ask: CircuitAsk, answer: Admission, now: number): Admission {
    const isBlocked = this.#openedAt !== null && now < this.#openedAt + OPEN_MS;
    if (answer.allowed && isBlocked) throw new Violation("T16 circuit", "an open circuit let an attempt pass");
    if (!answer.allowed && this.#openedAt === null)
      throw new Violation("T16 circuit", "a closed circuit let nobody pass");
    if (!answer.allowed || this.#openedAt === null) return answer;
    const other = this.#probe;
    if (other?.id === ask.attempt_id && other.until > now) return answer;
    if (other !== null && other.until > now)
      throw new Violation("T16 circuit", `a second probe passed (${ask.attempt_id} beside ${other.id})`);
    this.#probe = { id: ask.attempt_id, until: now + (ask.lease_ms ?? OPEN_MS) };
    this.probes += 1;
    return answer;
  }

  told({ attempt_id, outcome }: AttemptReport, now: number): void {
    if (outcome === "success") return this.#close();
    if (outcome === "unused") {
      if (this.#probe?.id === attempt_id) this.#probe = null;
      return;
    }
    if (this.#lastFailed === attempt_id) return;
    this.#lastFailed = attempt_id;
    this.#failures += 1;
    if (this.#openedAt === null && this.#failures < FAILURES) return;
    this.#openedAt = now;
    this.#probe = null;
    this.openings += 1;
  }

  #close(): void {
    this.#failures = 0;
    this.#openedAt = null;
    this.#lastFailed = null;
    this.#probe = null;
  }
}

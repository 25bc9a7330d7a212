// The circuit of one destination, shared by every trigger of a tenant that calls it (spec/triggers 12.4).
//
//   closed --fifth failure in a row--> open --60 s--> half-open (one probe) --success--> closed
//     ^--success--/                     ^---------------failure---------------/
//
// C1 While the circuit is open and its time is not over, nothing passes.
// C2 After that one probe passes at a time; it is let go of by its report, or when its lease is over.
// C3 A failure while the circuit is not closed opens it anew at once; a success closes it and forgets every failure.
// C4 The same report again changes nothing and is answered as before.

import type { Timestamp } from "../../lib/time.ts";

/** How many failures in a row open a circuit (spec/triggers 12.4). */
export const FAILURES_TO_OPEN = 5;

/** How long an open circuit lets nothing pass (spec/triggers 12.4). */
export const OPEN_MS = 60_000;

/** How long a probe may take before the next one passes, unless it asks for longer. */
export const PROBE_LEASE_MS = 60_000;

/** An attempt that asks whether it may be made. */
export interface CircuitAsk {
  /** Names the attempt wherever it is spoken of. */
  readonly attempt_id: string;
  /** How long the attempt may take; the lease of a probe. */
  readonly lease_ms?: number | undefined;
}

/** The attempt that tries out a destination whose circuit is half-open. */
interface Probe {
  readonly attempt_id: string;
  readonly expires_at_ms: Timestamp;
}

/** A circuit; one without failures is closed. */
export interface CircuitState {
  /** Failures in a row. */
  readonly failures: number;
  /** When it was opened last; null while it is closed. */
  readonly opened_at_ms: Timestamp | null;
  readonly probe: Probe | null;
  /** The newest report of a failure, so that it counts once. */
  readonly last_failure: { readonly attempt_id: string; readonly opened: boolean } | null;
}

/** A circuit that has seen no failure since the last success. */
export const CLOSED: CircuitState = { failures: 0, opened_at_ms: null, probe: null, last_failure: null };

/** Whether an attempt may be made. */
export type Admission =
  | {
      readonly allowed: true;
      readonly probe: boolean;
      /** Failures in a row so far. */
      readonly failures: number;
    }
  | { readonly allowed: false; readonly retry_at_ms: Timestamp };

/** How an admitted attempt went: `unused` when it was not made, or says nothing about the destination. */
export type CircuitReport = "success" | "failure" | "unused";

/** What a circuit answers to a report. */
export interface CircuitVerdict {
  /** This failure opened the circuit, which ends the dispatch (spec/triggers 12.3). */
  readonly opened: boolean;
  readonly failures: number;
}

/** A state with an answer; the same state when nothing changed. */
interface Step<Reply> {
  readonly state: CircuitState;
  readonly reply: Reply;
}

/** Asks whether an attempt may be made; the same attempt that asks again gets the same answer. */
export const admit = (state: CircuitState, ask: CircuitAsk, now: Timestamp): Step<Admission> => {
  const { attempt_id: attempt, lease_ms: lease = PROBE_LEASE_MS } = ask;
  const { failures, opened_at_ms: opened, probe } = state;
  if (opened === null) return { state, reply: { allowed: true, probe: false, failures } };
  const opens = opened + OPEN_MS;
  if (now < opens) return { state, reply: { allowed: false, retry_at_ms: opens } };
  if (probe !== null && probe.expires_at_ms > now) {
    if (probe.attempt_id !== attempt) return { state, reply: { allowed: false, retry_at_ms: probe.expires_at_ms } };
    return { state, reply: { allowed: true, probe: true, failures } };
  }
  const taken = { attempt_id: attempt, expires_at_ms: now + lease };
  return { state: { ...state, probe: taken }, reply: { allowed: true, probe: true, failures } };
};

const fail = (state: CircuitState, attempt: string, now: Timestamp): Step<CircuitVerdict> => {
  const { failures, opened_at_ms, last_failure: last } = state;
  if (last?.attempt_id === attempt) return { state, reply: { opened: last.opened, failures } };
  const count = failures + 1;
  const opened = opened_at_ms !== null || count >= FAILURES_TO_OPEN;
  const next: CircuitState = {
    failures: count,
    opened_at_ms: opened ? now : null,
    probe: null,
    last_failure: { attempt_id: attempt, opened },
  };
  return { state: next, reply: { opened, failures: count } };
};

/** How an attempt went. */
export interface AttemptReport {
  readonly attempt_id: string;
  readonly outcome: CircuitReport;
}

/** Takes in how an attempt went; only failures that a later attempt could mend are failures here (spec/triggers 8). */
export const settleAttempt = (state: CircuitState, report: AttemptReport, now: Timestamp): Step<CircuitVerdict> => {
  const { attempt_id: attempt, outcome } = report;
  if (outcome === "failure") return fail(state, attempt, now);
  if (outcome === "success") {
    const isClosed = state.failures === 0 && state.opened_at_ms === null;
    return { state: isClosed ? state : CLOSED, reply: { opened: false, failures: 0 } };
  }
  const reply = { opened: false, failures: state.failures };
  return state.probe?.attempt_id === attempt ? { state: { ...state, probe: null }, reply } : { state, reply };
};

/** A circuit as operators see it. */
export interface CircuitView {
  readonly state: "closed" | "open" | "half_open";
  readonly failures: number;
  readonly opened_at_ms: Timestamp | null;
  /** When the next attempt may be made; null when one may be made now. */
  readonly retry_at_ms: Timestamp | null;
}

/** A circuit at a moment. */
export const viewCircuit = (state: CircuitState, now: Timestamp): CircuitView => {
  const { failures, opened_at_ms } = state;
  if (opened_at_ms === null) return { state: "closed", failures, opened_at_ms, retry_at_ms: null };
  const opens = opened_at_ms + OPEN_MS;
  if (now < opens) return { state: "open", failures, opened_at_ms, retry_at_ms: opens };
  const lease = state.probe?.expires_at_ms ?? 0;
  return { state: "half_open", failures, opened_at_ms, retry_at_ms: lease > now ? lease : null };
};

/** Why a dispatch ends without an attempt (spec/triggers 12.3); `retryAt` is when the circuit lets the next one pass. */
export const circuitOpenText = (destination: string, retryAt: Timestamp, now: Timestamp): string => {
  const seconds = Math.max(1, Math.floor((retryAt - now) / 1000));
  return `destination circuit open for ${destination}; retry after ${seconds}s`;
};

/** Why a dispatch ends with the failure that opened the circuit (spec/triggers 12.3). */
export const circuitOpenedText = (destination: string, error: string): string =>
  `destination circuit opened for ${destination} after ${FAILURES_TO_OPEN} consecutive failures: ${error}`;

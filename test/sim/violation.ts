/** What has to hold at every moment of a simulation. */
export type Invariant =
  | "I1 alarm"
  | "I2 fold"
  | "I3 commit"
  | "I4 effect id"
  | "I5 same reply"
  | "I6 fencing"
  | "I7 wake-up"
  | "queue"
  | "steps"
  | "index"
  | "idle"
  | "execution"
  | "attempts"
  | "places"
  | "map"
  | "order"
  | "waiting"
  | "deadline"
  | "message"
  | "journal"
  | "lineage"
  | "replay"
  | "liveness"
  | "lost completion"
  | "stray fault"
  | TriggerInvariant
  | WorkerInvariant;

/** What has to hold at every moment of a simulation of triggers; see `trigger/checker.ts`. */
export type TriggerInvariant =
  | "T1 kept"
  | "T2 receipt"
  | "T3 final"
  | "T4 waker"
  | "T5 load"
  | "T6 run"
  | "T7 handler"
  | "T8 permits"
  | "T9 window"
  | "T10 debounce"
  | "T11 batch"
  | "T12 attempts"
  | "T13 cancel"
  | "T14 dead letter"
  | "T15 budget"
  | "T16 circuit"
  | "T17 draining"
  | "T18 version"
  | "T19 secret";

/** What has to hold at every moment of a simulation of workers; see `worker/watched-worker.ts` and `worker/check-end.ts`. */
export type WorkerInvariant =
  | "A1 start"
  | "A2 one run"
  | "A3 stage"
  | "A4 cancel"
  | "A5 rest"
  | "A6 step"
  | "A7 resume"
  | "A8 stale"
  | "A9 sticky"
  | "A10 ceiling"
  | "A11 told once";

/** An invariant that did not hold. */
export class Violation extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

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
  | "stray fault";

/** An invariant that did not hold. */
export class Violation extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

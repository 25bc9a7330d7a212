/** What is proved, and how much of it. */
export interface IntakePlan {
  readonly seed: number;
  readonly deliveries: number;
  /** The part of deliveries whose dedupe key came before. */
  readonly duplicates: number;
  /** How many deliveries come between two crashes, on average. */
  readonly crash_every: number;
  /** What the trigger's definition has beside its handler. */
  readonly change: Readonly<Record<string, unknown>>;
  /** As with the local server: a process that comes up again has everything sent at once. */
  readonly queues_forget: boolean;
  /** How many objects take the deliveries; one unless told otherwise. */
  readonly shards?: number;
  /** How many events of each gate are handled; all of them unless told otherwise, the others are skipped. */
  readonly each?: number | "any";
  /** How many runs of a gate there may be at the same time. */
  readonly at_once?: number;
  /** How many events of a gate may be handled in how many milliseconds. */
  readonly throttled?: readonly [max: number, period_ms: number];
}

/** What came of it. */
export interface IntakeProof {
  readonly deliveries: number;
  readonly keys: number;
  readonly runs: number;
  readonly crashes: number;
  /** Deliveries that were sent again because nothing was answered. */
  readonly redelivered: number;
  readonly dispatches: number;
  readonly repeated_starts: number;
  /** Runs of one gate at the same time, where the trigger waits for their ends. */
  readonly most_at_once: number;
  readonly rows: { readonly accept_mean: number; readonly accept_max: number; readonly duplicate_max: number };
  /** Rows of an event from its first delivery to its end, with everything that crashes added. */
  readonly rows_per_event: number;
  /** The longest time from a delivery to its run. */
  readonly slowest_ms: number;
  /** Empty when everything holds. */
  readonly faults: readonly string[];
}

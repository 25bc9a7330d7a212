import type { Timestamp } from "../../lib/time.ts";

/** What happens to ticks that were missed while nothing ran (spec/triggers 18). */
export type CatchupMode = "skip" | "all" | "latest";

/** What of a cron trigger's definition decides when it fires. */
export interface CronBinding {
  readonly trigger_id: string;
  readonly schedule: string;
  /** An IANA name. */
  readonly timezone: string;
  readonly catchup_mode: CatchupMode;
}

/** Where a schedule is; kept with the trigger in the commit that takes in the ticks. */
export interface CronState {
  /** The schedule and zone that `cursor_ms` and `next_at_ms` belong to. */
  readonly schedule: string;
  readonly timezone: string;
  readonly last_fired_at_ms: Timestamp | null;
  /** Every tick up to here is settled: fired, or left out by the mode. */
  readonly cursor_ms: Timestamp;
  /** When to wake next; null when no tick will ever come. */
  readonly next_at_ms: Timestamp | null;
  /** Ticks after the cursor up to here that one call could not fire, and how the rest is to be marked. */
  readonly owed: { readonly until_ms: Timestamp; readonly catchup: boolean } | null;
}

/** A tick to fire. */
export interface CronTick {
  readonly tick_at_ms: Timestamp;
  readonly catchup: boolean;
}

/** Ticks to fire now, in order, and the state to keep with them. */
export interface CronStep {
  readonly ticks: readonly CronTick[];
  readonly state: CronState;
  /** Whether more ticks are due already: wake again at once. */
  readonly more: boolean;
}

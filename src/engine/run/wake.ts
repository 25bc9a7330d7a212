import { rfc3339, type Timestamp } from "../../lib/time.ts";
import { canGoOn } from "./schedule.ts";
import type { PreparedStage, Run, RunState } from "./state.ts";
import { unitsToRest } from "./suspend.ts";
import { isExecutable } from "./unit.ts";

/** How long an ordered driver may take to come. */
const TAKE_OVER_MS = 5_000;

/** What the shell knows of the lease of an open unit's current attempt: until when it lasts. */
export type LeaseOf = (unit: PreparedStage) => Timestamp;

const unitWake = (unit: PreparedStage, lease: LeaseOf, now: Timestamp): Timestamp | null => {
  if (unit.settled !== null) return null;
  if (unit.deadline_ms !== null) return unit.deadline_ms <= now ? now + TAKE_OVER_MS : unit.deadline_ms;
  if (!isExecutable(unit) || unit.mode === "external") return null;
  if (unit.retry_at_ms !== null && unit.retry_at_ms > now) return unit.retry_at_ms;
  // An attempt that starts just now has its lease only after the commit; one alarm looks after many of them.
  if (unit.attempt_started_at === rfc3339(now)) return now + unit.lease_ms;
  const expires = lease(unit);
  // Where a lease is over, a driver was ordered: it is given time to come before another one is.
  return expires > now ? expires : now + TAKE_OVER_MS;
};

/** A suspended run is looked at when the lease of an attempt under way ends: its driver may be lost. */
const restWake = (run: Run, lease: LeaseOf, now: Timestamp): Timestamp | null => {
  const times = unitsToRest(run).map((unit) => Math.max(lease(unit), now + MIN_REST_MS));
  return times.length === 0 ? null : Math.min(...times);
};

const MIN_REST_MS = 1_000;

/** When the watchdog has to look at the run again, or null when something outside wakes it (I7). */
export const nextWake = (state: RunState, lease: LeaseOf, now: Timestamp): Timestamp | null => {
  if (state === null) return null;
  if (state.status !== "running") return restWake(state, lease, now);
  const times: number[] = [];
  if (state.deadline_ms !== null) times.push(state.deadline_ms);
  if (state.lifecycle.finishing !== null) times.push(state.lifecycle.finishing.deadline_ms);
  if (state.drive === "auto")
    for (const unit of state.open) {
      const at = unitWake(unit, lease, now);
      if (at !== null) times.push(at);
    }
  if (state.drive === "auto" && canGoOn(state) && !state.open.some((unit) => isLeased(unit, lease, now)))
    times.push(now + TAKE_OVER_MS);
  return times.length === 0 ? null : Math.min(...times);
};

/** True while a driver works on a unit, and goes on with the run after it; a caller of the API does not. */
const isLeased = (unit: PreparedStage, lease: LeaseOf, now: Timestamp): boolean =>
  isExecutable(unit) &&
  unit.holder === "driver" &&
  unit.retry_at_ms === null &&
  (unit.attempt_started_at === rfc3339(now) || lease(unit) > now);

/** True when nobody works on the run though somebody should: the watchdog then orders a driver (I7). */
export const needsDriver = (run: Run, liveAttempts: readonly string[], now: Timestamp): boolean => {
  if (run.drive !== "auto" || run.status !== "running") return false;
  const isLive = (unit: PreparedStage): boolean =>
    isExecutable(unit) && unit.retry_at_ms === null && liveAttempts.includes(unit.attempt_token);
  const isDue = (unit: PreparedStage): boolean => {
    if (unit.settled !== null) return false;
    if (unit.deadline_ms !== null) return unit.deadline_ms <= now;
    if (!isExecutable(unit) || unit.mode === "external") return false;
    return unit.retry_at_ms === null ? !isLive(unit) : unit.retry_at_ms <= now;
  };
  // A driver that works on one stage does not see what else can be begun meanwhile: its order may have been lost.
  return run.open.some(isDue) || canGoOn(run);
};

/** Why the run has failed for taking too long; null while it has time. */
export const deadlineError = (run: Run, now: Timestamp): string | null => {
  if (run.status !== "running" || run.deadline_ms === null || run.deadline_ms > now) return null;
  return `Error [timeout]: the run did not end until its deadline ${rfc3339(run.deadline_ms)}`;
};

import { rfc3339, type Timestamp } from "../../lib/time.ts";
import type { RunState } from "./state.ts";

/** How long an ordered driver may take to come. */
const TAKE_OVER_MS = 5_000;

/**
 * When the watchdog has to look at the run again, or null when something outside wakes it (I7).
 *
 * `leaseExpiresAt` is what the shell knows of the current attempt's lease; null when it knows of none.
 */
export const nextWake = (state: RunState, leaseExpiresAt: Timestamp | null, now: Timestamp): Timestamp | null => {
  if (state === null || state.status !== "running" || state.drive === "manual") return null;
  const { prepared } = state;
  if (prepared === null) return now + TAKE_OVER_MS;
  if (prepared.holder === "nobody" || prepared.mode === "external") return null;
  if (prepared.retry_at_ms !== null && prepared.retry_at_ms > now) return prepared.retry_at_ms;
  // An attempt that starts just now has its lease only after the commit; one alarm looks after many of them.
  if (prepared.attempt_started_at === rfc3339(now)) return now + prepared.lease_ms;
  // Where a lease is over, a driver was ordered: it is given time to come before another one is.
  return leaseExpiresAt !== null && leaseExpiresAt > now ? leaseExpiresAt : now + TAKE_OVER_MS;
};

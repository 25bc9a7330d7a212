import type { CronExpression } from "../../lib/cron-expression.ts";
import type { Timestamp } from "../../lib/time.ts";

/** A tick that is not in the list of events after so long is missing: the list lags behind by seconds. */
const LIST_LAG_MS = 120_000;

/** Whether a schedule had a tick that no event came of, as after an alarm that was lost (spec/triggers 26.2). */
export const isTickMissing = (
  expression: CronExpression,
  seen: {
    /** When the trigger was last defined, changed or resumed. */
    readonly since: Timestamp;
    /** When its newest event was received. */
    readonly lastEventAt: Timestamp | null;
    readonly now: Timestamp;
  },
): boolean => {
  const newest = expression.latest(seen.now - LIST_LAG_MS);
  return newest !== null && newest > seen.since && newest > (seen.lastEventAt ?? -Infinity);
};

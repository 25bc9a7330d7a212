import { compileCron, type CronExpression } from "../../lib/cron-expression.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { Timestamp } from "../../lib/time.ts";
import type { CronBinding, CronState, CronStep, CronTick } from "./state.ts";

// Invariants (spec/triggers 18):
// C1 ticks come out in order, each is after the cursor, and the cursor is never behind a tick that came out
// C2 a tick is left out only by the mode `skip` or `latest`, at an activation
// C3 a step never has more than `limit` ticks; the rest is owed and no change of mode or lateness drops it
//
//   activate -> [owed] -> waiting for next_at -> wake -> [owed] -> waiting ...

/** A wake-up that comes so late in a process that was not there before finds that it was down. */
export const DOWN_AFTER_MS = 600_000;

/** Without any state, how far back a first activation looks for ticks. */
const FIRST_LOOK_MS = 60_000;

/** Ticks that come out of one call at most. */
const MAX_TICKS = 1_000;

/** What a step is decided from. */
export interface CronMoment {
  readonly binding: CronBinding;
  readonly now: Timestamp;
  /** At most so many ticks come out; 1,000 unless told otherwise. */
  readonly limit?: number;
}

/** What a wake-up is decided from. */
export interface CronWake extends CronMoment {
  /** Whether this very process has activated or woken the schedule before. */
  readonly wasRunning: boolean;
}

/** Ticks after a moment up to another one, at most `limit`; without a start those of the last minute. */
export const dueTicks = (
  expression: CronExpression,
  range: { readonly after: Timestamp | null; readonly until: Timestamp; readonly limit?: number },
): readonly Timestamp[] => {
  const { until, limit = Infinity } = range;
  const ticks: Timestamp[] = [];
  let at = expression.next(range.after ?? until - FIRST_LOOK_MS);
  while (at !== null && at <= until && ticks.length < limit) {
    ticks.push(at);
    at = expression.next(at);
  }
  return ticks;
};

/** Brings the cursor up to `now`: what is owed first, then what has become due since. */
const advance = (state: CronState, expression: CronExpression, moment: CronMoment): CronStep => {
  const { now, limit = MAX_TICKS } = moment;
  const ticks: CronTick[] = [];
  let { cursor_ms: cursor } = state;
  for (const owed of [state.owed, { until_ms: now, catchup: false }]) {
    if (owed === null) continue;
    const range = { after: cursor, until: owed.until_ms, limit: limit - ticks.length + 1 };
    const found = dueTicks(expression, range);
    const fits = found.slice(0, limit - ticks.length);
    ticks.push(...fits.map((tick_at_ms) => ({ tick_at_ms, catchup: owed.catchup })));
    if (found.length > fits.length) {
      const settled = fits.at(-1) ?? cursor;
      const last_fired_at_ms = ticks.at(-1)?.tick_at_ms ?? state.last_fired_at_ms;
      return { ticks, more: true, state: { ...state, last_fired_at_ms, cursor_ms: settled, next_at_ms: now, owed } };
    }
    cursor = Math.max(cursor, owed.until_ms);
  }
  const last_fired_at_ms = ticks.at(-1)?.tick_at_ms ?? state.last_fired_at_ms;
  const next_at_ms = expression.next(cursor);
  return { ticks, more: false, state: { ...state, last_fired_at_ms, cursor_ms: cursor, next_at_ms, owed: null } };
};

/** From where an activation looks for missed ticks: another schedule has missed none. */
const startOf = (state: CronState | null, { binding, now }: CronMoment): Timestamp => {
  if (state === null) return now - FIRST_LOOK_MS;
  const isSame = state.schedule === binding.schedule && state.timezone === binding.timezone;
  return isSame ? Math.min(state.cursor_ms, now) : now;
};

const activated = (state: CronState | null, expression: CronExpression, moment: CronMoment): CronStep => {
  const { binding, now } = moment;
  const start = startOf(state, moment);
  const { schedule, timezone, catchup_mode: mode } = binding;
  const last_fired_at_ms = state?.last_fired_at_ms ?? null;
  const fresh = { schedule, timezone, last_fired_at_ms, cursor_ms: now, next_at_ms: null, owed: null };
  if (mode === "skip") return advance(fresh, expression, moment);
  const owed = { until_ms: now, catchup: true };
  const newest = mode === "latest" ? expression.latest(now) : null;
  // A second before the newest tick there is nothing left but that one.
  const cursor_ms = mode === "all" ? start : Math.max(start, (newest ?? now) - 1);
  return advance({ ...fresh, cursor_ms, owed }, expression, moment);
};

/**
 * Starts a schedule, or starts it again after a pause, a change or a time in which nothing ran: ticks since the cursor
 * are left out, fired or fired but for the newest, as the mode says, with `catchup` (spec/triggers 18).
 */
export const activateCron = (state: CronState | null, moment: CronMoment): Result<CronStep, string> => {
  const compiled = compileCron(moment.binding.schedule, moment.binding.timezone);
  return compiled.ok ? ok(activated(state, compiled.value, moment)) : err(compiled.error.message);
};

/**
 * Fires every tick that is due, without `catchup`, also after a late wake-up. It is safe at any time: nothing due, nothing
 * fired. A process that was not there before and wakes up more than ten minutes late activates instead.
 */
export const wakeCron = (state: CronState, wake: CronWake): Result<CronStep, string> => {
  const compiled = compileCron(wake.binding.schedule, wake.binding.timezone);
  if (!compiled.ok) return err(compiled.error.message);
  const { now } = wake;
  const late = now - (state.next_at_ms ?? now);
  if (state.owed === null && late > DOWN_AFTER_MS && !wake.wasRunning) {
    return ok(activated(state, compiled.value, wake));
  }
  // The clock had been far ahead. Ticks that come again are recognised by their dedupe keys.
  const wasAhead = state.owed === null && state.cursor_ms - now > DOWN_AFTER_MS;
  return ok(advance(wasAhead ? { ...state, cursor_ms: now } : state, compiled.value, wake));
};

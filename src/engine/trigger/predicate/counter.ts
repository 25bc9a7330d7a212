import { rfc3339, type Timestamp } from "../../../lib/time.ts";

// Money that is spent by the hour and the day, in millionths of a dollar (spec/triggers 9.1).
//
// C1 A window is the UTC hour or day; its count starts anew when the key changes.
// C2 What is reserved counts as spent until it is settled or has expired, so that evaluations at the same time cannot
//    each pass under the same rest of a budget.
// C3 Settling charges the window of the moment, and forgets the reservation; a reservation of the same id is replaced.

/** Money put aside for an evaluation that runs. */
export interface Reservation {
  readonly id: string;
  readonly micros: number;
  readonly expires_at_ms: Timestamp;
}

/** What was spent, and what is put aside. */
export interface BudgetCounter {
  /** `2026-01-02T03`. */
  readonly hour: string;
  /** `2026-01-02`. */
  readonly day: string;
  readonly hour_micros: number;
  readonly day_micros: number;
  readonly total_micros: number;
  readonly reserved: readonly Reservation[];
}

/** The limits of a counter; null is none. */
export interface SpendLimits {
  readonly hourly_cost_usd: number | null;
  readonly daily_cost_usd: number | null;
}

/** Nothing spent. */
export const EMPTY_COUNTER: BudgetCounter = {
  hour: "",
  day: "",
  hour_micros: 0,
  day_micros: 0,
  total_micros: 0,
  reserved: [],
};

/** The keys of the windows of a moment. */
export const windowsAt = (now: Timestamp): { readonly hour: string; readonly day: string } => {
  const text = rfc3339(now);
  return { hour: text.slice(0, 13), day: text.slice(0, 10) };
};

// A dollar amount is a binary fraction: what it differs from its decimal text is no part of a micro.
const exact = (usd: number): number => Number((usd * 1_000_000).toFixed(3));

/** Dollars as micros, rounded up (spec/triggers 9.1). */
export const microsOf = (usd: number): number => Math.max(0, Math.ceil(exact(usd)));

/** Micros as dollars. */
export const usdOf = (micros: number): number => micros / 1_000_000;

/** The counter at a moment: C1, and reservations that nobody settles any more are gone. */
export const rolled = (counter: BudgetCounter, now: Timestamp): BudgetCounter => {
  const { hour, day } = windowsAt(now);
  return {
    ...counter,
    hour,
    day,
    hour_micros: counter.hour === hour ? counter.hour_micros : 0,
    day_micros: counter.day === day ? counter.day_micros : 0,
    reserved: counter.reserved.filter(({ expires_at_ms }) => expires_at_ms > now),
  };
};

/** Puts money aside (C2). */
export const reserve = (counter: BudgetCounter, reservation: Reservation): BudgetCounter => ({
  ...counter,
  reserved: [...counter.reserved.filter(({ id }) => id !== reservation.id), reservation],
});

/** Charges what an evaluation cost (C3). */
export const settle = (counter: BudgetCounter, id: string, micros: number): BudgetCounter => ({
  ...counter,
  hour_micros: counter.hour_micros + micros,
  day_micros: counter.day_micros + micros,
  total_micros: counter.total_micros + micros,
  reserved: counter.reserved.filter((one) => one.id !== id),
});

/** What others than `id` have put aside, in micros (C2). */
export const putAsideByOthers = (counter: BudgetCounter, id: string): number =>
  counter.reserved.reduce((sum, one) => sum + (one.id === id ? 0 : one.micros), 0);

/** The first limit that so many more micros would break: the hour's before the day's; strictly more breaks it. */
export const brokenLimit = (
  counter: BudgetCounter,
  { hourly_cost_usd, daily_cost_usd }: SpendLimits,
  more: number,
): "hourly" | "daily" | null => {
  if (hourly_cost_usd !== null && counter.hour_micros + more > exact(hourly_cost_usd)) return "hourly";
  if (daily_cost_usd !== null && counter.day_micros + more > exact(daily_cost_usd)) return "daily";
  return null;
};

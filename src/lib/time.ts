/** A moment in milliseconds since the Unix epoch. */
export type Timestamp = number;

/** The last moment that RFC 3339 can write. */
export const LAST_MOMENT: Timestamp = 253_402_300_799_999;

/** RFC 3339 in UTC with milliseconds, the form of every time on the wire. */
export const rfc3339 = (at: Timestamp): string => {
  const second = Math.floor(at / 1000);
  if (second !== lastSecond) {
    lastSeconds = new Date(second * 1000).toISOString().slice(0, -4);
    lastSecond = second;
  }
  return `${lastSeconds}${String(Math.floor(at) - second * 1000).padStart(3, "0")}Z`;
};

// Memoisation only: formatting a date costs more than the rest of a small event, and most moments share their second.
let lastSecond = Number.NaN;
let lastSeconds = "";

/** Unix seconds as decimal text, the form of `created_at` in artifacts (spec/workflow 0.4). */
export const unixSeconds = (at: Timestamp): string => String(Math.floor(at / 1000));

/** A moment in milliseconds since the Unix epoch. */
export type Timestamp = number;

/** RFC 3339 in UTC with milliseconds, the form of every time on the wire. */
export const rfc3339 = (at: Timestamp): string => new Date(at).toISOString();

/** Unix seconds as decimal text, the form of `created_at` in artifacts (spec/workflow 0.4). */
export const unixSeconds = (at: Timestamp): string => String(Math.floor(at / 1000));

import type { Timestamp } from "./time.ts";

const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/;
const INTEGER = /^-?\d{1,17}$/;

/** More characters than these are milliseconds. */
const MAX_SECONDS_LENGTH = 10;

const MAX_MS = 8_640_000_000_000_000;

/** A time to resolve a version at, RFC 3339 or Unix seconds or milliseconds; null for another text (spec/triggers 23). */
export const parseAsOf = (text: string): Timestamp | null => {
  const given = text.trim();
  if (INTEGER.test(given)) {
    const at = given.length > MAX_SECONDS_LENGTH ? Number(given) : Number(given) * 1000;
    return Math.abs(at) <= MAX_MS ? at : null;
  }
  const at = RFC3339.test(given) ? Date.parse(given.toUpperCase().replace(" ", "T")) : Number.NaN;
  return Number.isNaN(at) ? null : at;
};

/** What is said of a text that is no such time (spec/triggers 23). */
export const asOfProblem = (text: string): string =>
  `invalid --as-of timestamp '${text}': expected RFC3339 or unix seconds/milliseconds`;

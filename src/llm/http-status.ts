import type { StageErrorCategory } from "../schema/error-category.ts";

const CATEGORY_OF_STATUS: ReadonlyMap<number, StageErrorCategory> = new Map([
  [401, "auth"],
  [403, "auth"],
  [404, "not_found"],
  [408, "timeout"],
  [429, "rate_limit"],
  [503, "overloaded"],
  [529, "overloaded"],
]);

/** The category of a failed HTTP answer (spec/workflow 0.3); `generic` for every 4xx that has none of its own. */
export const categoryOfStatus = (status: number): StageErrorCategory =>
  CATEGORY_OF_STATUS.get(status) ?? (status >= 500 ? "server_error" : "generic");

/** Milliseconds a `Retry-After` header asks to wait, given in seconds or as an HTTP date; undefined when it says neither. */
export const retryAfterMs = (header: string | null | undefined, now: number): number | undefined => {
  const text = header?.trim() ?? "";
  if (text === "") return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  // Date.parse takes almost anything for a date ("-1" as well): an HTTP date begins with the name of a day.
  const at = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
};

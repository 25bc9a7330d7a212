import type { JsonObject } from "../../lib/json.ts";
import type { RetryPolicy } from "../../schema/policy.ts";

const MAX_DELAY_MS = 24 * 3600_000;

/** A number from 0 up to 1 that follows from a text (FNV-1a): the same attempt of the same stage waits equally long in every replay. */
const fraction = (text: string): number => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // Texts that differ in their last character only are to be far apart, too.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000;
};

/** A failed call, and the how manieth of its unit it is. */
export interface FailedCall {
  readonly result: JsonObject;
  readonly failed: number;
  /** What the jitter follows from. */
  readonly seed: string;
}

const isRetryable = (policy: RetryPolicy, result: JsonObject): boolean => {
  const { retry_on: categories } = policy;
  if (categories == null || categories.length === 0) return result["retryable"] === true;
  return categories.some((category) => category === result["error_category"]);
};

/**
 * How long to wait before a failed call is tried again, in milliseconds; null when it is not (spec/workflow 6.9).
 *
 * `backoff_ms * multiplier^(n-1)`, or what the other side asked for when that is longer, and up to `jitter` of it more; at
 * most a day. `retry_on` names the categories that are tried again in place of those that may pass by nature.
 */
export const retryDelay = (policy: RetryPolicy, { result, failed, seed }: FailedCall): number | null => {
  if (!isRetryable(policy, result)) return null;
  const first = policy.backoff_ms ?? 0;
  // A power may grow beyond all bounds, and nothing times that is no number.
  const backoff = first === 0 ? 0 : first * (policy.backoff_multiplier ?? 2) ** (failed - 1);
  const asked = typeof result["retry_after_ms"] === "number" ? result["retry_after_ms"] : 0;
  const least = Math.min(Math.max(backoff, asked, 0), MAX_DELAY_MS);
  return Math.round(least * (1 + (policy.jitter ?? 0) * fraction(`${seed}#${failed}`)));
};

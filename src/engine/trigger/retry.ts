import { sha256Hex } from "../../lib/stable-uuid.ts";
import type { RetryRule } from "../../schema/trigger-rules.ts";

/** How long to wait before each attempt (spec/triggers 5.2). */
export type RetryPolicy =
  | { readonly kind: "svix" }
  | { readonly kind: "linear"; readonly delay_ms: number }
  | { readonly kind: "exponential"; readonly base_ms: number; readonly cap_ms: number };

/** Attempts and the waits between them. */
export interface Retry {
  /** Total number of attempts; 0 means the default. */
  readonly max_attempts: number;
  readonly policy: RetryPolicy;
  /** Up to this part of a wait is added to it, from 0 to 1; none without it. */
  readonly jitter?: number;
}

/** Seven attempts over a day: not immediate ones, which only hit a broken destination harder (spec/triggers 25). */
export const DEFAULT_RETRY: Retry = { max_attempts: 7, policy: { kind: "svix" } };

const LADDER_MS = [0, 5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000] as const;
const LAST_MS = 36_000_000;

const policyOf = (backoff: RetryRule["backoff"]): RetryPolicy => {
  if (backoff === undefined) return DEFAULT_RETRY.policy;
  if (typeof backoff !== "string") return backoff;
  return backoff === "svix" ? { kind: "svix" } : { kind: "linear", delay_ms: 0 };
};

/** The attempts that a definition's `retry` asks for; without it the default (spec/triggers 5.2). */
export const retryOf = (rule: RetryRule | undefined): Retry => {
  if (rule === undefined) return DEFAULT_RETRY;
  const { max = 0, backoff, jitter } = rule;
  const retry = { max_attempts: maxAttempts({ ...DEFAULT_RETRY, max_attempts: max }), policy: policyOf(backoff) };
  return jitter === undefined ? retry : { ...retry, jitter };
};

/** The total number of attempts of a policy (spec/triggers 5.2). */
export const maxAttempts = (retry: Retry): number =>
  retry.max_attempts === 0 ? DEFAULT_RETRY.max_attempts : retry.max_attempts;

/** The wait before attempt `attempt`, counted from 1, in milliseconds (spec/triggers 5.2). */
export const delayBefore = (policy: RetryPolicy, attempt: number): number => {
  if (attempt <= 1) return 0;
  switch (policy.kind) {
    case "svix":
      return LADDER_MS[attempt - 1] ?? LAST_MS;
    case "linear":
      return policy.delay_ms;
    case "exponential":
      // Nothing times a power that has grown beyond all bounds is no number.
      return policy.base_ms === 0 ? 0 : Math.min(policy.base_ms * 2 ** (attempt - 2), policy.cap_ms);
  }
};

/** A number from 0 up to 1 that follows from a text: a wait is the same however often it is worked out. */
const fraction = (text: string): number => Number.parseInt(sha256Hex(text).slice(0, 8), 16) / 0x1_0000_0000;

/**
 * The wait after a failed attempt, or null when it was the last one (spec/triggers 5.2).
 *
 * With jitter it grows by up to that part of itself, which follows from the seed (the id of the dispatch) and the attempt.
 */
export const delayAfter = (retry: Retry, attempt: number, seed = ""): number | null => {
  if (attempt >= maxAttempts(retry)) return null;
  const wait = delayBefore(retry.policy, attempt + 1);
  const { jitter = 0 } = retry;
  return jitter === 0 ? wait : Math.round(wait * (1 + jitter * fraction(`${seed}#${attempt}`)));
};

/** The total number of attempts and the wait before each of them (spec/triggers 5.2). */
export const retrySchedule = (
  retry: Retry,
): { readonly max_attempts: number; readonly delays_ms: readonly number[] } => {
  const max_attempts = maxAttempts(retry);
  const delays_ms = Array.from({ length: max_attempts }, (_, index) => delayBefore(retry.policy, index + 1));
  return { max_attempts, delays_ms };
};

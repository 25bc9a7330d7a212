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
}

/** Seven attempts over a day: not immediate ones, which only hit a broken destination harder (spec/triggers 25). */
export const DEFAULT_RETRY: Retry = { max_attempts: 7, policy: { kind: "svix" } };

const LADDER_MS = [0, 5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000] as const;
const LAST_MS = 36_000_000;

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
      return Math.min(policy.base_ms * 2 ** (attempt - 2), policy.cap_ms);
  }
};

/** The wait after a failed attempt, or null when it was the last one (spec/triggers 5.2). */
export const delayAfter = (retry: Retry, attempt: number): number | null =>
  attempt >= maxAttempts(retry) ? null : delayBefore(retry.policy, attempt + 1);

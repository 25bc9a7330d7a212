import { rfc3339 } from "../../lib/time.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { Draft } from "./draft.ts";
import type { AttemptEnded } from "./event.ts";
import { retryDelay } from "./retry-delay.ts";
import { unitNode } from "./stage-node.ts";
import type { Holder, PreparedStage } from "./state.ts";

/** How long a driver's attempt stays its own without a sign of life. */
const DRIVER_LEASE_MS = 10_000;

/** The same for a caller of the API, who may be a person. */
const CALLER_LEASE_MS = 300_000;

/** The lease of an attempt when its holder asks for none. */
export const defaultLease = (holder: Holder): number => (holder === "driver" ? DRIVER_LEASE_MS : CALLER_LEASE_MS);

/** Gives an open unit to a new holder as a new, visible attempt with the same idempotency key. */
export const startAttempt = (
  draft: Draft,
  unit: PreparedStage,
  to: { readonly holder?: "driver" | "caller"; readonly lease_ms?: number; readonly options?: JsonObject },
): void => {
  draft.emit({
    type: "attempt_started",
    stage_id: unit.stage_id,
    attempt: unit.attempt + 1,
    attempt_token: draft.context.nextId("attempt"),
    holder: to.holder ?? "driver",
    lease_ms: to.lease_ms ?? defaultLease(to.holder ?? "driver"),
    ...(to.options === undefined ? {} : { options: to.options }),
  });
};

const OUTCOMES = { lease_expired: "lost", failed: "error", suspended: "suspended" } as const;

/** Records that an attempt ended without completing its unit; the next one may start at `retry_at_ms`. */
export const endAttempt = (
  draft: Draft,
  unit: PreparedStage,
  end: { readonly reason: AttemptEnded["reason"]; readonly error: string | null; readonly retry_at_ms: number },
): void => {
  draft.emit({
    type: "attempt_ended",
    stage_id: unit.stage_id,
    reason: end.reason,
    record: {
      attempt: unit.attempt,
      status: end.reason === "suspended" ? "completed" : "failed",
      outcome: OUTCOMES[end.reason],
      branch: null,
      error: end.error,
      verification: null,
      started_at: unit.attempt_started_at,
      finished_at: rfc3339(draft.context.now),
    },
    retry_at_ms: end.retry_at_ms,
  });
};

/** When a failed call is tried again under its node's retry policy, or null when it is not (spec/workflow 6.9, architecture 7). */
export const retryTime = (draft: Draft, unit: PreparedStage, result: JsonObject): number | null => {
  const policy = unitNode(draft.run, unit)?.retry_policy;
  const failed = unit.ended_attempts.filter(({ outcome }) => outcome === "error").length + 1;
  if (policy === undefined || failed >= policy.max_attempts) return null;
  const delay = retryDelay(policy, { result, failed, seed: unit.stage_id });
  return delay === null ? null : draft.context.now + delay;
};

import type { JsonObject } from "../../../lib/json.ts";
import type { Timestamp } from "../../../lib/time.ts";
import type { CapabilityPolicy } from "../../../schema/policy.ts";
import type { AutonomyTier } from "../../../schema/trigger-rules.ts";
import { UNRESTRICTED } from "../../policy/capability.ts";
import { windowsAt } from "./counter.ts";
import type { AutonomyLimits } from "./limits.ts";
import type { LifecycleRecord } from "./records.ts";

/** How often a trigger acted by itself in the hour and the day, in UTC (spec/triggers 9.5). */
export interface AutonomyState {
  readonly hour: string;
  readonly day: string;
  readonly hour_count: number;
  readonly day_count: number;
}

/** A trigger that never acted. */
export const INITIAL_AUTONOMY: AutonomyState = { hour: "", day: "", hour_count: 0, day_count: 0 };

/** Why a person has to approve. */
export type AutonomyReason = "hourly_autonomy_budget_exceeded" | "daily_autonomy_budget_exceeded";

/** Whether a trigger may act by itself now; the counts are those that were found. */
export type AutonomyVerdict =
  | { readonly type: "ok" }
  | {
      readonly type: "needs_approval";
      readonly reason: AutonomyReason;
      readonly hour_count: number;
      readonly day_count: number;
    };

const isOver = (count: number, limit: number | null): boolean => limit !== null && count + 1 > limit;

/** Counts a decision of a trigger of the tier `act_auto`, or says that it takes a person (spec/triggers 9.5). */
export const autonomyVerdict = (
  state: AutonomyState,
  limits: AutonomyLimits,
  now: Timestamp,
): { readonly state: AutonomyState; readonly verdict: AutonomyVerdict } => {
  const { hour, day } = windowsAt(now);
  const hour_count = state.hour === hour ? state.hour_count : 0;
  const day_count = state.day === day ? state.day_count : 0;
  const reason = isOver(hour_count, limits.per_hour)
    ? "hourly_autonomy_budget_exceeded"
    : isOver(day_count, limits.per_day)
      ? "daily_autonomy_budget_exceeded"
      : null;
  if (reason !== null) {
    const verdict = { type: "needs_approval", reason, hour_count, day_count } as const;
    return { state: { hour, day, hour_count, day_count }, verdict };
  }
  return { state: { hour, day, hour_count: hour_count + 1, day_count: day_count + 1 }, verdict: { type: "ok" } };
};

const REVIEWERS = ["operator"] as const;
const FROM_TIER = "act_auto";
const REQUESTED_TIER = "act_with_approval";

/** The dispatch that waits for a person. */
export interface AutonomyRequest {
  readonly trigger_id: string;
  readonly binding_key: string;
  readonly event_id: string;
  readonly handler_kind: string;
  readonly target_uri: string;
  readonly replay_of_event_id: string | null;
  readonly limits: AutonomyLimits;
}

type NeedsApproval = Extract<AutonomyVerdict, { readonly type: "needs_approval" }>;

/** What the operator is asked (spec/triggers 9.5). */
export const approvalRequest = (
  { limits, ...dispatch }: AutonomyRequest,
  { reason, hour_count, day_count }: NeedsApproval,
): { readonly title: string; readonly detail: JsonObject; readonly reviewers: readonly string[] } => ({
  title: `approve autonomous dispatch for trigger '${dispatch.trigger_id}' after ${reason}`,
  detail: {
    ...dispatch,
    reason,
    from_tier: FROM_TIER,
    requested_tier: REQUESTED_TIER,
    max_autonomous_decisions_per_hour: limits.per_hour,
    max_autonomous_decisions_per_day: limits.per_day,
    autonomous_decisions_current_hour: hour_count,
    autonomous_decisions_today: day_count,
  },
  reviewers: REVIEWERS,
});

/** The record of a dispatch that waits for a person (spec/triggers 9.5). */
export const autonomyRecord = (
  { trigger_id, event_id, replay_of_event_id }: AutonomyRequest,
  { reason }: NeedsApproval,
  request_id: string,
): LifecycleRecord => ({
  kind: "autonomy.budget_exceeded",
  payload: {
    trigger_id,
    event_id,
    reason,
    request_id,
    reviewers: REVIEWERS,
    from_tier: FROM_TIER,
    requested_tier: REQUESTED_TIER,
    replay_of_event_id,
  },
});

const CEILINGS: Readonly<Record<AutonomyTier, CapabilityPolicy>> = {
  shadow: { ...UNRESTRICTED, side_effect_level: "none", recursion_limit: 0 },
  suggest: { ...UNRESTRICTED, side_effect_level: "read_only" },
  act_with_approval: { ...UNRESTRICTED, side_effect_level: "read_only" },
  act_auto: { ...UNRESTRICTED, side_effect_level: "network" },
};

/** What the work of an event may do at most, to be met with every other policy of it (spec/triggers 8). */
export const tierCeiling = (tier: AutonomyTier): CapabilityPolicy => CEILINGS[tier];

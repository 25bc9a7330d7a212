import { err, ok, type Result } from "../../lib/result.ts";
import type { UnsettledState } from "./snapshot.ts";
import type { QueuedTrigger } from "./queued.ts";

/** What has to be done for a queued trigger to be settled (spec/workers 22.4). */
export type SettleTrigger =
  | { readonly type: "ack_job"; readonly queue: string; readonly job_id: string }
  | { readonly type: "cancel_event"; readonly binding_key: string; readonly event_id: string };

/** Why something is not acknowledged now; null when it may be (spec/workers 21.9, 22.4). */
export type OutOfOrder = string | null;

/** Suspended subagents come before handoffs (spec/workers 21.9). */
export const handoffOutOfOrder = (state: Pick<UnsettledState, "suspended_subagents">): OutOfOrder =>
  state.suspended_subagents.length === 0
    ? null
    : "HARN-DRN-001: cannot acknowledge handoff while suspended subagents remain";

/** Suspended subagents come before triggers, and so do handoffs, with the same words (spec/workers 22.4). */
export const triggerOutOfOrder = (
  state: Pick<UnsettledState, "suspended_subagents" | "partial_handoffs">,
): OutOfOrder =>
  state.suspended_subagents.length === 0 && state.partial_handoffs.length === 0
    ? null
    : "HARN-DRN-001: cannot acknowledge trigger while suspended subagents remain";

/** How a queued trigger is settled, or why it cannot be (spec/workers 22.4). */
export const settlementOf = (item: QueuedTrigger): Result<SettleTrigger, string> => {
  if (item.source === "worker_queue") {
    const { queue = "", job_event_id: job_id = "" } = item;
    return ok({ type: "ack_job", queue, job_id });
  }
  const { binding_key, event_id } = item;
  if (binding_key === null) return err("queued trigger is missing binding_key");
  return event_id === ""
    ? err("queued trigger is missing event_id")
    : ok({ type: "cancel_event", binding_key, event_id });
};

/** Where a deferred trigger goes when no target is named (spec/workers 21.9). */
export const DEFERRED_TARGET = "deferred-triggers";

/** Who acknowledges, for queues and triggers (spec/workers 22.4). */
export const ACKNOWLEDGED_BY = "pipeline_lifecycle";

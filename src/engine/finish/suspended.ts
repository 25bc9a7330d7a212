import type { JsonObject } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import type { Worker } from "../worker/state.ts";

const sessionOf = ({ audit, config }: Worker): string | null =>
  audit.session_id || (config.mode === "sub_agent" ? config.spec.session_id : "") || null;

/** Since when, in milliseconds; a moment that cannot be read, or is yet to come, is now. */
const ageOf = (since: string | null, now: Timestamp): number => {
  const at = Date.parse(since ?? "");
  return Number.isNaN(at) ? 0 : Math.max(0, now - at);
};

const suspendedItem = (worker: Worker, now: Timestamp): JsonObject => {
  const { suspension, id, mode, snapshot_path } = worker;
  const { reason = "", conditions = null, initiator = "operator", suspended_at = "" } = suspension ?? {};
  return {
    handle: id,
    session_id: sessionOf(worker),
    reason: reason.trim() === "" ? "suspended" : reason,
    conditions: conditions === null ? null : ({ ...conditions } as JsonObject),
    age_ms: ageOf(suspended_at, now),
    initiator,
    mode,
    status: "suspended",
    suspended_at,
    snapshot_ref: suspension?.snapshot_ref || snapshot_path,
    auto_resume_trigger: suspension?.auto_resume_trigger == null ? null : { ...suspension.auto_resume_trigger },
  };
};

const awaitingItem = (worker: Worker, now: Timestamp): JsonObject => {
  const { id, mode, status, awaiting_started_at, parent_worker_id, carry_policy } = worker;
  return {
    handle: id,
    session_id: sessionOf(worker),
    reason: "awaiting_input",
    conditions: { status, retriggerable: carry_policy.retriggerable, awaiting_started_at },
    age_ms: ageOf(awaiting_started_at, now),
    initiator: parent_worker_id ?? "pipeline",
    mode,
    status,
  };
};

/**
 * A worker as an item of the snapshot of what is unsettled: one that is suspended, or a sub-agent that waits for input; null
 * for any other (spec/workers 21.4).
 */
export const unsettledWorker = (worker: Worker, now: Timestamp): JsonObject | null => {
  if (worker.status === "suspended") return suspendedItem(worker, now);
  return worker.status === "awaiting" && worker.mode === "sub_agent" ? awaitingItem(worker, now) : null;
};

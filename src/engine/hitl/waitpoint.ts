import type { Json } from "../../lib/json.ts";

/** A durable point that something waits for; it settles once (spec/workers 25). */
export interface Waitpoint {
  readonly id: string;
  readonly status: "open" | "completed" | "cancelled";
  readonly created_at: string;
  readonly created_by: string | null;
  readonly completed_at: string | null;
  readonly completed_by: string | null;
  readonly cancelled_at: string | null;
  readonly cancelled_by: string | null;
  readonly value: Json;
  readonly reason: string | null;
  readonly metadata: Json;
}

/** Who does something to a waitpoint, and when (RFC 3339). */
export interface Act {
  readonly at: string;
  readonly by?: string | null;
}

/** An open waitpoint; one that is there already stays as it is. */
export const createWaitpoint = (
  known: Waitpoint | null,
  { id, metadata = null, at, by = null }: Act & { readonly id: string; readonly metadata?: Json },
): Waitpoint =>
  known ?? {
    id,
    status: "open",
    created_at: at,
    created_by: by,
    completed_at: null,
    completed_by: null,
    cancelled_at: null,
    cancelled_by: null,
    value: null,
    reason: null,
    metadata,
  };

/** The waitpoint with its value; a settled one stays as it is, and one that nobody has created yet is made by whoever completes it. */
export const completeWaitpoint = (
  known: Waitpoint | null,
  act: Act & { readonly id: string; readonly value?: Json },
): Waitpoint => {
  const waitpoint = createWaitpoint(known, { id: act.id, at: act.at, by: act.by ?? null });
  if (waitpoint.status !== "open") return waitpoint;
  const { at, by = null, value = null } = act;
  return { ...waitpoint, status: "completed", completed_at: at, completed_by: by, value };
};

/** The waitpoint called off; a settled one stays as it is. */
export const cancelWaitpoint = (
  known: Waitpoint | null,
  act: Act & { readonly id: string; readonly reason?: string | null },
): Waitpoint => {
  const waitpoint = createWaitpoint(known, { id: act.id, at: act.at, by: act.by ?? null });
  if (waitpoint.status !== "open") return waitpoint;
  const { at, by = null, reason = null } = act;
  return { ...waitpoint, status: "cancelled", cancelled_at: at, cancelled_by: by, reason };
};

/** What waiting for several waitpoints has come to. */
export type Waited =
  | { readonly state: "pending" }
  | { readonly state: "completed"; readonly values: readonly Json[] }
  | { readonly state: "cancelled"; readonly waitpoint_id: string; readonly reason: string | null };

/** The ids that are waited for: trimmed, each once, in the order in which they were given. */
const wanted = (ids: readonly string[]): readonly string[] => [
  ...new Set(ids.map((id) => id.trim()).filter((id) => id !== "")),
];

/**
 * What waiting for these has come to: the first one called off ends it, all of them completed give their values; one that
 * nobody has created keeps it waiting, and so does waiting for nothing (spec/workers 25).
 */
export const resolveWaitpoints = (ids: readonly string[], find: (id: string) => Waitpoint | undefined): Waited => {
  const found = wanted(ids).map((id) => find(id));
  const cancelled = found.find((waitpoint) => waitpoint?.status === "cancelled");
  if (cancelled !== undefined) return { state: "cancelled", waitpoint_id: cancelled.id, reason: cancelled.reason };
  const isDone = found.length > 0 && found.every((waitpoint) => waitpoint?.status === "completed");
  return isDone
    ? { state: "completed", values: found.map((waitpoint) => waitpoint?.value ?? null) }
    : { state: "pending" };
};

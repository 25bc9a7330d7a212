import type { Json } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";

/** One entry of a run's lifecycle audit (spec/workers 21.6). */
export interface AuditEntry {
  /** Counts up from 1 within a run; handoffs take numbers from the same count. */
  readonly seq: number;
  readonly kind: string;
  readonly payload: Json;
  readonly pipeline_id: string | null;
}

/** Work that a run has handed to another pipeline and that nobody has acknowledged yet (spec/workers 21.7). */
export interface PartialHandoff {
  readonly envelope_id: string;
  readonly seq: number;
  readonly target_pipeline: string;
  readonly origin_pipeline: string | null;
  readonly payload: Json;
  readonly queued_at_ms: Timestamp;
}

/** What is done when a run ends: a handler by its name (spec/workers 21.1, 31). */
export interface OnFinish {
  readonly handler: string;
  readonly input: Json;
}

/** What of a run's lifecycle decisions need; the audit itself is in the journal only. */
export interface Lifecycle {
  /** The newest number of the shared count. */
  readonly seq: number;
  /** Open handoffs in the order in which they were recorded. */
  readonly handoffs: readonly PartialHandoff[];
  /** The newest disposition; null for none. */
  readonly disposition: Json;
  /** The one slot for what is done at the end; null for nothing. */
  readonly on_finish: OnFinish | null;
}

/** Nothing was audited, handed on or decided yet. */
export const NEW_LIFECYCLE: Lifecycle = { seq: 0, handoffs: [], disposition: null, on_finish: null };

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

/** What is done at the end of a run was ordered, and perhaps somebody is at it. */
export interface Finishing {
  readonly on_finish: OnFinish;
  readonly attempt: number;
  readonly attempt_token: string;
  /** Whether somebody has begun this attempt: nobody else may. */
  readonly begun: boolean;
  /** When the attempt counts as lost. */
  readonly deadline_ms: Timestamp;
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
  /** What was in the slot and is being done now; null before and after. */
  readonly finishing: Finishing | null;
  /** What that made of the run's value; null while it has made nothing of it. */
  readonly returned: { readonly value: Json } | null;
}

/** Nothing was audited, handed on or decided yet. */
export const NEW_LIFECYCLE: Lifecycle = {
  seq: 0,
  handoffs: [],
  disposition: null,
  on_finish: null,
  finishing: null,
  returned: null,
};

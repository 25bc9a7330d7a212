import type { Json } from "../../lib/json.ts";
import type { AuditEntry, OnFinish, PartialHandoff } from "./state.ts";

/** What a run's lifecycle can be told by its caller (spec/workers 21.6 to 21.8). */
export type LifecycleRequest =
  | { readonly type: "emit_audit"; readonly kind: string; readonly payload: Json }
  | { readonly type: "hand_off"; readonly target: string; readonly payload: Json }
  | { readonly type: "acknowledge_handoff"; readonly envelope_id: string; readonly decision: Json }
  | { readonly type: "set_disposition"; readonly disposition: Json }
  /** What is done at the end: the last registration counts (spec/workers 21.1). */
  | { readonly type: "set_on_finish"; readonly on_finish: OnFinish };

/** Takes what is done at the end, once (spec/workers 21.1). */
interface TakeOnFinish {
  readonly type: "take_on_finish";
}

/** A command with the pipeline in whose name it is given. */
export type LifecycleCommand = (LifecycleRequest | TakeOnFinish) & { readonly pipeline_id: string | null };

/** What happened to the lifecycle of a run. */
export type LifecycleEvent =
  | { readonly type: "audit_recorded"; readonly entry: AuditEntry }
  | { readonly type: "handoff_recorded"; readonly handoff: PartialHandoff }
  | { readonly type: "handoff_acknowledged"; readonly envelope_id: string; readonly entry: AuditEntry }
  | { readonly type: "disposition_set"; readonly disposition: Json; readonly entry: AuditEntry }
  | { readonly type: "on_finish_set"; readonly on_finish: OnFinish }
  | { readonly type: "on_finish_taken" };

/** What a command led to; null for what it did not lead to. */
export interface LifecycleOutcome {
  readonly entry: AuditEntry | null;
  /** The handoff that was recorded or removed; null too where there is none of that id. */
  readonly envelope: PartialHandoff | null;
  readonly on_finish: OnFinish | null;
}

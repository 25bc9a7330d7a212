import { isObject, type Json } from "../../lib/json.ts";
import { ok, type Result } from "../../lib/result.ts";
import { parseResumeConditions } from "./resume-conditions.ts";
import type { SpanLink, SuspendInitiator, WorkerSuspension } from "./state.ts";

const INITIATORS: readonly string[] = ["self", "parent", "operator", "triggered"] satisfies readonly SuspendInitiator[];

/** Who asked for a suspension; an operator where that is not known (spec/workers 17.1, 17.2). */
export const suspendInitiator = (value: Json | undefined): SuspendInitiator =>
  typeof value === "string" && INITIATORS.includes(value) ? (value as SuspendInitiator) : "operator";

const textOr = <Otherwise>(value: Json | undefined, otherwise: Otherwise): string | Otherwise =>
  typeof value === "string" ? value : otherwise;

const linkOf = (value: Json | undefined): SpanLink | null => {
  if (!isObject(value)) return null;
  const { trace_id: trace, span_id: span, attributes } = value;
  if (typeof trace !== "string" || typeof span !== "string") return null;
  return { trace_id: trace, span_id: span, attributes: isObject(attributes) ? attributes : {} };
};

const triggerOf = (value: Json | undefined): WorkerSuspension["auto_resume_trigger"] => {
  if (!isObject(value)) return null;
  const { id, version } = value;
  return typeof id === "string" && typeof version === "number" ? { id, version } : null;
};

/**
 * The suspension of a snapshot. Nothing of a worker that is loaded is under way, so it has come to rest (spec/workers 12.2,
 * 17.1, 32.4); `at` stands for what the snapshot does not say.
 */
export const readSuspension = (
  value: Json | undefined,
  { path, at }: { readonly path: string; readonly at: string },
): Result<WorkerSuspension, string> => {
  const source = isObject(value) ? value : {};
  // A definition that was good enough when the worker was suspended is kept as it is.
  const conditions = parseResumeConditions(source["conditions"], () => null);
  if (!conditions.ok) return conditions;
  const turn = source["suspended_at_turn"];
  const since = textOr(source["suspended_at"], at);
  return ok({
    reason: textOr(source["reason"], ""),
    initiator: suspendInitiator(source["initiator"]),
    suspended_at: since,
    snapshot_ref: textOr(source["snapshot_ref"], path),
    prior_span_link: linkOf(source["prior_span_link"]),
    pipeline_span_link: linkOf(source["pipeline_span_link"]),
    suspended_at_turn: typeof turn === "number" ? turn : null,
    conditions: conditions.value,
    auto_resume_trigger: triggerOf(source["auto_resume_trigger"]),
    quiesced_at: textOr(source["quiesced_at"], since),
  });
};

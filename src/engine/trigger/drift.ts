import { canonicalJson, type Json } from "../../lib/json.ts";
import { type DispatchOutcome, dispatchOutcome } from "./view.ts";
import type { EventRecord } from "./event.ts";
import { isFinal } from "./evolve.ts";

const FIELDS = ["status", "attempt_count", "handler_kind", "target_uri", "result", "error"] as const;

/** How a dispatch went, as reports about replays show it (spec/triggers 23). */
export type OutcomeSummary = Pick<DispatchOutcome, (typeof FIELDS)[number]>;

/** In what a replay went another way than its original: by field, what it was and what it is (spec/triggers 23). */
export interface Drift {
  readonly changed: boolean;
  readonly fields: Readonly<Record<string, { readonly original: Json; readonly replayed: Json }>>;
}

/** A replay beside its original; `original` and `drift` are null until both are over (spec/triggers 23). */
export interface ReplayReport {
  readonly event_id: string;
  readonly binding_id: string;
  readonly binding_version: number;
  readonly as_of: string | null;
  readonly replay: OutcomeSummary;
  readonly original: OutcomeSummary | null;
  readonly drift: Drift | null;
}

const summaryOf = (record: EventRecord): OutcomeSummary => {
  const { status, attempt_count, handler_kind, target_uri, result, error } = dispatchOutcome(record);
  return { status, attempt_count, handler_kind, target_uri, result, error };
};

/** The fields in which two outcomes differ, compared deeply (spec/triggers 23). */
export const driftOf = (original: OutcomeSummary, replayed: OutcomeSummary): Drift => {
  const differing = FIELDS.filter((name) => canonicalJson(original[name]) !== canonicalJson(replayed[name]));
  const fields = differing.map((name) => [name, { original: original[name], replayed: replayed[name] }] as const);
  return { changed: differing.length > 0, fields: Object.fromEntries(fields) };
};

/** The report about a replay (spec/triggers 23). */
export const replayReport = (original: EventRecord, replayed: EventRecord): ReplayReport => {
  const { binding, replay, event } = replayed;
  const summary = summaryOf(replayed);
  const before = isFinal(original) && isFinal(replayed) ? summaryOf(original) : null;
  return {
    event_id: event.id,
    binding_id: binding.trigger_id,
    binding_version: binding.version,
    as_of: replay?.as_of ?? null,
    replay: summary,
    original: before,
    drift: before === null ? null : driftOf(before, summary),
  };
};

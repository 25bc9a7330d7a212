import type { JsonObject } from "../../lib/json.ts";
import { isObject } from "../../lib/json.ts";
import type { AuditEntry } from "./state.ts";

/** The topic of the audit (spec/workers 21.6). */
export const AUDIT_TOPIC = "pipeline.lifecycle.audit";

/** Journal entries as far as the audit is concerned: any events, those with an `entry` are audited. */
interface Journaled {
  readonly events: readonly { readonly type: string }[];
}

const isEntry = (value: unknown): value is AuditEntry =>
  isObject(value) && typeof value["seq"] === "number" && typeof value["kind"] === "string";

/** The audit of a journal, oldest first, after a number of its count (spec/workers 21.6). */
export const auditEntries = (journal: readonly Journaled[], after = 0): readonly AuditEntry[] =>
  journal.flatMap(({ events }) =>
    events.flatMap((event) => {
      const entry = "entry" in event ? event.entry : null;
      return isEntry(entry) && entry.seq > after ? [entry] : [];
    }),
  );

/** An audit entry as a record of the event log (spec/workers 21.6). */
export const auditRecord = (
  entry: AuditEntry,
): {
  readonly kind: "lifecycle_audit";
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: JsonObject;
} => ({
  kind: "lifecycle_audit",
  headers: {
    kind: entry.kind,
    seq: String(entry.seq),
    ...(entry.pipeline_id === null ? {} : { pipeline_id: entry.pipeline_id }),
  },
  payload: { ...entry },
});

/** The pipeline in whose name a mutation session speaks: its run, else itself (spec/workers 21.6). */
export const pipelineIdOf = (
  session: { readonly run_id?: string | null; readonly session_id?: string | null } | null,
): string | null => session?.run_id || session?.session_id || null;

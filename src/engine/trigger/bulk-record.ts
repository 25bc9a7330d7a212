import type { JsonObject } from "../../lib/json.ts";
import type { EventView } from "../../schema/trigger-event.ts";
import type { EventStatus } from "./event.ts";
import type { BulkRecord } from "./predicate/bulk-filter.ts";

/** Where an event is, in the words of operations on many (spec/triggers 22.6). */
export type BulkStatus =
  | "pending"
  | "in_progress"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "retry_scheduled"
  | "dlq"
  | "skipped";

const STATUS: Readonly<Record<EventStatus, BulkStatus>> = {
  accepted: "pending",
  parked: "pending",
  deferred: "pending",
  waiting: "pending",
  dispatching: "in_progress",
  retrying: "retry_scheduled",
  dispatched: "succeeded",
  skipped: "skipped",
  failed: "failed",
  cancelled: "cancelled",
  dead_lettered: "dlq",
};

const TERMINAL: ReadonlySet<BulkStatus> = new Set(["succeeded", "cancelled", "dlq", "skipped"]);

/** What an operation on many needs to know of an event (spec/triggers 22.6). */
export interface BulkStanding {
  readonly status: BulkStatus;
  readonly terminal: boolean;
  readonly cancellable: boolean;
}

/** Where an event is; a `failed` one is not called terminal, and yet there is nothing left to cancel. */
export const bulkStanding = ({ status: is, cancel }: Pick<EventView, "status" | "cancel">): BulkStanding => {
  const status = STATUS[is];
  const terminal = TERMINAL.has(status);
  return { status, terminal, cancellable: !terminal && status !== "failed" && cancel === null };
};

const json = (value: unknown): JsonObject => value as JsonObject;

const attemptOf = (view: EventView, standing: BulkStanding): JsonObject => {
  const { attempts, handler_kind, target_uri, error, cancel, definition } = view;
  const last = attempts.at(-1);
  const ended = last?.settled_at ?? null;
  return {
    ...standing,
    attempt: last?.attempt ?? 0,
    count: attempts.length,
    handler: json(definition.handler),
    handler_kind,
    target_uri,
    error: error?.detail ?? last?.error?.detail ?? null,
    started_at: last?.started_at ?? null,
    completed_at: last?.outcome === "success" ? ended : null,
    failed_at: last?.outcome === "success" ? null : ended,
    cancel_requested: cancel !== null,
  };
};

/** An event as the filter of an operation on many sees it (spec/triggers 22.6). */
export const bulkRecord = (view: EventView): BulkRecord => {
  const { event, trigger_id: id, binding_version: version, definition, handler_kind, target_uri } = view;
  const standing = bulkStanding(view);
  const { id: eventId, tenant_id: tenant, headers, provider_payload, ...facts } = event;
  const { provider, kind, received_at, occurred_at, dedupe_key, trace_id } = facts;
  const replay_of_event_id = view.replay_of ?? null;
  const cancel_requested = view.cancel !== null;
  const named = { id: eventId, provider, kind, received_at, occurred_at, dedupe_key, trace_id, tenant };
  const payload = provider_payload["raw"] ?? null;
  return {
    event: { ...named, headers, payload, provider_payload, replay_of_event_id },
    binding: { id, version, key: `${id}@v${version}`, handler_kind, handler: json(definition.handler), target_uri },
    attempt: attemptOf(view, standing),
    outcome: {
      status: standing.status,
      attempt_count: view.attempts.length,
      error: view.error?.detail ?? null,
      terminal: standing.terminal,
    },
    audit: { replay_of_event_id, cancel_requested },
  };
};

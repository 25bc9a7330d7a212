import type { Json, JsonObject } from "../../lib/json.ts";
import type { DispatchAttempt, EventEvent, EventRecord } from "./event.ts";
import { handlerKindOf, targetUriOf } from "./definition-handler.ts";
import { bindingKey } from "./view.ts";

/** A record of the event log (spec/triggers 2.1 and 3). */
export interface LogRecord {
  readonly topic: string;
  readonly kind: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: JsonObject;
  readonly occurred_at: string;
}

/** A record without what every record of a dispatch has. */
type Line = readonly [topic: string, kind: string, payload: JsonObject];

const LIFECYCLE = "triggers.lifecycle";
const OUTBOX = "trigger.outbox";
const ATTEMPTS = "trigger.attempts";

const attemptRecord = (record: EventRecord, one: DispatchAttempt): JsonObject => ({
  trigger_id: record.binding.trigger_id,
  binding_key: bindingKey(record.binding),
  event_id: record.event.id,
  attempt: one.attempt,
  handler_kind: handlerKindOf(record.binding.definition),
  started_at: one.started_at,
  completed_at: one.settled_at,
  outcome: one.outcome,
  error_msg: one.error?.detail ?? null,
});

const handled = (record: EventRecord): JsonObject => ({
  handler_kind: handlerKindOf(record.binding.definition),
  target_uri: targetUriOf(record.binding.definition),
  replay_of_event_id: record.replay?.event_id ?? null,
});

const named = (record: EventRecord): JsonObject => ({
  trigger_id: record.binding.trigger_id,
  binding_key: bindingKey(record.binding),
});

const endLines = (record: EventRecord, end: Extract<EventEvent, { type: "attempt_ended" }>["end"]): readonly Line[] => {
  const one = record.attempts.find(({ attempt }) => attempt === end.attempt);
  const recorded: readonly Line[] =
    one === undefined ? [] : [[ATTEMPTS, "attempt_recorded", attemptRecord(record, one)]];
  if (end.outcome === "success") return recorded;
  const { attempt } = end;
  const failure = { event_id: record.event.id, attempt, ...handled(record), error: end.error?.detail ?? null };
  return [
    ...recorded,
    [LIFECYCLE, "DispatchFailed", failure],
    [OUTBOX, "dispatch_failed", { ...failure, ...named(record) }],
  ];
};

/** A dispatch that is over before an attempt leaves a record as well (spec/triggers 25, decision 12). */
const unattempted = (record: EventRecord, error: string): readonly Line[] =>
  record.attempts.length > 0
    ? []
    : [
        [
          OUTBOX,
          "dispatch_failed",
          { event_id: record.event.id, attempt: 0, ...handled(record), ...named(record), error },
        ],
      ];

const buriedLines = (record: EventRecord, event: Extract<EventEvent, { type: "dead_lettered" }>): readonly Line[] => {
  const { error, error_class, attempt_count, reason } = event.dead_letter;
  const { destination } = event;
  const event_id = record.event.id;
  const moved = {
    event_id,
    attempt_count,
    final_error: error,
    ...(reason === null ? {} : { reason }),
    ...(destination === null ? {} : { destination }),
    replay_of_event_id: record.replay?.event_id ?? null,
  };
  const letter = {
    ...named(record),
    event: record.event as unknown as Json,
    attempt_count,
    final_error: error,
    error_class,
    attempts: record.attempts.map((one) => attemptRecord(record, one)),
  };
  return [...unattempted(record, error), [LIFECYCLE, "DlqMoved", moved], ["trigger.dlq", "dlq_moved", letter]];
};

const heldLines = (
  record: EventRecord,
  event: Extract<EventEvent, { type: "skipped" | "deferred" | "approval_requested" }>,
): readonly Line[] => {
  const whole = { event_id: record.event.id, ...named(record), ...handled(record) };
  switch (event.type) {
    case "skipped":
      return [[OUTBOX, "dispatch_skipped", { ...whole, skip_stage: event.stage, detail: event.detail }]];
    case "deferred": {
      const { reason, next_at: retry_at } = event;
      const detail = { deferred: true, reason, retry_at };
      return [
        [ATTEMPTS, "budget_deferred", { ...whole, reason, retry_at }],
        [OUTBOX, "dispatch_skipped", { ...whole, skip_stage: "predicate", detail }],
      ];
    }
    case "approval_requested": {
      const { reason, request_id, reviewers } = event.approval;
      const tiers = { from_tier: "act_auto", requested_tier: "act_with_approval" };
      const exceeded = {
        trigger_id: record.binding.trigger_id,
        event_id: record.event.id,
        reason,
        request_id,
        reviewers,
        ...tiers,
        replay_of_event_id: record.replay?.event_id ?? null,
      };
      return [[LIFECYCLE, "autonomy.budget_exceeded", exceeded]];
    }
  }
};

const lines = (record: EventRecord, event: EventEvent): readonly Line[] => {
  const event_id = record.event.id;
  switch (event.type) {
    case "dispatch_started": {
      const started = { event_id, attempt: event.attempt, ...handled(record) };
      return [
        [LIFECYCLE, "DispatchStarted", started],
        [OUTBOX, "dispatch_started", { ...started, ...named(record) }],
      ];
    }
    case "attempt_ended":
      return endLines(record, event.end);
    case "dispatched": {
      const done = { event_id, attempt: record.attempts.length, ...handled(record), result: event.result };
      return [
        [LIFECYCLE, "DispatchSucceeded", done],
        [OUTBOX, "dispatch_succeeded", { ...done, ...named(record) }],
      ];
    }
    case "retry_scheduled": {
      const { attempt, delay_ms, error } = event;
      const replay_of_event_id = record.replay?.event_id ?? null;
      const retry = { event_id, attempt, delay_ms, error: error.detail, replay_of_event_id };
      return [
        [LIFECYCLE, "RetryScheduled", retry],
        [ATTEMPTS, "retry_scheduled", { ...retry, ...named(record) }],
      ];
    }
    case "cancel_requested": {
      const { requested_at, requested_by, audit_id } = event.cancel;
      const request = { binding_key: bindingKey(record.binding), event_id, requested_at, requested_by, audit_id };
      return [["trigger.cancel.requests", "dispatch_cancel_requested", request]];
    }
    case "cancelled":
      return unattempted(record, event.error);
    case "dead_lettered":
      return buriedLines(record, event);
    case "skipped":
    case "deferred":
    case "approval_requested":
      return heldLines(record, event);
    default:
      return [];
  }
};

const headersOf = (record: EventRecord, event: Pick<EventEvent, "type">): Readonly<Record<string, string>> => {
  const { event: envelope, binding, replay, attempts } = record;
  const next = event.type === "retry_scheduled" ? attempts.length + 1 : attempts.length;
  return {
    event_id: envelope.id,
    trace_id: envelope.trace_id,
    provider: envelope.provider,
    kind: envelope.kind,
    ...(replay === null ? {} : { replay_of_event_id: replay.event_id }),
    ...(envelope.tenant_id === null ? {} : { tenant_id: envelope.tenant_id }),
    trigger_id: binding.trigger_id,
    binding_key: bindingKey(binding),
    handler_kind: handlerKindOf(binding.definition),
    ...(next === 0 ? {} : { attempt: String(next) }),
  };
};

/** What the event log says of something that happened to an event; `record` is the event after it (spec/triggers 3, 8, 12). */
export const logRecords = (record: EventRecord, event: EventEvent): readonly LogRecord[] => {
  const headers = headersOf(record, event);
  return lines(record, event).map(([topic, kind, payload]) => ({
    topic,
    kind,
    headers,
    payload,
    occurred_at: event.at,
  }));
};

/** A record of what was judged about an event before its first attempt (spec/triggers 9). */
export const lifecycleRecord = (
  record: EventRecord,
  { kind, payload }: { readonly kind: string; readonly payload: JsonObject },
  occurred_at: string,
): LogRecord => ({ topic: LIFECYCLE, kind, headers: headersOf(record, { type: "admitted" }), payload, occurred_at });

import { byCodePoint, isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import { triggerSummary } from "./summaries.ts";

/** A trigger that waits to be handled (spec/workers 22.2, 22.3). */
export interface QueuedTrigger {
  readonly id: string;
  readonly event_id: string;
  readonly trigger_id: string | null;
  readonly binding_key: string | null;
  readonly spec_summary: string;
  readonly queued_at_ms: Timestamp;
  readonly age_ms: number;
  readonly source: "trigger_inbox" | "worker_queue";
  /** Of a job of a work queue only. */
  readonly queue?: string;
  readonly job_event_id?: string;
  readonly claimed?: boolean;
}

/** A record of the event log, as far as queued triggers need it. */
export interface TopicRecord {
  readonly kind: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Json;
  readonly occurred_at_ms: Timestamp;
}

/** The topics that queued triggers follow from (spec/workers 22.1). */
export interface InboxTopics {
  readonly inbox: readonly TopicRecord[];
  readonly outbox: readonly TopicRecord[];
  readonly cancels: readonly TopicRecord[];
}

const textIn = (source: Json | undefined, key: string): string | null => {
  const value = isObject(source) ? source[key] : undefined;
  return typeof value === "string" && value !== "" ? value : null;
};

const ageOf = (queuedAt: Timestamp, now: Timestamp): number => Math.max(0, now - queuedAt);

/** An event under a binding; the empty key means every binding. */
const settledKey = (bindingKey: string | null, eventId: string): string => JSON.stringify([bindingKey ?? "", eventId]);

const outboxKeys = (records: readonly TopicRecord[]): readonly string[] =>
  records.flatMap(({ headers, payload }) => {
    const eventId = textIn(headers, "event_id") ?? textIn(payload, "event_id");
    const bindingKey = textIn(headers, "binding_key") ?? textIn(payload, "binding_key");
    return eventId === null ? [] : [settledKey(bindingKey, eventId)];
  });

/** Only requests of their kind count, by what their payload names (spec/workers 22.2). */
const cancelKeys = (records: readonly TopicRecord[]): readonly string[] =>
  records.flatMap(({ kind, payload }) => {
    const eventId = textIn(payload, "event_id");
    if (kind !== "dispatch_cancel_requested" || eventId === null) return [];
    return [settledKey(textIn(payload, "binding_key"), eventId)];
  });

const bindingKeyOf = ({ headers, payload }: TopicRecord, triggerId: string | null): string | null => {
  const given = textIn(headers, "binding_key");
  if (given !== null) return given;
  const version = isObject(payload) ? payload["binding_version"] : null;
  return triggerId !== null && Number.isInteger(version) ? `${triggerId}@v${String(version)}` : null;
};

/** The event of an inbox record, or the record itself where it is the event. */
const eventIn = (payload: Json): JsonObject | null => {
  const event = isObject(payload) ? (payload["event"] ?? payload) : null;
  return isObject(event) ? event : null;
};

/** What is in the inbox and was neither begun nor cancelled (spec/workers 22.2). */
export const queuedInInbox = (topics: InboxTopics, now: Timestamp): readonly QueuedTrigger[] => {
  const settled = new Set([...outboxKeys(topics.outbox), ...cancelKeys(topics.cancels)]);
  return topics.inbox.flatMap((record) => {
    const event = eventIn(record.payload);
    const event_id = textIn(event ?? null, "id");
    if (record.kind !== "event_ingested" || event === null || event_id === null) return [];
    const trigger_id = textIn(record.headers, "trigger_id") ?? textIn(record.payload, "trigger_id");
    const binding_key = bindingKeyOf(record, trigger_id);
    if (settled.has(settledKey(binding_key, event_id)) || settled.has(settledKey(null, event_id))) return [];
    const [provider, kind] = [textIn(event, "provider"), textIn(event, "kind")];
    const at = { trigger_id, binding_key, queued_at_ms: record.occurred_at_ms };
    return [inboxItem({ event_id, provider, kind, ...at }, now)];
  });
};

/** An event that waits, wherever that is known from. */
export interface WaitingEvent extends Pick<QueuedTrigger, "event_id" | "trigger_id" | "binding_key" | "queued_at_ms"> {
  readonly provider: string | null;
  readonly kind: string | null;
}

/** An event that waits in its trigger as an item of the snapshot (spec/workers 22.2). */
export const inboxItem = (event: WaitingEvent, now: Timestamp): QueuedTrigger => {
  const { event_id, trigger_id, binding_key, queued_at_ms } = event;
  return {
    id: binding_key === null ? `trigger://${event_id}` : `trigger://${binding_key}/${event_id}`,
    event_id,
    trigger_id,
    binding_key,
    spec_summary: triggerSummary(event),
    queued_at_ms,
    age_ms: ageOf(queued_at_ms, now),
    source: "trigger_inbox",
  };
};

/** An open job of a work queue; the event it is about, or what it says of itself. */
export interface WaitingJob extends WaitingEvent {
  readonly queue: string;
  readonly job_event_id: string;
  /** Whether somebody works on it now: a claim that has expired does not count. */
  readonly claimed: boolean;
}

/** A job that is neither acknowledged nor purged as an item of the snapshot (spec/workers 22.3). */
export const jobItem = (job: WaitingJob, now: Timestamp): QueuedTrigger => {
  const { queue, job_event_id, claimed, event_id, trigger_id, binding_key, queued_at_ms } = job;
  return {
    id: `worker://${queue}/${job_event_id}`,
    event_id,
    trigger_id,
    binding_key,
    spec_summary: triggerSummary(job),
    queued_at_ms,
    age_ms: ageOf(queued_at_ms, now),
    source: "worker_queue",
    queue,
    job_event_id,
    claimed,
  };
};

/** Queued triggers of all sources in their order: by time, then by id (spec/workers 22.3). */
export const sortedQueued = (items: readonly QueuedTrigger[]): readonly QueuedTrigger[] =>
  items.toSorted((a, b) => a.queued_at_ms - b.queued_at_ms || byCodePoint(a.id, b.id));

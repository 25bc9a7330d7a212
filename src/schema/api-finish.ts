import * as z from "zod";
import { anyJson, anyObject, id, pageOf, pageQuery, time } from "./api.ts";

const count = z.int().min(0);

/** An audit entry of a run's lifecycle (spec/workers 21.6). */
const auditEntry = z.object({
  seq: z.int().describe("Counts up from 1 within the run; handoffs take numbers of the same count"),
  kind: z.string(),
  payload: anyJson,
  pipeline_id: z.string().nullable(),
});

const auditRecord = z.object({
  kind: z.literal("lifecycle_audit"),
  headers: z.record(z.string(), z.string()).readonly(),
  payload: anyObject,
});

/** How the audit is read. */
export const auditQuery = pageQuery.extend({
  as: z
    .enum(["entries", "records"])
    .default("entries")
    .describe("`records`: with the kind and headers of an event log"),
});

/** A page of a run's audit. */
export const auditPageSchema = pageOf(z.union([auditEntry.readonly(), auditRecord.readonly()]));

const envelope = z.object({
  envelope_id: z.string(),
  seq: z.int(),
  target_pipeline: z.string(),
  origin_pipeline: z.string().nullable(),
  payload: anyJson,
  queued_at_ms: count,
});

const handoffItem = envelope.extend({
  from: z.string().nullable(),
  to: z.string(),
  payload_summary: z.string(),
  age_ms: count,
});

/** The open handoffs of a run, oldest first. */
export const handoffPageSchema = pageOf(handoffItem.readonly());

/** Body of `POST .../audit`. */
export const emitAuditSchema = z
  .object({ kind: id.describe("Such as `drained`"), payload: anyJson.default(null).describe("At most 64 KiB as JSON") })
  .readonly();

/** Body of `POST .../handoffs`. */
export const handOffSchema = z
  .object({
    target: z.string().max(200).default("").describe("The pipeline that is to go on"),
    payload: anyJson.default(null).describe("At most 64 KiB as JSON"),
  })
  .readonly();

/** Body of `POST .../handoffs/{envelope_id}/acknowledge`. */
export const acknowledgeHandoffSchema = z.object({ decision: anyJson.default(null) }).readonly();

/** Body of `POST .../disposition`. */
export const dispositionSchema = z.object({ disposition: anyJson.default(null) }).readonly();

/** Body of `PUT .../on_finish`. */
export const onFinishSchema = z
  .object({ handler: id.describe("The name of a registered handler"), input: anyJson.default(null) })
  .readonly();

/** What is done at the end of a run from now on. */
export const onFinishReceiptSchema = z
  .object({ status: z.literal("registered"), on_finish: onFinishSchema })
  .readonly();

const receipt = { method: z.string(), entry: auditEntry.readonly() };

/** What auditing answers (spec/workers 21.9). */
export const auditReceiptSchema = z.object({ status: z.literal("recorded"), ...receipt }).readonly();

/** What handing on answers (spec/workers 21.9). */
export const handoffReceiptSchema = z
  .object({ status: z.literal("queued"), method: z.string(), envelope: envelope.readonly() })
  .readonly();

/** What acknowledging a handoff answers (spec/workers 21.9). */
export const handoffAcknowledgedSchema = z
  .object({ status: z.literal("acknowledged"), ...receipt, envelope: envelope.readonly() })
  .readonly();

/** What a disposition answers (spec/workers 21.8). */
export const dispositionReceiptSchema = z.object({ status: z.literal("finalized"), ...receipt }).readonly();

const queuedTrigger = z
  .object({
    id: z.string().describe("`trigger://...` for an event in its trigger, `worker://...` for a job of a queue"),
    event_id: z.string(),
    trigger_id: z.string().nullable(),
    binding_key: z.string().nullable(),
    spec_summary: z.string(),
    queued_at_ms: count,
    age_ms: count,
    source: z.enum(["trigger_inbox", "worker_queue"]),
    queue: z.string().exactOptional(),
    job_event_id: z.string().exactOptional(),
    claimed: z.boolean().exactOptional(),
  })
  .readonly();

const inFlightCall = z
  .object({
    call_id: z.string(),
    model: z.string().nullable(),
    role: z.string(),
    started_at_ms: count,
    age_ms: count,
    stage_id: z.string(),
    node_id: z.string(),
    stale: z.boolean().describe("Whoever made the call has given no sign of life for longer than its lease"),
  })
  .readonly();

const unsettledState = z
  .object({
    suspended_subagents: z.array(anyObject).readonly(),
    queued_triggers: z.array(queuedTrigger).readonly(),
    partial_handoffs: z.array(handoffItem.readonly()).readonly(),
    in_flight_llm_calls: z.array(inFlightCall).readonly(),
    pool_pending_tasks: z.array(anyObject).readonly(),
  })
  .readonly();

/** What a run has left unsettled (spec/workers 21.3). */
export const unsettledSchema = z
  .object({
    state: unsettledState,
    counts: z
      .object({ suspended: count, queued: count, partial: count, in_flight: count, pool_pending: count })
      .readonly(),
    is_empty: z.boolean().describe("Nothing is unsettled, and everybody who was asked has answered"),
    summary: z.string(),
    unknown: z
      .array(z.object({ bucket: z.string(), id: z.string(), reason: z.string() }).readonly())
      .readonly()
      .describe("Those who could not be asked: they are neither settled nor unsettled"),
    as_of: z
      .object({ run: time, workers: time, queues: time, triggers: time, pools: time })
      .readonly()
      .describe("When each part was true: a snapshot over several objects is no atomic cut"),
  })
  .readonly();

/** Body of `POST .../unsettled/acknowledge`. */
export const acknowledgeTriggerSchema = z
  .object({
    trigger_id: z.string().max(1_000).default("").describe("The `id` of a queued trigger of the snapshot"),
    defer: z.boolean().default(false).describe("true: hand it on as well"),
    target: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe("The pipeline it is handed on to; `deferred-triggers` without it"),
  })
  .readonly();

/** What acknowledging or deferring a queued trigger answers (spec/workers 21.9, 22.4). */
export const triggerReceiptSchema = z
  .object({
    status: z.enum(["acknowledged", "deferred"]),
    method: z.string(),
    trigger_id: z.string(),
    item: queuedTrigger,
    envelope: envelope.readonly().exactOptional(),
  })
  .readonly();

/** Body of `POST .../settle`. */
export const settleSchema = z
  .object({
    drain_budget_iterations: anyJson.optional().describe("1 to 20; 5 for anything else"),
    unsettled: anyJson.optional().describe("What the caller believes to be unsettled, as `state` of the snapshot"),
    return_value: anyJson.default(null).describe("Given back with the receipt"),
    include_events: z.boolean().default(false).describe("true: events that wait in triggers are cancelled too"),
  })
  .readonly();

/** What the settlement agent answers (spec/workers 21.10). */
export const settleReceiptSchema = z
  .object({
    status: z.enum(["no_unsettled", "completed", "exhausted"]),
    method: z.literal("spawn_settlement_agent"),
    iterations: count,
    items_processed: count,
    audit_count: count,
    budget: count,
    remaining: unsettledState,
    return_value: anyJson,
  })
  .readonly();

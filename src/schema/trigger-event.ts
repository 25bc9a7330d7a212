import * as z from "zod";
import { eventRowSchema } from "./api-event.ts";
import { id, pageOf, pageQuery, time } from "./api.ts";
import { json } from "./lenient.ts";
import { spanSchema } from "./span.ts";
import { triggerEventSchema } from "./trigger.ts";
import { storedDefinitionSchema } from "./trigger-definition.ts";

/** Statuses of events that are not over: the first four wait for their dispatch (spec/triggers 15). */
export const UNSETTLED_STATUSES = ["accepted", "parked", "deferred", "waiting"] as const;
/** Statuses of events that were picked up, but are not over. */
export const SETTLING_STATUSES = ["dispatching", "retrying"] as const;
const TERMINAL_STATUSES = ["dispatched", "skipped", "failed", "cancelled", "dead_lettered"] as const;

const status = z.enum([...UNSETTLED_STATUSES, ...SETTLING_STATUSES, ...TERMINAL_STATUSES]);

/** An event in lists. */
export type EventRow = z.output<typeof eventRowSchema>;

/** A page of events. */
export const eventPageSchema = pageOf(eventRowSchema);

/** Filters of `GET /v1/events`. */
export const eventQuery = pageQuery.extend({
  trigger_id: id.optional(),
  status: status.optional(),
  view: z
    .enum(["unsettled", "stranded", "terminal"])
    .optional()
    .describe(
      "`unsettled`: not picked up yet; `stranded`: accepted longer than `min_age` ago and not picked up; both oldest first. `terminal`: over",
    ),
  min_age: spanSchema
    .optional()
    .describe("Only events received at least so long ago, such as `5m`; `5m` for `stranded`"),
  since: z.iso.datetime({ offset: true }).optional().describe("Only events received at this moment or later"),
});

/** Filters of `GET /v1/events`. */
export type EventQuery = z.output<typeof eventQuery>;

const jsonObject = z.record(z.string(), json).readonly();

const dispatchError = z.object({ code: z.string(), detail: z.string() }).readonly();

const attempt = z
  .object({
    attempt: z.int(),
    started_at: time,
    settled_at: time.nullable(),
    outcome: z.enum(["success", "failed", "timeout", "denied", "cancelled"]).nullable(),
    error: dispatchError.nullable(),
    run_id: z.string().nullable(),
    is_running: z.boolean().describe("Whether its run has started and will end the attempt"),
  })
  .readonly();

const verdict = z
  .object({ stage: z.string(), outcome: z.enum(["passed", "skipped", "held"]), reason: z.string() })
  .readonly();

const cancelRequest = z
  .object({
    requested_at: time,
    requested_by: z.string().nullable(),
    audit_id: z.string().nullable(),
    reason: z.string().exactOptional(),
  })
  .readonly();

const approval = z
  .object({
    request_id: z.string(),
    title: z.string(),
    reason: z.string(),
    detail: jsonObject,
    reviewers: z.array(z.string()).readonly(),
    requested_at: time,
    decision: z
      .object({ approved: z.boolean(), reviewer: z.string().nullable(), reason: z.string().nullable(), at: time })
      .readonly()
      .nullable(),
  })
  .readonly();

const step = z
  .object({
    attempt: z.int(),
    at: time,
    status: z.enum(["dlq", "replay_dlq", "replay_succeeded", "discarded"]),
    error: z.string().nullable(),
    reason: z.string().exactOptional(),
  })
  .readonly();

/** An event that could not be handled, and what was done about it since (spec/triggers 12.6). */
export const deadLetterSchema = z
  .object({
    id: z.string(),
    state: z.enum(["pending", "resolved", "discarded"]),
    error: z.string(),
    error_class: z.string(),
    attempt_count: z.int(),
    reason: z.string().nullable(),
    history: z.array(step).readonly(),
    created_at: time,
    updated_at: time,
  })
  .readonly();

const replayOf = z
  .object({
    event_id: z.string(),
    number: z.int(),
    dlq_id: z.string().nullable(),
    as_of: z.string().nullable(),
    requested_by: z.string().nullable(),
    request_id: z.string().exactOptional(),
  })
  .readonly();

const replaySummary = z
  .object({
    number: z.int(),
    binding_version: z.int(),
    requested_at: time,
    requested_by: z.string().nullable(),
    as_of: z.string().nullable(),
    dlq_id: z.string().nullable(),
    status,
    settled_at: time.nullable(),
    run_id: z.string().nullable(),
    request_id: z.string().exactOptional(),
  })
  .readonly();

/** The answer of `GET /v1/events/{event_id}`: the event with what was decided about it. */
export const eventViewSchema = eventRowSchema
  .unwrap()
  .extend({
    status,
    binding_version: z.int().describe("The version of the trigger that handles the event"),
    definition: storedDefinitionSchema,
    handler_kind: z.string(),
    target_uri: z.string(),
    destination: z.string().describe("The key of the circuit"),
    verdicts: z.array(verdict).readonly(),
    attempts: z.array(attempt).readonly().describe("Attempts to have it handled"),
    next_at: time.nullable().describe("When it goes on"),
    result: json,
    error: dispatchError.nullable(),
    dispatch_id: z.string().nullable(),
    runs: z.array(z.string()).readonly().describe("Ids of the runs the event started"),
    batch: z.array(z.string()).readonly().nullable().describe("Dedupe keys of the events handled together"),
    cancel: cancelRequest.nullable(),
    approval: approval.nullable(),
    dead_letter: deadLetterSchema.nullable(),
    replay: replayOf.nullable(),
    replays: z.array(replaySummary).readonly().describe("The newest hundred"),
    event: triggerEventSchema.describe("The event as it was accepted"),
  })
  .readonly();

/** An event with what was decided about it. */
export type EventView = z.output<typeof eventViewSchema>;

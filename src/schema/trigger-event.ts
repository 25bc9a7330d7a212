import * as z from "zod";
import { eventRowSchema } from "./api-event.ts";
import { id, pageOf, pageQuery, time } from "./api.ts";
import { spanSchema } from "./span.ts";
import { storedDefinitionSchema, triggerEventSchema } from "./trigger.ts";

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

const dispatchError = z.object({ code: z.string(), detail: z.string() }).readonly();

const attempt = z
  .object({
    attempt: z.int(),
    started_at: time,
    settled_at: time.nullable(),
    outcome: z.enum(["started", "failed"]).nullable(),
    error: dispatchError.nullable(),
  })
  .readonly();

const verdict = z.object({ stage: z.string(), outcome: z.enum(["passed", "skipped"]), reason: z.string() }).readonly();

/** The answer of `GET /v1/events/{event_id}`: the event with what was decided about it. */
export const eventViewSchema = eventRowSchema
  .unwrap()
  .extend({
    status,
    binding_version: z.int().describe("The version of the trigger that accepted the event"),
    definition: storedDefinitionSchema,
    verdicts: z.array(verdict).readonly(),
    attempts: z.array(attempt).readonly().describe("Attempts to start the run"),
    next_at: time.nullable().describe("When the next attempt is made"),
    error: dispatchError.nullable(),
    dispatch_id: z.string().nullable(),
    runs: z.array(z.string()).readonly().describe("Ids of the runs the event started"),
    event: triggerEventSchema.describe("The event as it was accepted"),
  })
  .readonly();

/** An event with what was decided about it. */
export type EventView = z.output<typeof eventViewSchema>;

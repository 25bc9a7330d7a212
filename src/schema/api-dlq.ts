import * as z from "zod";
import { deadLetterRowSchema } from "./api-dead-letter.ts";
import { reasonText, requestedBy } from "./api-event-control.ts";
import { id, pageOf, pageQuery, time } from "./api.ts";
import { deadLetterSchema, eventViewSchema } from "./trigger-event.ts";
import { triggerEventSchema } from "./trigger.ts";

/** Filters of `GET /v1/dlq`. */
export const deadLetterQuery = pageQuery.extend({
  trigger_id: id.optional(),
  state: z.enum(["pending", "resolved", "discarded", "all"]).default("pending"),
  error_class: id.optional().describe("Such as `provider_5xx`"),
  since: z.iso.datetime({ offset: true }).optional().describe("Only those that came to be at this moment or later"),
});

/** Filters of `GET /v1/dlq`. */
export type DeadLetterQuery = z.output<typeof deadLetterQuery>;

/** A page of dead letters. */
export const deadLetterPageSchema = pageOf(deadLetterRowSchema);

const { attempts, definition } = eventViewSchema.unwrap().shape;

const { error, attempt_count, reason, history } = deadLetterSchema.unwrap().shape;

/** A dead letter with its event and all that was done about it (spec/triggers 12.6). */
export const deadLetterViewSchema = deadLetterRowSchema
  .unwrap()
  .extend({
    error,
    attempt_count,
    reason,
    retry_history: history,
    attempts,
    definition,
    event: triggerEventSchema,
  })
  .readonly();

/** A dead letter with its event and all that was done about it. */
export type DeadLetterView = z.output<typeof deadLetterViewSchema>;

/** A dead letter for export, in the original's form (spec/triggers 12.6, 12.7). */
export const deadLetterFixtureSchema = z
  .object({
    _type: z.literal("harn.dlq.fixture.v1"),
    exported_at: time,
    entry: z
      .object({
        id: z.string(),
        event_id: z.string(),
        binding_id: z.string(),
        binding_version: z.int(),
        provider: z.string(),
        kind: z.string(),
        state: z.enum(["pending", "resolved", "discarded"]),
        error: z.string(),
        error_class: z.string(),
        event: triggerEventSchema,
        retry_history: history,
      })
      .readonly(),
  })
  .readonly();

/** Query of `GET /v1/dlq/{dlq_id}`. */
export const deadLetterFormat = z.object({
  format: z.enum(["view", "fixture"]).default("view").describe("`fixture`: a document for export"),
});

/** The answer of `GET /v1/dlq/{dlq_id}`. */
export const deadLetterAnswerSchema = z.union([deadLetterViewSchema, deadLetterFixtureSchema]);

/** The body of `POST /v1/dlq/{dlq_id}/retry`. */
export const retryDeadLetterSchema = z.object({ requested_by: requestedBy }).readonly();

/** The body of `POST /v1/dlq/{dlq_id}/discard`. */
export const discardDeadLetterSchema = z.object({ reason: reasonText }).readonly();

import * as z from "zod";
import { asOfProblem, parseAsOf } from "../lib/as-of.ts";
import { anyJson, anyObject, id, time } from "./api.ts";
import { eventViewSchema } from "./trigger-event.ts";

/** Who asks, for the record. */
export const requestedBy = z.string().min(1).max(200).optional().describe("Who asks, for the record");

/** Why, for the record. */
export const reasonText = z.string().min(1).max(1_000).optional().describe("Why, for the record");

const asOf = z.union([z.string().max(100), z.int()]).transform((given, context): number => {
  const text = String(given);
  const at = parseAsOf(text);
  if (at !== null) return at;
  context.addIssue({ code: "custom", message: asOfProblem(text) });
  return z.NEVER;
});

/** Which version handles a replay; the one the event was recorded with unless given (spec/triggers 23). */
export const replayVersionShape = {
  version: z.int().min(1).optional().describe("The version of the trigger that handles it"),
  as_of: asOf
    .optional()
    .describe(
      "The version that was active then: RFC 3339, or Unix seconds or (with more than ten characters) milliseconds",
    ),
};

/** Not both of them. */
export const oneVersion = (
  { version, as_of }: { readonly version?: number | undefined; readonly as_of?: number | undefined },
  context: z.RefinementCtx,
): void => {
  if (version !== undefined && as_of !== undefined)
    context.addIssue({ code: "custom", path: ["as_of"], message: "give `version` or `as_of`, not both" });
};

/** The body of `POST /v1/triggers/{trigger_id}/fire` (spec/triggers 22.5). */
export const fireSchema = z
  .object({
    kind: id.optional().describe("The first of the trigger's `match.events` unless given"),
    payload: anyJson.optional().describe("What a delivery's body would say; `{}` unless given"),
    dedupe_key: z.string().min(1).max(1_000).optional().describe("`synthetic:<provider>:<kind>:<uuid>` unless given"),
    occurred_at: z.iso.datetime({ offset: true }).nullable().optional(),
    headers: z.record(z.string(), z.string()).readonly().optional(),
    event_id: id.optional().describe("`trigger_evt_<uuid>` unless given"),
  })
  .readonly();

/** The body of `POST /v1/events/{event_id}/replay`. */
export const replayEventSchema = z
  .object({ ...replayVersionShape, requested_by: requestedBy })
  .superRefine(oneVersion)
  .readonly();

const fallback = z
  .object({
    category: z.literal("replay.binding_version_gc_fallback"),
    trigger_id: z.string(),
    recorded_version: z.int(),
    received_at: z.string(),
    resolved_version: z.int(),
  })
  .readonly();

/** The answer to a request for a replay. */
export const replayMadeSchema = z
  .object({
    event_id: z.string(),
    replay: z.int().describe("Counts the replays of an event, from 1"),
    binding_version: z.int().describe("The version that handles it"),
    dlq_id: z.string().nullable(),
    fallback: fallback.optional().describe("The recorded version has ended; the one that was active then handles it"),
  })
  .readonly();

const outcome = z
  .object({
    status: z.enum(["succeeded", "failed", "dlq", "skipped", "waiting", "cancelled"]),
    attempt_count: z.int(),
    handler_kind: z.string(),
    target_uri: z.string(),
    result: anyJson,
    error: z.string().nullable(),
  })
  .readonly();

const difference = z.object({ original: anyJson, replayed: anyJson }).readonly();

/** The answer of `GET /v1/events/{event_id}/replays/{number}` (spec/triggers 23). */
export const replayViewSchema = z
  .object({
    record: eventViewSchema.describe("The replay as an event of its own"),
    report: z
      .object({
        event_id: z.string(),
        binding_id: z.string(),
        binding_version: z.int(),
        as_of: time.nullable(),
        replay: outcome,
        original: outcome.nullable(),
        drift: z
          .object({ changed: z.boolean(), fields: z.record(z.string(), difference).readonly() })
          .readonly()
          .nullable(),
      })
      .readonly()
      .describe("Beside its original; `original` and `drift` are null until both are over"),
  })
  .readonly();

/** The body of `POST /v1/events/{event_id}/cancel`. */
export const cancelEventSchema = z.object({ requested_by: requestedBy, reason: reasonText }).readonly();

/** The body of `POST /v1/events/{event_id}/approve`. */
export const approveEventSchema = z
  .object({ approved: z.boolean(), reviewer: z.string().min(1).max(200).optional(), reason: reasonText })
  .readonly();

/** The answer of `GET /v1/events/{event_id}/log` (spec/triggers 2.1, 3). */
export const eventLogSchema = z
  .object({
    items: z
      .array(
        z
          .object({
            topic: z.string(),
            kind: z.string(),
            headers: z.record(z.string(), z.string()).readonly(),
            payload: anyObject,
            occurred_at: time,
          })
          .readonly(),
      )
      .readonly(),
  })
  .readonly();

/** Query of `GET /v1/events/{event_id}/log`. */
export const eventLogQuery = z.object({
  replay: z.coerce.number().int().min(1).optional().describe("The log of this replay instead"),
});

import * as z from "zod";
import { oneVersion, reasonText, replayVersionShape, requestedBy } from "./api-event-control.ts";
import { id, pageQuery, time } from "./api.ts";

/** What is done to many events, or dead letters, at once (spec/triggers 22.6). */
export const OPERATION_KINDS = ["replay", "cancel", "dlq_retry", "dlq_discard"] as const;

/** What is done to many at once. */
export type OperationKind = (typeof OPERATION_KINDS)[number];

const moment = z.iso.datetime({ offset: true });

const MAX_FILTER_LENGTH = 2_000;

/** A filter of spec/triggers 22.6; the route reads it. */
const filter = z.string().max(MAX_FILTER_LENGTH);

const shape = {
  trigger_id: id.optional(),
  since: moment.optional(),
  until: moment.optional(),
  dry_run: z.boolean().default(false).describe("Says what would be done, and does nothing"),
  rate_per_second: z.number().min(0.1).max(1_000).optional().describe("At most so many a second"),
  limit: z.int().min(1).max(1_000_000).optional().describe("At most so many"),
  requested_by: requestedBy,
};

const where = filter.describe(
  "A condition over `event`, `binding`, `attempt`, `outcome` and `audit`, such as `outcome.status == 'failed' AND event.kind == 'push'`",
);

/** A key that is not known is refused: a condition that is misspelt and left out would take in everything. */
const STRICT = {
  error: (issue: { readonly code: string; readonly keys?: readonly string[] }) =>
    issue.code === "unrecognized_keys"
      ? `unknown key ${(issue.keys ?? []).map((key) => `\`${key}\``).join(", ")}`
      : undefined,
};

/** The body of `POST /v1/events/replay`. */
export const replayManySchema = z
  .strictObject({ where, ...shape, ...replayVersionShape }, STRICT)
  .superRefine(oneVersion)
  .readonly();

/** The body of `POST /v1/events/cancel`. */
export const cancelManySchema = z.strictObject({ where, ...shape, reason: reasonText }, STRICT).readonly();

const letters = { ...shape, filter: where.optional(), error_class: id.optional() };

/** The body of `POST /v1/dlq/retry`; two a second unless `rate_per_second` says otherwise (spec/triggers 12.7). */
export const retryManySchema = z.strictObject(letters, STRICT).readonly();

/** The body of `POST /v1/dlq/discard`. */
export const discardManySchema = z.strictObject({ ...letters, reason: reasonText }, STRICT).readonly();

/** What an operation was asked for with, as its row keeps it. */
export interface OperationRequest {
  readonly where: string | null;
  readonly trigger_id?: string | undefined;
  readonly error_class?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly dry_run: boolean;
  readonly rate_per_second?: number | undefined;
  readonly limit?: number | undefined;
  readonly requested_by?: string | undefined;
  readonly reason?: string | undefined;
  readonly version?: number | undefined;
  readonly as_of?: number | undefined;
}

const item = z
  .object({
    event_id: z.string(),
    binding_id: z.string(),
    binding_version: z.int(),
    binding_key: z.string(),
    latest_status: z.string(),
    status: z.enum(["requested", "not_cancellable", "dry_run", "failed"]),
    cancellable: z.boolean().exactOptional(),
    dlq_id: z.string().exactOptional(),
    replay: z.int().exactOptional().describe("The number of the replay that was made"),
    error: z.string().exactOptional(),
  })
  .readonly();

/** What an operation did with one event. */
export type OperationItem = z.output<typeof item>;

/** An operation as it stands; its own record is its audit (spec/triggers 22.6). */
export const operationViewSchema = z
  .object({
    operation_id: z.string(),
    audit_id: z.string().describe("The same"),
    operation: z.enum(OPERATION_KINDS),
    state: z.enum(["running", "done"]),
    dry_run: z.boolean(),
    filter: z.string().nullable(),
    rate_per_second: z.number().nullable(),
    requested_by: z.string().nullable(),
    requested_at: time,
    updated_at: time,
    matched_count: z.int(),
    executed_count: z.int(),
    requested_count: z.int().describe("The same as `executed_count`"),
    skipped_count: z.int(),
    items: z.array(item).readonly().describe("A page, in order"),
    next_cursor: z.string().nullable(),
  })
  .readonly();

/** An operation as it stands. */
export type OperationView = z.output<typeof operationViewSchema>;

/** Query of `GET /v1/operations/{operation_id}`. */
export const operationQuery = pageQuery;

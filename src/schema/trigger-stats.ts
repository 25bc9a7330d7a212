import * as z from "zod";
import { time } from "./api.ts";
import { spanSchema } from "./span.ts";

const DAY_MS = 86_400_000;
const MAX_WINDOW_MS = 31 * DAY_MS;

/** Query of `GET /v1/triggers/{trigger_id}/stats` (spec/triggers 22.2). */
export const statsQuery = z.object({
  window: spanSchema
    .refine((ms) => ms <= MAX_WINDOW_MS, "is at most 31d")
    .default(DAY_MS)
    .describe("How far back to look, such as `24h`, which it is unless given; at most `31d`"),
  silent_after: spanSchema.optional().describe("Report the trigger as `silent` when nothing came for so long"),
});

const count = z.int().nonnegative();

const hourSchema = z
  .object({
    hour: time,
    accepted: count,
    dispatched: count,
    skipped: count,
    failed: count,
    dead_lettered: count,
    duplicates: count,
    rejected: count,
  })
  .readonly();

/** What one hour of a trigger was like. */
export type TriggerHour = z.output<typeof hourSchema>;

/** State of a trigger's health, the worst that applies first (docs/metrics.md). */
export const HEALTH_STATES = ["paused", "failing", "silent", "degraded", "idle", "healthy"] as const;

const healthSchema = z.object({ state: z.enum(HEALTH_STATES), reasons: z.array(z.string()).readonly() }).readonly();

/** A trigger's health with what speaks against it. */
export type TriggerHealth = z.output<typeof healthSchema>;

/** The circuit of a trigger's destination (spec/triggers 12.4). */
export const circuitReportSchema = z
  .object({
    destination: z.string().describe("`<kind of handler>:<target>`; shared by all triggers of the tenant that call it"),
    state: z.enum(["closed", "open", "half_open"]),
    failures: count.describe("In a row"),
    opened_at: time.nullable(),
    retry_at: time.nullable().describe("When the next attempt may be made"),
  })
  .readonly();

/** The circuit of a trigger's destination. */
export type CircuitReport = z.output<typeof circuitReportSchema>;

/** The answer of `GET /v1/triggers/{trigger_id}/stats`. */
export const triggerStatsSchema = z
  .object({
    trigger_id: z.string(),
    window_seconds: count,
    from: time,
    to: time,
    received: count.describe("Deliveries: those that became events, duplicates and refused ones"),
    accepted: count.describe("Events"),
    duplicates: count.describe("About so many"),
    rejected: count.describe("At least so many"),
    by_status: z.record(z.string(), count).readonly().describe("Events by their status now"),
    dispatched: count,
    skipped: z.record(z.string(), count).readonly().describe("Skipped events by what skipped them"),
    failed: count,
    dead_lettered: count,
    success_ratio: z.number().nullable().describe("Of events that were dispatched, failed or became dead letters"),
    latency_ms: z
      .object({ median: z.number().nullable(), p99: z.number().nullable() })
      .readonly()
      .describe("From receipt to the end of the dispatch, of events that were dispatched"),
    oldest_pending_age_seconds: z.number().nullable(),
    in_flight: count,
    dlq_pending: count,
    last_received_at: time.nullable(),
    hours: z.array(hourSchema).readonly().describe("Every hour of the window, oldest first"),
    health: healthSchema,
    circuit: circuitReportSchema.nullable().describe("Null for a handler whose failures open none"),
  })
  .readonly();

/** Figures about a trigger. */
export type TriggerStats = z.output<typeof triggerStatsSchema>;

import * as z from "zod";
import { anyJson, id, time } from "./api.ts";

/** By what jobs of a queue are shared out fairly (spec/triggers 17). */
const FAIRNESS_KEYS = ["tenant", "binding", "trigger-id", "tenant-and-binding"] as const;

/** By what jobs of a queue are shared out fairly. */
export type FairnessKey = (typeof FAIRNESS_KEYS)[number];

const label = id.nullable().default(null);

const MAX_WAIT_MS = 24 * 3_600_000;

const duration = z.int().min(0).max(MAX_WAIT_MS);

/** Body of `POST /v1/queues/{name}/jobs`. */
export const newJobSchema = z
  .object({
    job_id: id.optional().describe("The same id with the same request is the same job; a new id without it"),
    payload: anyJson.describe("What the worker is given, at most 256 KiB as JSON"),
    priority: z.enum(["high", "normal", "low"]).default("normal"),
    tenant: label.describe("A label that jobs can be shared out fairly by"),
    binding_key: label.describe("A label that jobs can be shared out fairly by"),
    trigger_id: label.describe("A label that jobs can be shared out fairly by"),
    max_deliveries: z.int().min(1).max(1_000).nullable().default(null).describe("Without it the queue's own bound"),
  })
  .readonly();

const ttl = z
  .int()
  .min(1_000)
  .max(MAX_WAIT_MS)
  .default(300_000)
  .describe("How long the claim lasts without being renewed, in milliseconds");

/** Body of `POST /v1/queues/{name}/claim`. */
export const claimJobSchema = z
  .object({
    consumer_id: z.string().max(200).describe("Who claims"),
    ttl_ms: ttl,
    wait_ms: z.int().min(0).max(20_000).default(0).describe("How long to wait for a job, at most 20 seconds"),
  })
  .readonly();

const claim = { claim_id: id };

/** Body of `POST .../renew`. */
export const renewClaimSchema = z.object({ ...claim, ttl_ms: ttl }).readonly();

/** Body of `POST .../release`. */
export const releaseJobSchema = z
  .object({ ...claim, reason: z.string().max(2_000).nullable().default(null), delay_ms: duration.optional() })
  .readonly();

/** Body of `POST .../ack`. */
export const ackJobSchema = z
  .object({
    ...claim,
    result: anyJson.optional().describe("At most 256 KiB; of a command `{stdout, stderr, exit_status, success}`"),
  })
  .readonly();

/** Body of `POST .../fail`. */
export const failJobSchema = z
  .object({
    ...claim,
    error: z.string().min(1).max(2_000),
    retry: z.boolean().default(true).describe("false makes a dead letter of it at once"),
    delay_ms: duration.optional().describe("Before it is handed out again; without it a backoff"),
  })
  .readonly();

/** Body of `POST /v1/queues/{name}/purge`. */
export const purgeQueueSchema = z.object({ reason: z.string().max(2_000).nullable().default(null) }).readonly();

/** How a queue chooses the next job, and how often it hands one out (spec/triggers 17). */
export const queuePolicySchema = z
  .object({
    strategy: z.enum(["fifo", "drr"]),
    fairness_key: z.enum(FAIRNESS_KEYS),
    weights: z.record(z.string(), z.int().min(1)).readonly(),
    default_weight: z.int().min(1),
    quantum: z.int().min(1),
    starvation_age_ms: z.int().min(1).nullable(),
    max_concurrent_per_key: z.int().min(0).describe("0 for no bound"),
    max_deliveries: z.int().min(1).max(1_000),
  })
  .readonly();

/** Body of `PUT /v1/queues/{name}`: what is left out keeps its default. */
export const configureQueueSchema = queuePolicySchema.unwrap().partial().readonly();

const STATUSES = ["open", "acked", "dead", "purged"] as const;

/** Filters of `GET /v1/queues/{name}`. */
export const queueQuery = z.object({
  status: z.enum(STATUSES).optional(),
  limit: z.coerce.number().int().min(0).max(200).default(50).describe("At most so many jobs, 0 to 200"),
});

/** A job as it is shown: never with the id of its claim, which is the worker's own. */
export const jobViewSchema = z
  .object({
    job_id: z.string(),
    status: z.enum(["ready", "claimed", "waiting", "acked", "dead", "purged"]),
    priority: z.string(),
    tenant: z.string().nullable(),
    binding_key: z.string().nullable(),
    trigger_id: z.string().nullable(),
    run_id: z.string().nullable().describe("The run that waits for it"),
    stage_id: z.string().nullable(),
    enqueued_at: time,
    not_before: time,
    deliveries: z.int().describe("How often it was handed out, without those given back untouched"),
    max_deliveries: z.int().nullable().describe("null: the queue's own bound"),
    claim: z.object({ consumer_id: z.string(), claimed_at: time, expires_at: time }).readonly().nullable(),
    settled_at: time.nullable(),
    result: anyJson,
    error: z.string().nullable(),
  })
  .readonly();

/** A job as it is shown. */
export type JobView = z.output<typeof jobViewSchema>;

/** What a claim answers: `claim` and `job` are null when nothing is ready. */
export const claimedJobSchema = z
  .object({
    claim: z.object({ claim_id: z.string(), consumer_id: z.string(), expires_at: time }).readonly().nullable(),
    job: jobViewSchema.unwrap().extend({ payload: anyJson }).readonly().nullable(),
  })
  .readonly();

const keySnapshot = z
  .object({
    fairness_key: z.string(),
    weight: z.int(),
    deficit: z.number(),
    in_flight: z.int(),
    selected_total: z.int(),
    deferred_total: z.int(),
    ready_jobs: z.int(),
    oldest_ready_age_ms: z.number(),
  })
  .readonly();

/** A queue in numbers; settled jobs are counted as long as they are kept. */
export const queueSchema = z
  .object({
    queue: z.string(),
    ready: z.int(),
    in_flight: z.int(),
    waiting: z.int(),
    acked: z.int(),
    purged: z.int(),
    dead: z.int(),
    responses: z.int(),
    oldest_unclaimed_age_ms: z.number().nullable(),
    policy: queuePolicySchema,
    scheduler: z
      .object({
        strategy: z.string(),
        fairness_key: z.string(),
        rounds_completed: z.int(),
        starvation_promotions_total: z.int(),
        keys: z.array(keySnapshot).readonly(),
      })
      .readonly(),
    jobs: z.array(jobViewSchema).readonly().describe("The newest first"),
  })
  .readonly();

/** What purging answers. */
export const purgedSchema = z.object({ purged: z.int() }).readonly();

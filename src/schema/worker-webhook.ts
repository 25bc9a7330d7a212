import * as z from "zod";
import type { WebhookOrder } from "../engine/worker/webhook.ts";
import type { WorkerEventName } from "../engine/worker/updates.ts";
import { isObject, type Json } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { time } from "./api.ts";

const eventName = z.enum([
  "WorkerSpawned",
  "WorkerProgressed",
  "WorkerWaitingForInput",
  "WorkerSuspended",
  "WorkerResumed",
  "WorkerCompleted",
  "WorkerFailed",
  "WorkerCancelled",
  "WorkerStopped",
] as const satisfies readonly WorkerEventName[]);

const url = z.url({ protocol: /^https?$/ }).max(2_000);

const SECRET_HEADER = /^(?:authorization|proxy-authorization|cookie|x-api-key)$/i;
const RESERVED_HEADER = /^(?:webhook-.*|content-type|content-length|host)$/i;

const headers = z
  .record(z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,100}$/), z.string().max(2_000))
  .refine((all) => Object.keys(all).length <= 20, "at most 20 headers")
  .refine((all) => !Object.keys(all).some((name) => RESERVED_HEADER.test(name)), "a header that the sender sets itself")
  .refine(
    (all) => Object.entries(all).every(([name, value]) => !SECRET_HEADER.test(name) || value.includes("{{secret.")),
    "give the secret in a header as {{secret.NAME}}: what stands here is kept as it is",
  );

const secretName = z.string().regex(/^[A-Z][A-Z0-9_]{0,99}$/, "the name of a secret of the deployment");

const shared = {
  url,
  events: z.array(eventName).min(1).readonly().nullable().default(null).describe("null for every event"),
  headers: headers.default({}).describe("Further headers; `{{secret.NAME}}` is filled in when an event is sent"),
};

/** The key `webhook` of a spawn config. */
const orderSchema = z.strictObject({ ...shared, secret_ref: secretName.nullable().default(null) }).readonly();

/** Body of `PUT /v1/worker_webhook`. */
export const putWorkerWebhookSchema = z
  .strictObject({
    ...shared,
    secret: z
      .string()
      .min(1)
      .max(500)
      .exactOptional()
      .describe("Base64, with or without `whsec_`; signs by Standard Webhooks, and is never shown again"),
  })
  .readonly();

/** Body of `PUT /v1/worker_webhook`. */
export type PutWorkerWebhook = z.output<typeof putWorkerWebhookSchema>;

/** Where the events of a tenant's workers go; null for nowhere. */
export const workerWebhookSchema = z
  .object({
    webhook: z
      .object({ ...shared, headers: z.record(z.string(), z.string()), has_secret: z.boolean(), updated_at: time })
      .readonly()
      .nullable(),
  })
  .readonly();

/** What was sent of a worker's events, oldest first. */
export const webhookDeliveriesSchema = z
  .object({
    items: z
      .array(
        z
          .object({
            id: z.string().describe("The header `webhook-id`"),
            seq: z.int(),
            event: z.string(),
            at: time,
            state: z.enum(["pending", "delivered", "abandoned"]),
            attempts: z.int(),
            last_error: z.string().nullable(),
            delivered_at: time.nullable(),
            next_attempt_at: time.nullable(),
          })
          .readonly(),
      )
      .readonly(),
  })
  .readonly();

/** Reads the webhook of a spawn config; null for none. */
export const decodeWebhookOrder = (value: Json | undefined): Result<WebhookOrder | null, string> => {
  if (value === undefined || value === null) return ok(null);
  if (isObject(value) && value["secret"] !== undefined)
    return err("spawn_agent: config.webhook.secret: name a secret of the deployment in secret_ref");
  const read = orderSchema.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    return err(
      `spawn_agent: config.webhook${issue?.path.map((key) => `.${String(key)}`).join("") ?? ""}: ${issue?.message ?? ""}`,
    );
  }
  const { events, ...target } = read.data;
  return ok({ target, events });
};

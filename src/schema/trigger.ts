import * as z from "zod";
import type { Json } from "../lib/json.ts";
import { pageOf, time } from "./api.ts";
import { json } from "./lenient.ts";
import { rawBodyRefSchema } from "./trigger-body.ts";
import { storedDefinitionSchema } from "./trigger-definition.ts";

/** How the signature of a delivery was judged (spec/triggers 4.1). */
export const signatureStatusSchema = z
  .discriminatedUnion("state", [
    z.object({ state: z.literal("verified") }),
    z.object({ state: z.literal("unsigned") }),
    z.object({ state: z.literal("failed"), reason: z.string() }),
  ])
  .readonly();

/** How the signature of a delivery was judged. */
export type SignatureStatus = z.output<typeof signatureStatusSchema>;

/** A delivery in the common form, before it is accepted. */
export const normalisedEventSchema = z
  .object({
    provider: z.string(),
    kind: z.string(),
    occurred_at: z.string().nullable(),
    dedupe_key: z.string(),
    /** Redacted, with names in lower case (spec/triggers 4.4). */
    headers: z.record(z.string(), z.string()).readonly(),
    /** The body in the provider's typed form; `raw` is the whole of it (spec/triggers 4.2). */
    provider_payload: z.record(z.string(), json).readonly(),
    signature_status: signatureStatusSchema,
  })
  .readonly();

/** A delivery in the common form, before it is accepted. */
export type NormalisedEvent = z.output<typeof normalisedEventSchema>;

/** The envelope of an accepted event (spec/triggers 4.1). */
export const triggerEventSchema = normalisedEventSchema
  .unwrap()
  .extend({
    id: z.string(),
    received_at: z.string(),
    trace_id: z.string(),
    tenant_id: z.string().nullable(),
    batch: z
      .array(json as z.ZodType<Json>)
      .readonly()
      .optional(),
    /** Standard base64 of the bytes as received. */
    raw_body: z.string().optional(),
    /** Where those bytes lie when they are too many for the row; `GET /v1/events/{event_id}/body` gives them. */
    raw_body_ref: rawBodyRefSchema.optional(),
  })
  .readonly();

/** An accepted event (spec/triggers 4.1). */
export type TriggerEvent = z.output<typeof triggerEventSchema>;

/** The answer to a delivery: the same for every delivery of the same dedupe key, but for `duplicate`. */
export const receiptSchema = z.object({ event_id: z.string(), receipt: z.string(), duplicate: z.boolean() }).readonly();

/** The answer to a delivery. */
export type Receipt = z.output<typeof receiptSchema>;

const triggerStates = ["active", "paused", "deleted"] as const;

/** State of a trigger. */
export type TriggerState = (typeof triggerStates)[number];

const bindingVersionSchema = z
  .object({
    /** `<trigger id>@v<version>` (spec/triggers 6.1). */
    id: z.string(),
    version: z.number().int(),
    fingerprint: z.string(),
    /** A draining version finishes what it has in flight; a terminated one has nothing left (spec/triggers 6.1). */
    state: z.enum(["registering", "active", "draining", "terminated"]),
    created_at: z.string(),
  })
  .readonly();

/** Deliveries that were refused in one minute for one reason; their bodies are kept nowhere. */
export const rejectionCountSchema = z
  .object({
    minute: time,
    reason: z.string().describe("Such as `invalid_signature`"),
    count: z.number().int().describe("At least so many"),
    last_at: time,
    last_message: z.string(),
  })
  .readonly();

/** Deliveries that were refused in one minute for one reason. */
export type RejectionCount = z.output<typeof rejectionCountSchema>;

/** Deliveries of one minute for triggers that do not exist; their bodies are kept nowhere. */
export const unknownDeliverySchema = z
  .object({
    minute: time,
    count: z.number().int().describe("At least so many"),
    last_trigger_id: z.string(),
    last_at: time,
  })
  .readonly();

/** Deliveries of one minute for triggers that do not exist. */
export type UnknownDelivery = z.output<typeof unknownDeliverySchema>;

/** A trigger as it is shown; the secret is never in it. */
export const triggerViewSchema = z
  .object({
    trigger_id: z.string(),
    /** Whether the manifest put it, or a request for it alone (spec/triggers 6.1). */
    source: z.enum(["manifest", "dynamic"]),
    version: z.number().int(),
    fingerprint: z.string(),
    state: z.enum(triggerStates),
    /** Whether the trigger verifies with a secret of its own or with the one that `secret_ref` names. */
    has_secret: z.boolean(),
    definition: storedDefinitionSchema,
    versions: z.array(bindingVersionSchema).readonly(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .readonly();

/** A trigger as it is shown; the secret is never in it. */
export type TriggerView = z.output<typeof triggerViewSchema>;

/** What may be shown of the secrets of a trigger: when they were put, never what they are (spec/triggers 5.9). */
export const triggerSecretsSchema = z
  .object({
    current: z.object({ created_at: time }).readonly().nullable(),
    previous: z.object({ created_at: time, expires_at: time }).readonly().nullable(),
  })
  .readonly()
  .describe("Null where there is none, as with `secret_ref`");

/** What may be shown of the secrets of a trigger. */
export type TriggerSecrets = z.output<typeof triggerSecretsSchema>;

const versionLoadSchema = z
  .object({
    version: z.int(),
    received: z.int(),
    dispatched: z.int(),
    failed: z.int(),
    dlq: z.int(),
    in_flight: z.int(),
    last_received_ms: z.int().nullable(),
  })
  .readonly();

/** The answer of `GET /v1/triggers/{id}`. */
export const triggerReportSchema = triggerViewSchema
  .unwrap()
  .extend({
    secrets: triggerSecretsSchema,
    metrics: z
      .array(versionLoadSchema)
      .readonly()
      .describe("What each version has in flight, and has done since its object woke"),
    rejections: z.array(rejectionCountSchema).readonly().describe("Refused deliveries, newest minute first"),
  })
  .readonly();

/** A trigger with the deliveries it refused. */
export type TriggerReport = z.output<typeof triggerReportSchema>;

/** A page of unknown deliveries. */
export const unknownDeliveryPageSchema = pageOf(unknownDeliverySchema);

/** A page of triggers as lists show them. */
export const triggerPageSchema = pageOf(
  z
    .object({
      trigger_id: z.string(),
      provider: z.string(),
      state: z.string(),
      version: z.number().int(),
      definition: storedDefinitionSchema,
      created_at: time,
      updated_at: time,
    })
    .readonly(),
);

/** A trigger in lists. */
export type TriggerRow = z.output<typeof triggerPageSchema>["items"][number];

import * as z from "zod";
import { pageOf, time } from "./api.ts";

/** What an API key may allow. `admin` allows everything within its tenant. */
export const SCOPES = ["runs:read", "runs:write", "workers", "triggers", "queues", "approvals", "admin"] as const;

/** One right of an API key. */
export type Scope = (typeof SCOPES)[number];

/** The name of a tenant. */
export const tenantIdSchema = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,62}$/,
    "a tenant id has 1 to 63 lower-case letters, digits and `-`, and starts with no `-`",
  );

const name = z.string().min(1).max(200).nullable().default(null);

/** Body of `POST /v1/keys`. */
export const newKeySchema = z
  .object({
    name: name.describe("For people"),
    scopes: z
      .array(z.enum(SCOPES))
      .min(1)
      .readonly()
      .transform((scopes) => SCOPES.filter((scope) => scopes.includes(scope))),
  })
  .readonly();

/** An API key as lists show it, without its text. */
export const keySchema = z
  .object({
    key_id: z.string(),
    tenant: z.string(),
    name: z.string().nullable(),
    scopes: z.array(z.enum(SCOPES)).readonly(),
    created_at: time,
    revoked_at: time.nullable(),
  })
  .readonly();

/** An API key as lists show it, without its text. */
export type ApiKey = z.output<typeof keySchema>;

/** A new API key; only this answer ever shows its text. */
export const createdKeySchema = keySchema
  .unwrap()
  .extend({ key: z.string().describe("The text to send as `Authorization: Bearer <key>`; it is never shown again") })
  .readonly();

/** A page of API keys. */
export const keyPageSchema = pageOf(keySchema);

/** Body of `POST /v1/tenants`. */
export const newTenantSchema = z.object({ tenant: tenantIdSchema, name }).readonly();

/** A tenant. */
export const tenantSchema = z.object({ tenant: z.string(), name: z.string().nullable(), created_at: time }).readonly();

/** A tenant. */
export type Tenant = z.output<typeof tenantSchema>;

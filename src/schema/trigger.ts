import * as z from "zod";
import type { Json } from "../lib/json.ts";
import { pageOf, time } from "./api.ts";
import { json } from "./lenient.ts";
import { decodeRunOptions } from "./run.ts";
import { authShape, checkAuth, INBOUND_PROVIDERS, requiredSecret } from "./trigger-auth.ts";

/** Largest body a trigger may take, in bytes; what it takes unless told otherwise. */
export const MAX_BODY_BYTES = 1_048_576;

const MAX_RETENTION_DAYS = 36_500;

/** Every event keeps the definition it was accepted under, in a row of its own. */
const MAX_DEFINITION_LENGTH = 65_536;

/** A provider that a trigger can listen to. */
export type TriggerProvider = (typeof INBOUND_PROVIDERS)[number];

/** Keys of spec/triggers 5.1 that this version does not act on. They are refused: a limit that is ignored is no limit. */
const NOT_AVAILABLE: ReadonlySet<string> = new Set(
  (
    "when when_budget autonomy_tier tier dedupe_key filter retry priority budget concurrency throttle rate_limit " +
    "debounce singleton batch window dlq_alerts secrets sources path schedule timezone catchup_mode retention_days " +
    "allow_cleartext poll topic subject slot function a2a worker persona"
  ).split(" "),
);

const keyMessage = (key: string): string =>
  NOT_AVAILABLE.has(key) ? `\`${key}\` is not available yet; leave it out` : `unknown key \`${key}\``;

/** An object without keys other than its own; the error names each of the others. */
const strict = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? issue.keys.map(keyMessage).join("; ") : undefined),
  });

const name = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => text.isWellFormed(), "must not contain lone surrogates");
const jsonObject = z.record(z.string(), json).readonly();

/** Id of a trigger: it is part of the address of its hook. */
export const triggerIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, "a trigger id has 1 to 128 letters, digits, `.`, `_` and `-`");

const handlerSchema = strict({
  /** The workflow that handles each event. */
  workflow: name,
  /** A version of the workflow; without it the newest at the time of the dispatch. */
  version: z.number().int().min(1).optional(),
  /** The run's task; `{{trigger_event.<path>}}` is filled in. */
  task: z.string().min(1).max(MAX_DEFINITION_LENGTH).optional(),
  /** Options of the run; `trigger_event` and `trigger_id` are added to them. */
  options: jsonObject.optional(),
}).readonly();

const matchSchema = strict({
  /** Kinds to handle; none means all (spec/triggers 5.1). */
  events: z.array(name).max(100).readonly().optional(),
}).readonly();

const baseSchema = strict({
  provider: z.enum(INBOUND_PROVIDERS, { error: (issue) => `provider '${String(issue.input)}' is not registered` }),
  kind: z.string().default("webhook"),
  /** Write-only: no answer ever shows it. */
  secret: z.string().min(1).max(1000).optional(),
  /** `<namespace>/<name>[@<version>]`: a secret of the deployment, see `secretVariable` (spec/triggers 5.9). */
  secret_ref: z.string().min(1).max(1000).optional(),
  ...authShape,
  match: matchSchema.default({}),
  handler: handlerSchema,
  /** Without `retention_days` a dedupe key is claimed for ever. */
  dedupe: strict({
    retention_days: z
      .number()
      .int()
      .min(1, "dedupe.retention_days must be greater than or equal to 1")
      .max(MAX_RETENTION_DAYS)
      .optional(),
  })
    .readonly()
    .default({}),
  max_body_bytes: z.number().int().min(1).max(MAX_BODY_BYTES).default(MAX_BODY_BYTES),
  /** Without it a trigger keeps the state it has; a new one is active. */
  state: z.enum(["active", "paused"]).optional(),
});

type Draft = z.output<typeof baseSchema>;
type Complain = (path: string | readonly string[], message: string) => void;

const SECRET_REF = /^([^/@\s]+)\/([^/@\s]+)(?:@(\d+))?$/;

const variablePart = (text: string): string => text.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_");

/**
 * The variable of the deployment that a `secret_ref` names: `GODWIT_SECRET_<NAMESPACE>_<NAME>`, with `_V<version>` for
 * one version, every run of other characters as `_` (spec/triggers 5.9).
 */
export const secretVariable = (reference: string): string => {
  const [, namespace = "", secret = "", version] = SECRET_REF.exec(reference) ?? [];
  const suffix = version === undefined ? "" : `_V${version}`;
  return `GODWIT_SECRET_${variablePart(namespace)}_${variablePart(secret)}${suffix}`;
};

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2,3}={0,2}|[A-Za-z0-9+/]{4})$/;

const checkSecret = (draft: Draft, complain: Complain): void => {
  const { provider, secret, secret_ref: reference } = draft;
  if (secret !== undefined && reference !== undefined)
    complain("secret_ref", "give `secret` or `secret_ref`, not both");
  const required = requiredSecret(draft);
  if (secret === undefined && reference === undefined && required !== null) {
    complain("secret", `provider '${provider}' requires secret '${required}'`);
  }
  if (reference !== undefined) {
    const namespace = SECRET_REF.exec(reference)?.[1];
    if (namespace === undefined) complain("secret_ref", "secret 'secret_ref' must use <namespace>/<name> syntax");
    else if (namespace !== provider) {
      complain("secret_ref", `secret 'secret_ref' uses namespace '${namespace}' but provider is '${provider}'`);
    }
  }
  // Found here, because otherwise every delivery would be refused for a secret that nobody looks at any more.
  const problem = secret === undefined ? null : secretProblem(draft, secret);
  if (problem !== null) complain("secret", problem);
};

/** Why a secret can never verify the deliveries of this sender, or null when it can. */
export const secretProblem = (
  definition: Pick<Draft, "provider" | "signature_scheme">,
  secret: string,
): string | null => {
  const isStandard = definition.provider === "webhook" && (definition.signature_scheme ?? "standard") === "standard";
  return isStandard && !BASE64.test(secret.replace(/^whsec_/, ""))
    ? "the secret of a Standard Webhooks sender is base64, with or without `whsec_`"
    : null;
};

/** Options that say what only the dispatch of an event can say. */
const RESERVED_OPTIONS = ["trigger_event", "trigger_id", "replay_of_event_id", "resume_run", "replay_run"] as const;

const checkOptions = (draft: Draft, complain: Complain): void => {
  const { options = {} } = draft.handler;
  for (const key of RESERVED_OPTIONS) {
    if (Object.hasOwn(options, key)) complain(["handler", "options", key], `\`${key}\` cannot be given for a trigger`);
  }
  const decoded = decodeRunOptions(options);
  if (decoded.ok) return;
  for (const { path, message } of decoded.error.issues) {
    complain(["handler", "options", ...(path === "." ? [] : [path])], message);
  }
};

const checkSize = (draft: Draft, complain: Complain): void => {
  const { length } = JSON.stringify(draft);
  if (length > MAX_DEFINITION_LENGTH) {
    complain([], `the definition has ${length} characters as JSON, more than ${MAX_DEFINITION_LENGTH}`);
  }
};

/** The body of `PUT /v1/triggers/{id}` (spec/triggers 5.1). Keys that would have no effect are refused, not ignored. */
export const triggerDefinitionSchema = baseSchema
  .superRefine((draft, context) => {
    const complain: Complain = (path, message) =>
      context.addIssue({ code: "custom", path: typeof path === "string" ? [path] : [...path], message });
    checkAuth(draft, complain);
    checkSecret(draft, complain);
    checkOptions(draft, complain);
    checkSize(draft, complain);
  })
  .readonly();

/** A trigger as its owner writes it, with defaults filled in and the secret still in it. */
export type TriggerDefinition = z.output<typeof triggerDefinitionSchema>;

/** A definition as it is stored and shown: without the secret, and without the state, which has its own history. */
export const storedDefinitionSchema = baseSchema.omit({ secret: true, state: true }).readonly();

/** A trigger as it is stored and shown; the secret is never in it. */
export type StoredDefinition = z.output<typeof storedDefinitionSchema>;

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
    /** `superseded` for every version but the current one. */
    state: z.enum([...triggerStates, "superseded"]),
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

/** The answer of `GET /v1/triggers/{id}`. */
export const triggerReportSchema = triggerViewSchema
  .unwrap()
  .extend({ rejections: z.array(rejectionCountSchema).readonly().describe("Refused deliveries, newest minute first") })
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

import * as z from "zod";
import type { Json } from "../lib/json.ts";
import { pageOf, time } from "./api.ts";
import { json } from "./lenient.ts";
import { decodeRunOptions } from "./run.ts";
import { bodyRetentionSchema, rawBodyRefSchema } from "./trigger-body.ts";

/**
 * Largest body a trigger may take, in bytes: a run shows its event several times over, and one call between objects
 * carries 32 MiB.
 */
export const MAX_BODY_BYTES = 2_097_152;

const DEFAULT_BODY_BYTES = 1_048_576;

const MAX_RETENTION_DAYS = 36_500;

/** Every event keeps the definition it was accepted under, in a row of its own. */
const MAX_DEFINITION_LENGTH = 65_536;

const providers = ["github", "webhook"] as const;
const schemes = ["github", "standard", "stripe", "slack", "canonical"] as const;

/** A provider that a trigger can listen to. */
export type TriggerProvider = (typeof providers)[number];

/** A way to sign deliveries (spec/triggers 19.2). */
export type SignatureSchemeName = (typeof schemes)[number];

/** Keys of spec/triggers 5.1 that this version does not act on. They are refused: a limit that is ignored is no limit. */
const NOT_AVAILABLE: ReadonlySet<string> = new Set(
  (
    "when when_budget autonomy_tier tier dedupe_key filter retry priority budget concurrency throttle rate_limit " +
    "debounce singleton batch window dlq_alerts secrets sources path schedule timezone catchup_mode retention_days " +
    "allow_cleartext poll a2a_push topic subject slot function a2a worker persona"
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
  provider: z.enum(providers, { error: (issue) => `provider '${String(issue.input)}' is not registered` }),
  kind: z.string().default("webhook"),
  /** Write-only: no answer ever shows it. */
  secret: z.string().min(1).max(1000).optional(),
  /** `<namespace>/<name>[@<version>]`: a secret of the deployment, see `secretVariable` (spec/triggers 5.9). */
  secret_ref: z.string().min(1).max(1000).optional(),
  /** One or two of those, all of them valid: so they are rotated. */
  secret_refs: z.array(z.string().min(1).max(1000)).min(1).max(2).readonly().optional(),
  signature_scheme: z.enum(schemes).optional(),
  match: matchSchema.default({}),
  handler: handlerSchema,
  /** Name of the sender, shown in the payload of a generic webhook. */
  source: name.optional(),
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
  /** How many days the exact bytes of deliveries are kept: 30 unless given, 0 for not at all. */
  body_retention_days: bodyRetentionSchema.optional(),
  max_body_bytes: z.number().int().min(1).max(MAX_BODY_BYTES).default(DEFAULT_BODY_BYTES),
  /** Without it a trigger keeps the state it has; a new one is active. */
  state: z.enum(["active", "paused"]).optional(),
});

type Draft = z.output<typeof baseSchema>;
type Complain = (path: string | readonly (string | number)[], message: string) => void;

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

type References = Pick<Draft, "secret_ref" | "secret_refs">;

/** The secrets of the deployment that a definition names, each valid (spec/triggers 5.9). */
export const secretReferences = ({ secret_ref: one, secret_refs: several = [] }: References): readonly string[] =>
  one === undefined ? several : [one, ...several];

const checkReferences = (draft: Draft, complain: Complain): void => {
  const { provider, secret, secret_ref: one, secret_refs: several } = draft;
  if (secret !== undefined && one !== undefined) complain("secret_ref", "give `secret` or `secret_ref`, not both");
  if (several !== undefined && (secret !== undefined || one !== undefined)) {
    complain("secret_refs", "give `secret`, `secret_ref` or `secret_refs`, not two of them");
  }
  for (const [index, reference] of secretReferences(draft).entries()) {
    const field = one === undefined ? "secret_refs" : "secret_ref";
    const at = one === undefined ? [field, index] : field;
    const namespace = SECRET_REF.exec(reference)?.[1];
    if (namespace === undefined) complain(at, `secret '${field}' must use <namespace>/<name> syntax`);
    else if (namespace !== provider) {
      complain(at, `secret '${field}' uses namespace '${namespace}' but provider is '${provider}'`);
    }
  }
};

const checkSecret = (draft: Draft, complain: Complain): void => {
  const { provider, secret } = draft;
  checkReferences(draft, complain);
  if (secret === undefined && secretReferences(draft).length === 0) {
    complain("secret", `provider '${provider}' requires secret '${provider}/signing_secret'`);
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

const checkProvider = (draft: Draft, complain: Complain): void => {
  const { provider, kind } = draft;
  if (kind !== "webhook") complain("kind", `provider '${provider}' does not support trigger kind '${kind}'`);
  if (provider !== "github") return;
  if ((draft.signature_scheme ?? "github") !== "github") {
    complain("signature_scheme", "provider 'github' is signed with the scheme `github`");
  }
  if (draft.source !== undefined) complain("source", "`source` is for provider 'webhook'");
};

/** The body of `PUT /v1/triggers/{id}` (spec/triggers 5.1). Keys that would have no effect are refused, not ignored. */
export const triggerDefinitionSchema = baseSchema
  .superRefine((draft, context) => {
    const complain: Complain = (path, message) =>
      context.addIssue({ code: "custom", path: typeof path === "string" ? [path] : [...path], message });
    checkProvider(draft, complain);
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

/** The answer of `GET /v1/triggers/{id}`. */
export const triggerReportSchema = triggerViewSchema
  .unwrap()
  .extend({
    secrets: triggerSecretsSchema,
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

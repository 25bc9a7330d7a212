import * as z from "zod";
import { triggerKindOf } from "../lib/trigger-kind.ts";
import { definitionObject } from "./definition-object.ts";
import { authShape, checkAuth, INBOUND_PROVIDERS, requiredSecret } from "./trigger-auth.ts";
import { bodyRetentionSchema } from "./trigger-body.ts";
import { checkCron, checkNotCron, cronFields } from "./trigger-cron.ts";
import { checkFlow, flowShape } from "./trigger-flow.ts";
import { checkHandler, handlerSchema } from "./trigger-handler.ts";
import { checkPath, pathShape } from "./trigger-path.ts";
import { checkRules, ruleShape } from "./trigger-rules.ts";

/**
 * Largest body a trigger may take, in bytes: a run shows its event several times over, and one call between objects
 * carries 32 MiB.
 */
export const MAX_BODY_BYTES = 2_097_152;

const DEFAULT_BODY_BYTES = 1_048_576;

const MAX_RETENTION_DAYS = 36_500;

/** Definitions are shown, listed and kept for ever, one for each version. */
const MAX_DEFINITION_LENGTH = 65_536;

/** Every provider of events: those that deliver over HTTP, the schedule, and events that are fired by hand. */
const PROVIDERS = [...INBOUND_PROVIDERS, "cron", "manual"] as const;

const name = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => text.isWellFormed(), "must not contain lone surrogates");
/** Id of a trigger: it is part of the address of its hook. */
export const triggerIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, "a trigger id has 1 to 128 letters, digits, `.`, `_` and `-`");

const matchSchema = definitionObject({
  /** Kinds to handle; none means all (spec/triggers 5.1). */
  events: z.array(name).max(100).readonly().optional(),
  /** Another name of `path`, which is where it is kept. */
  ...pathShape,
}).readonly();

const baseSchema = definitionObject({
  provider: z.enum(PROVIDERS, {
    error: ({ input }) =>
      input === undefined ? "trigger table missing provider" : `provider '${String(input)}' is not registered`,
  }),
  /** What the provider's name says without it: `webhook`, `a2a-push`, `cron` or `manual`. */
  kind: z.string().optional(),
  /** Write-only: no answer ever shows it. */
  secret: z.string().min(1).max(1000).optional(),
  /** `<namespace>/<name>[@<version>]`: a secret of the deployment, see `secretVariable` (spec/triggers 5.9). */
  secret_ref: z.string().min(1).max(1000).optional(),
  /** One or two of those, all of them valid: so they are rotated. */
  secret_refs: z.array(z.string().min(1).max(1000)).min(1).max(2).readonly().optional(),
  ...authShape,
  ...ruleShape,
  ...flowShape,
  ...cronFields,
  /** Lets a remote agent be called without TLS; may also stand in the handler. */
  allow_cleartext: z.boolean().optional(),
  match: matchSchema.default({}),
  /** Where deliveries come in, beside the trigger's hook; `/triggers/<id>` without it (spec/triggers 20.1). */
  ...pathShape,
  handler: handlerSchema,
  /** How many objects take deliveries in and dispatch them, by dedupe key; one unless told otherwise. */
  shards: z.number().int().min(1).max(64).optional(),
  /** Without `retention_days` a dedupe key is claimed for ever. */
  dedupe: definitionObject({
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
  const isInbound = provider !== "cron" && provider !== "manual";
  const hasSecret = secret !== undefined || secretReferences(draft).length > 0;
  const required = isInbound ? requiredSecret(draft) : null;
  if (!hasSecret && required !== null) complain("secret", `provider '${provider}' requires secret '${required}'`);
  if (hasSecret && !isInbound) complain("secret", `provider '${provider}' takes no deliveries and needs no secret`);
  // Found here, because otherwise every delivery would be refused for a secret that nobody looks at any more.
  const problem = secret === undefined ? null : secretProblem(draft, secret);
  if (problem !== null) complain("secret", problem);
};

/** Why a secret can never verify the deliveries of this sender, or null when it can. */
export const secretProblem = (
  definition: Pick<Draft, "provider" | "signature_scheme">,
  secret: string,
): string | null => {
  if (definition.provider !== "webhook") return null;
  const scheme = definition.signature_scheme ?? "standard";
  if (scheme === "standard" && !BASE64.test(secret.replace(/^whsec_/, "")))
    return "the secret of a Standard Webhooks sender is base64, with or without `whsec_`";
  return (scheme === "bearer" && /\s/.test(secret)) || (scheme === "api_key" && secret !== secret.trim())
    ? "white space in it does not survive the header it is sent in"
    : null;
};

const checkProvider = (draft: Draft, complain: Complain): void => {
  const { provider } = draft;
  const kind = triggerKindOf(draft);
  if (provider === "cron") checkCron(draft, complain);
  else checkNotCron(draft, complain);
  if (provider !== "cron" && provider !== "manual") checkAuth({ ...draft, kind }, complain);
  else if (kind !== provider) complain("kind", `provider '${provider}' does not support trigger kind '${kind}'`);
};

const checkSize = (draft: Draft, complain: Complain): void => {
  const { length } = JSON.stringify(draft);
  if (length > MAX_DEFINITION_LENGTH) {
    complain([], `the definition has ${length} characters as JSON, more than ${MAX_DEFINITION_LENGTH}`);
  }
};

/** What acts on the outside by itself is not held back by what a run may do. */
const checkTier = (draft: Draft, complain: Complain): void => {
  const tier = draft.autonomy_tier ?? draft.tier ?? "act_auto";
  const { http, a2a, queue, auto_resume, uri = "" } = draft.handler;
  const acts =
    auto_resume !== undefined ||
    http !== undefined ||
    a2a !== undefined ||
    queue !== undefined ||
    /^(?:a2a|worker):/.test(uri);
  if (tier !== "act_auto" && acts)
    complain(
      "autonomy_tier",
      `tier '${tier}' lets nothing act on the outside: give the handler a workflow or a function`,
    );
};

const checkShards = ({ shards = 1, batch, provider }: Draft, complain: Complain): void => {
  if (shards > 1 && provider === "cron") complain("shards", "a schedule has one object: leave `shards` out");
  if (shards > 1 && batch !== undefined)
    complain("shards", "a batch needs all its events in one object: leave `shards` out");
};

/** A definition with its path where it is kept, whichever name it was given under (spec/triggers 5.5). */
const withOnePath = (draft: Draft): Draft => {
  const { path: alias, ...match } = draft.match;
  return alias === undefined ? draft : { ...draft, path: alias, match };
};

/** The body of `PUT /v1/triggers/{id}` (spec/triggers 5.1, 5.7). Keys that would have no effect are refused, not ignored. */
export const triggerDefinitionSchema = baseSchema
  .superRefine((draft, context) => {
    const complain: Complain = (path, message) =>
      context.addIssue({ code: "custom", path: typeof path === "string" ? [path] : [...path], message });
    checkProvider(draft, complain);
    checkSecret(draft, complain);
    checkHandler(draft.handler, (path, message) => complain(["handler", ...path], message), draft);
    checkRules(draft, complain);
    checkFlow(draft, complain);
    checkTier(draft, complain);
    checkPath(draft, complain);
    checkShards(draft, complain);
    checkSize(draft, complain);
  })
  .transform(withOnePath)
  .readonly();

/** A trigger as its owner writes it, with defaults filled in and the secret still in it. */
export type TriggerDefinition = z.output<typeof triggerDefinitionSchema>;

/** A definition as it is stored and shown: without the secret, and without the state, which has its own history. */
export const storedDefinitionSchema = baseSchema.omit({ secret: true, state: true }).readonly();

/** A trigger as it is stored and shown; the secret is never in it. */
export type StoredDefinition = z.output<typeof storedDefinitionSchema>;

import * as z from "zod";
import { json } from "./lenient.ts";

/** Providers that take deliveries in over HTTP (spec/triggers 4.5). */
export const INBOUND_PROVIDERS = ["github", "slack", "linear", "notion", "stripe", "webhook", "a2a-push"] as const;

/** A provider that delivers over HTTP. */
export type InboundProvider = (typeof INBOUND_PROVIDERS)[number];

/** How a generic webhook may be signed: five known schemes (spec/triggers 19.2), any other HMAC, or a fixed secret. */
export const SIGNATURE_SCHEME_NAMES = [
  "github",
  "standard",
  "stripe",
  "slack",
  "canonical",
  "hmac",
  "bearer",
  "api_key",
] as const;

/** A way to sign deliveries. */
export type SignatureSchemeName = (typeof SIGNATURE_SCHEME_NAMES)[number];

const MAX_TOLERANCE_SECS = 86_400;

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
const headerName = z.string().regex(HEADER_NAME, "is not the name of a header");
const seconds = z.number().int().min(0).max(MAX_TOLERANCE_SECS);
const HTTPS = /^https:\/\/[^\s/?#@]+(?:[/?][^\s#]*)?$/i;
const text = z.string().min(1).max(1000);

const hmacSchema = z
  .strictObject({
    /** The header with the signature. */
    header: headerName,
    /** What stands before the signature, such as `sha256=`. */
    prefix: z.string().max(100).optional(),
    encoding: z.enum(["hex", "base64"]).default("hex"),
    /** The header with the time in unix seconds; without it there is no window. */
    timestamp_header: headerName.optional(),
    /** The window in seconds, either way; five minutes unless told otherwise. */
    tolerance: seconds.optional(),
    /** What is signed: `{timestamp}` and `{body}` are filled in. The body alone, or `{timestamp}.{body}` with a time. */
    message: z.string().min(1).max(200).optional(),
  })
  .readonly();

/** Settings of the generic HMAC scheme. */
export type HmacSettings = z.output<typeof hmacSchema>;

const AUTH_SCHEMES = ["jwt", "bearer-jwt", "bearer", "bearer-token", "api-key", "none", "unsigned"] as const;

const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;

const pushSchema = z
  .strictObject({
    auth_scheme: z
      .enum(AUTH_SCHEMES, { error: (issue) => `unsupported a2a-push auth_scheme \`${String(issue.input)}\`` })
      .optional(),
    expected_iss: text.optional(),
    expected_aud: text.optional(),
    jwks_url: z.string().max(1000).optional(),
    /** Keys that are known beforehand, instead of `jwks_url`. */
    jwks: z
      .strictObject({ keys: z.array(z.record(z.string(), json)).min(1).max(20).readonly() })
      .readonly()
      .optional(),
    /** Algorithms to accept; without it the one of the key. */
    algorithms: z.array(z.enum(ALGORITHMS)).min(1).readonly().optional(),
  })
  .readonly();

/** How pushes of other agents are authorised (spec/triggers 19.5). */
export type PushSettings = z.output<typeof pushSchema>;

/** The keys of a definition that say how deliveries are verified, read and answered (spec/triggers 19, 20). */
export const authShape = {
  signature_scheme: z.enum(SIGNATURE_SCHEME_NAMES).optional(),
  /** For the scheme `hmac`. */
  hmac: hmacSchema.optional(),
  /** For the scheme `api_key`: the header with the secret, `x-api-key` unless told otherwise. */
  api_key_header: headerName.optional(),
  /** The window of a signature's time in seconds, either way, for schemes that have one. */
  tolerance_secs: seconds.optional(),
  /** Name of the sender, shown in the payload of a generic webhook. */
  source: text.max(200).optional(),
  /** The body of a generic webhook is a list, and each of its items an event. */
  split_batches: z.boolean().optional(),
  /** Linear: seconds added to its window of one minute; 15 unless told otherwise. */
  replay_grace_secs: seconds.optional(),
  a2a_push: pushSchema.optional(),
  /** Values of the header `Origin` that are let in; none means all (spec/triggers 20.2). */
  allowed_origins: z.array(text).max(100).readonly().optional(),
  /** Deliveries a minute, as a bucket that starts full (spec/triggers 20.4); approximate. */
  ingest_per_minute: z.number().int().min(1).max(1_000_000).optional(),
  /** `harn`: answers, statuses and kinds of the original (spec/triggers 20.5). */
  compatibility: z.literal("harn").optional(),
};

const authSchema = z.object(authShape);

/** The settings of a trigger that say how its deliveries are verified, read and answered. */
export type AuthSettings = Partial<z.output<typeof authSchema>>;

/** What the checks look at. */
export interface AuthDraft extends AuthSettings {
  readonly provider: string;
  readonly kind: string;
  readonly secret?: string | undefined;
  readonly secret_ref?: string | undefined;
}

type Complain = (path: string | readonly string[], message: string) => void;

const isSigned = ({ auth_scheme: scheme }: PushSettings): boolean =>
  scheme === undefined || scheme === "jwt" || scheme === "bearer-jwt";

/** Whether an agent's push is verified by a secret of the trigger, and not by a token of the agent or not at all. */
const pushNeedsSecret = (push: PushSettings | undefined): boolean =>
  push === undefined || (!isSigned(push) && push.auth_scheme !== "none" && push.auth_scheme !== "unsigned");

/** The secret that a provider's trigger must have; null where there is none yet (Notion), or where none is used. */
export const requiredSecret = (draft: Pick<AuthDraft, "provider" | "a2a_push">): string | null => {
  if (draft.provider === "notion") return null;
  if (draft.provider !== "a2a-push") return `${draft.provider}/signing_secret`;
  return pushNeedsSecret(draft.a2a_push) ? "a2a-push/expected_token" : null;
};

const checkScheme = (draft: AuthDraft, complain: Complain): void => {
  const { provider, signature_scheme: scheme } = draft;
  if (provider !== "webhook") {
    if ((scheme ?? provider) !== provider)
      complain("signature_scheme", `provider '${provider}' is signed with the scheme \`${provider}\``);
    for (const key of ["source", "hmac", "api_key_header", "split_batches"] as const)
      if (draft[key] !== undefined) complain(key, `\`${key}\` is for provider 'webhook'`);
    return;
  }
  if (scheme === "hmac" && draft.hmac === undefined) complain("hmac", "the scheme `hmac` requires `hmac.header`");
  if (scheme !== "hmac" && draft.hmac !== undefined) complain("hmac", "`hmac` is for the scheme `hmac`");
  if (scheme !== "api_key" && draft.api_key_header !== undefined)
    complain("api_key_header", "`api_key_header` is for the scheme `api_key`");
  const message = draft.hmac?.message;
  if (message !== undefined && message.split("{body}").length !== 2)
    complain(["hmac", "message"], "must contain `{body}` once");
  if (message !== undefined && draft.hmac?.timestamp_header === undefined && message.includes("{timestamp}"))
    complain(["hmac", "timestamp_header"], "`{timestamp}` requires it");
  if (message !== undefined && draft.hmac?.timestamp_header !== undefined && !message.includes("{timestamp}"))
    complain(["hmac", "message"], "must contain `{timestamp}`, because a time that is not signed proves nothing");
};

const checkPush = (draft: AuthDraft, complain: Complain): void => {
  const { provider, a2a_push: push } = draft;
  if (push === undefined) return;
  if (provider !== "a2a-push") {
    complain("a2a_push", "`a2a_push` is for provider 'a2a-push'");
    return;
  }
  if (!isSigned(push)) return;
  for (const key of ["expected_iss", "expected_aud"] as const)
    if (push[key] === undefined) complain(["a2a_push", key], `a2a-push requires a2a_push.${key} for JWT auth`);
  if (push.jwks_url === undefined && push.jwks === undefined)
    complain(["a2a_push", "jwks_url"], "a2a-push requires a2a_push.jwks_url for JWT auth");
  if (push.jwks_url !== undefined && push.jwks !== undefined)
    complain(["a2a_push", "jwks_url"], "give `jwks` or `jwks_url`, not both");
  // Definitions are shown: what is in one is no secret.
  if (push.jwks?.keys.some((key) => key["kty"] === "oct" || Object.hasOwn(key, "d")) === true)
    complain(["a2a_push", "jwks"], "must contain public keys only");
  if (push.jwks_url !== undefined && !HTTPS.test(push.jwks_url))
    complain(["a2a_push", "jwks_url"], "must be an https address");
};

/** Checks the provider and the keys of `authShape` (spec/triggers 5.7); secrets are checked with the definition. */
export const checkAuth = (draft: AuthDraft, complain: Complain): void => {
  const { provider, kind } = draft;
  const takes = provider === "a2a-push" ? "a2a-push" : "webhook";
  if (kind !== takes) complain("kind", `provider '${provider}' does not support trigger kind '${kind}'`);
  checkScheme(draft, complain);
  checkPush(draft, complain);
  if (provider !== "linear" && draft.replay_grace_secs !== undefined)
    complain("replay_grace_secs", "`replay_grace_secs` is for provider 'linear'");
  const hasWindow =
    provider === "slack" ||
    provider === "stripe" ||
    (provider === "webhook" &&
      ["standard", "stripe", "slack", "canonical"].includes(draft.signature_scheme ?? "standard"));
  if (draft.tolerance_secs !== undefined && !hasWindow)
    complain("tolerance_secs", "`tolerance_secs` is for schemes with a timestamp");
};

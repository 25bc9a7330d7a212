import type { Json } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { PushSettings } from "../schema/trigger-auth.ts";
import { pushKind, pushPayload } from "./a2a-push-payload.ts";
import { anyBody, bodyDigest, eventOf, fieldOf, firstText, momentIn, nameText, pathOf } from "./body.ts";
import {
  type Connector,
  type ConnectorBinding,
  contentOf,
  type Proof,
  PROVEN,
  type SignedRequest,
} from "./connector.ts";
import { anySecretEquals } from "./hmac.ts";
import { verifyPushToken } from "./push-token.ts";
import { canonicalSignature } from "./signature-canonical.ts";
import { apiKeySignature, bearerSignature } from "./signature-token.ts";
import { activation, invalidSignature, type SignatureStyle, type WebhookError } from "./webhook-error.ts";

/** As the original has them in one place with the rest; a definition keeps the token as its secret. */
export type PushBinding = PushSettings & { readonly expected_token?: string | undefined };

type Mode = "jwt" | "bearer" | "api_key" | "none" | "credentials";

const settingsOf = (binding: ConnectorBinding): PushBinding => binding.a2a_push ?? {};

/** How pushes are authorised; without any setting by the trigger's secret, as key or as signature (spec/triggers 20.3). */
const modeOf = (binding: ConnectorBinding): Mode => {
  const settings = settingsOf(binding);
  if (Object.values(settings).every((value) => value === undefined)) {
    return binding.compatibility === "harn" ? "none" : "credentials";
  }
  switch (settings.auth_scheme) {
    case undefined:
    case "jwt":
    case "bearer-jwt":
      return "jwt";
    case "bearer":
    case "bearer-token":
      return "bearer";
    case "api-key":
      return "api_key";
    case "none":
    case "unsigned":
      return "none";
  }
};

const STYLES: Readonly<Record<Mode, SignatureStyle>> = {
  jwt: "jwt",
  bearer: "bearer",
  api_key: "api_key",
  none: "none",
  credentials: "canonical_request",
};

const tokensOf = (request: SignedRequest, binding: ConnectorBinding): readonly string[] => {
  const { expected_token: token } = settingsOf(binding);
  return token === undefined ? request.secrets : [token, ...request.secrets];
};

/** An api key is a header of its own or a bearer token; anything else has to sign the request. */
const verifyCredentials = (request: SignedRequest): Promise<Result<unknown, WebhookError>> => {
  if (request.headers["x-api-key"] !== undefined) return apiKeySignature().verify(request);
  const isBearer = /^bearer /i.test(request.headers["authorization"]?.trim() ?? "");
  return (isBearer ? bearerSignature : canonicalSignature).verify(request);
};

const bodyOf = (request: SignedRequest): Result<Json, WebhookError> => {
  const content = contentOf(request);
  return content.ok ? ok(anyBody(content.value, request.headers)) : content;
};

/** The trigger's token, where it has one beside the keys, comes as a claim, as a header or in the body. */
const tokenMatches = async (request: SignedRequest, proof: Proof, expected: readonly string[]): Promise<boolean> => {
  if (expected.length === 0) return true;
  const body = bodyOf(request);
  const given = firstText(
    fieldOf(proof.token?.claims ?? {}, "token"),
    request.headers["x-a2a-token"],
    fieldOf(body.ok ? body.value : null, "token"),
  );
  return given !== null && anySecretEquals(expected, given);
};

const activate = (binding: ConnectorBinding): WebhookError | null => {
  const settings = settingsOf(binding);
  const name = `a2a-push binding \`${binding.id ?? "a2a-push"}\``;
  const mode = modeOf(binding);
  if (mode === undefined) return activation(`unsupported a2a-push auth_scheme \`${String(settings.auth_scheme)}\``);
  if (mode === "jwt") {
    for (const key of ["expected_iss", "expected_aud"] as const)
      if (settings[key] === undefined) return activation(`${name} requires a2a_push.${key} for JWT auth`);
    if (settings.jwks_url === undefined && settings.jwks === undefined)
      return activation(`${name} requires a2a_push.jwks_url for JWT auth`);
  }
  if (
    binding.compatibility === "harn" &&
    (mode === "bearer" || mode === "api_key") &&
    settings.expected_token === undefined
  )
    return activation(`${name} requires a2a_push.expected_token for bearer-token auth`);
  return null;
};

/** The refusal of a token that was used before (spec/triggers 19.5). */
export const duplicateToken = (jti: string): WebhookError => ({
  kind: "duplicate_delivery",
  message: `a2a-push JWT jti \`${jti}\` has already been accepted`,
});

/** Pushes of other agents (spec/triggers 19.5). */
export const a2aPush: Connector = {
  provider: "a2a-push",
  style: (binding) => STYLES[modeOf(binding)],
  needsSecret: (binding) => ["bearer", "api_key", "credentials"].includes(modeOf(binding)),
  activate,
  verify: async (request, binding, surroundings) => {
    const mode = modeOf(binding);
    if (mode === "none") return ok({ status: { state: "unsigned" } });
    const secrets = tokensOf(request, binding);
    if (mode === "jwt") {
      const token = await verifyPushToken(request, settingsOf(binding), surroundings);
      if (!token.ok) return token;
      const proof: Proof = { ...PROVEN, token: token.value };
      const matches = await tokenMatches(request, proof, secrets);
      return matches ? ok(proof) : err(invalidSignature("a2a-push token did not match"));
    }
    const signed = { ...request, secrets };
    const isKey = mode === "api_key" && request.headers["x-api-key"] !== undefined;
    const scheme = isKey ? apiKeySignature() : bearerSignature;
    const verdict = await (mode === "credentials" ? verifyCredentials(signed) : scheme.verify(signed));
    return verdict.ok ? ok(PROVEN) : verdict;
  },
  normalise: async (request, binding, proof) => {
    const body = bodyOf(request);
    if (!body.ok) return body;
    const raw = body.value;
    const isBuiltIn = binding.compatibility === "harn" && binding.a2a_push === undefined;
    const delivery = isBuiltIn ? nameText(request.headers["x-a2a-delivery"]) : null;
    const at =
      momentIn(fieldOf(raw, "timestamp")) ??
      momentIn(pathOf(raw, "statusUpdate", "metadata", "timestamp")) ??
      momentIn(pathOf(raw, "artifactUpdate", "metadata", "timestamp"));
    return ok(
      eventOf(request, proof, {
        provider: "a2a-push",
        kind: isBuiltIn ? "push" : (nameText(pushKind(raw)) ?? "a2a.task.update"),
        occurred_at: at,
        dedupe_key: proof.token?.jti ?? delivery ?? (await bodyDigest(request.body)),
        provider_payload: pushPayload(raw, proof.token?.claims),
      }),
    );
  },
};

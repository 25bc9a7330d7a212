import { decodeProtectedHeader, errors, importJWK, type JWK, jwtVerify, type JWTPayload } from "jose";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { PushSettings } from "../schema/trigger-auth.ts";
import type { PushToken, SignedRequest, Surroundings } from "./connector.ts";
import { bearerToken } from "./signature-token.ts";
import { invalidHeader, invalidSignature, missingHeader, type WebhookError } from "./webhook-error.ts";

const HEADER = "authorization";
const IAT_LEEWAY_SECS = 60;
const MAX_NAME_LENGTH = 256;

/** What a key can sign with, so that no token chooses how it is verified (spec/triggers 25 #23). */
const OF_KEY: Readonly<Record<string, readonly string[]>> = {
  RSA: ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  "EC P-256": ["ES256"],
  "EC P-384": ["ES384"],
  "EC P-521": ["ES512"],
  "OKP Ed25519": ["EdDSA", "Ed25519"],
  oct: ["HS256", "HS384", "HS512"],
};

/** The algorithms to accept for a key: those of its type, its own where it names one, and those of the trigger. */
const algorithmsFor = (key: JsonObject, settings: PushSettings): readonly string[] => {
  const { kty, crv, alg } = key;
  const type = kty === "EC" || kty === "OKP" ? `${kty} ${String(crv)}` : String(kty);
  const possible = Object.hasOwn(OF_KEY, type) ? (OF_KEY[type] ?? []) : [];
  const own = typeof alg === "string" ? possible.filter((name) => name === alg) : possible;
  const allowed: readonly string[] | undefined = settings.algorithms;
  return allowed === undefined ? own : own.filter((name) => allowed.includes(name));
};

const refused = (message: string): WebhookError => invalidSignature(`a2a-push JWT ${message}`);

interface Head {
  readonly kid: string | null;
  readonly alg: string;
}

const headOf = (token: string): Result<Head, WebhookError> => {
  try {
    const { kid, alg } = decodeProtectedHeader(token);
    if (typeof alg !== "string") return err(refused("has no algorithm"));
    return ok({ kid: typeof kid === "string" ? kid.slice(0, MAX_NAME_LENGTH) : null, alg });
  } catch {
    return err(refused("is malformed"));
  }
};

const keyIn = (keys: readonly Json[], kid: string | null): JsonObject | null => {
  const usable = keys.filter(isObject).filter((key) => key["use"] === undefined || key["use"] === "sig");
  if (kid === null) return usable.length === 1 ? (usable[0] ?? null) : null;
  return usable.find((key) => key["kid"] === kid) ?? null;
};

/** The key of a token. Keys behind an address are read once more when they have none with its id (spec/triggers 25). */
const findKey = async (
  kid: string | null,
  settings: PushSettings,
  { keys }: Surroundings,
): Promise<Result<JsonObject, WebhookError>> => {
  const missing = refused(
    kid === null ? "has no kid, and the JWKS has not one key" : `kid \`${kid}\` was not found in JWKS`,
  );
  const { jwks, jwks_url: url } = settings;
  if (jwks !== undefined || url === undefined) {
    const key = keyIn(jwks?.keys ?? [], kid);
    return key === null ? err(missing) : ok(key);
  }
  for (const refresh of [false, true]) {
    const known = await keys(url, { refresh });
    if (known === null) return err({ kind: "unavailable", message: "the JWKS of the a2a-push trigger cannot be read" });
    // A symmetric key that anybody can read proves nothing.
    const key = keyIn(
      known.filter((one) => isObject(one) && one["kty"] !== "oct"),
      kid,
    );
    if (key !== null) return ok(key);
  }
  return err(missing);
};

const whyRefused = (error: unknown): WebhookError => {
  if (error instanceof errors.JWTExpired) return refused("exp is not in the future");
  if (error instanceof errors.JWTClaimValidationFailed) {
    return refused(
      error.reason === "missing" ? `is missing ${error.claim}` : `claim ${error.claim} is not the expected one`,
    );
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return refused("signature did not match");
  if (error instanceof errors.JOSEAlgNotAllowed) return refused("has an algorithm that is not allowed");
  return refused("is malformed");
};

const tokenOf = (payload: JWTPayload, nowSecs: number): Result<PushToken, WebhookError> => {
  const { jti, exp, iat } = payload;
  // A text the error may show, and an index may hold.
  if (typeof jti !== "string" || jti === "") return err(refused("missing jti"));
  if (jti.length > MAX_NAME_LENGTH || !/^[\u0020-\u007e]+$/.test(jti))
    return err(refused("jti cannot be a dedupe key"));
  if (typeof exp !== "number" || exp <= nowSecs) return err(refused("exp is not in the future"));
  if (typeof iat !== "number") return err(refused("is missing iat"));
  if (iat > nowSecs + IAT_LEEWAY_SECS) return err(refused("iat is in the future"));
  return ok({ jti, expires_at_ms: exp * 1000, claims: payload as JsonObject });
};

/**
 * The token of a push: `Authorization: Bearer <JWT>` with exp, iat, jti, and the trigger's issuer and audience
 * (spec/triggers 19.5). Whether its jti is new is found out when the event is stored.
 */
export const verifyPushToken = async (
  request: SignedRequest,
  settings: PushSettings,
  surroundings: Surroundings,
): Promise<Result<PushToken, WebhookError>> => {
  const header = request.headers[HEADER];
  if (header === undefined) return err(missingHeader(HEADER));
  const token = bearerToken(header);
  if (token === null) return err(invalidHeader(HEADER, "expected Bearer scheme"));
  const head = headOf(token);
  if (!head.ok) return head;
  const key = await findKey(head.value.kid, settings, surroundings);
  if (!key.ok) return key;
  const algorithms = [...algorithmsFor(key.value, settings)];
  if (!algorithms.includes(head.value.alg)) return err(refused("has an algorithm that is not allowed"));
  const { expected_iss: issuer, expected_aud: audience } = settings;
  if (issuer === undefined || audience === undefined)
    return err(refused("cannot be verified without issuer and audience"));
  try {
    const verified = await jwtVerify(token, await importJWK(key.value as JWK, head.value.alg), {
      algorithms,
      issuer,
      audience,
      currentDate: new Date(request.now),
      requiredClaims: ["exp", "iat"],
    });
    return tokenOf(verified.payload, Math.floor(request.now / 1000));
  } catch (error) {
    return err(whyRefused(error));
  }
};

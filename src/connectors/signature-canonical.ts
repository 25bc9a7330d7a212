import { err } from "../lib/result.ts";
import type { SignedRequest } from "./connector.ts";
import { base64Bytes, hexText, utf8Bytes } from "./encoding.ts";
import { anyHmacMatches, sha256 } from "./hmac.ts";
import { checkWindow, DEFAULT_WINDOW_MS, unixSecondsOf, verified, type SignatureScheme } from "./signature.ts";
import { invalidHeader, invalidSignature, missingHeader } from "./webhook-error.ts";

const HEADER = "authorization";
const SCHEME = /^HMAC-SHA256(?:\s+(.*))?$/;

const paramsOf = (text: string): ReadonlyMap<string, string> => {
  const params = new Map<string, string>();
  for (const part of text.split(",")) {
    // Only the first `=` separates: the base64 of the signature may end with some.
    const at = part.indexOf("=");
    if (at > 0) params.set(part.slice(0, at).trim(), part.slice(at + 1).trim());
  }
  return params;
};

const canonicalText = async (request: SignedRequest, timestamp: string): Promise<string> => {
  const digest = hexText(await sha256(request.body));
  return [request.method.trim().toUpperCase(), request.path.trim(), timestamp, digest].join("\n");
};

/**
 * Canonical request: the base64 HMAC of method, path, timestamp and body digest, in
 * `authorization: HMAC-SHA256 timestamp=<s>,signature=<b64>` (spec/triggers 19.2).
 */
export const canonicalSignature: SignatureScheme = {
  style: "canonical_request",
  verify: async (request, windowMs = DEFAULT_WINDOW_MS) => {
    const header = request.headers[HEADER];
    if (header === undefined) return err(missingHeader(HEADER));
    const scheme = SCHEME.exec(header.trim());
    if (scheme === null) return err(invalidHeader(HEADER, "expected `HMAC-SHA256` authorization scheme"));
    const params = scheme[1]?.trim() ?? "";
    if (params === "") return err(invalidHeader(HEADER, "missing signature parameters"));
    const named = paramsOf(params);
    const timestamp = named.get("timestamp");
    if (timestamp === undefined) return err(invalidHeader(HEADER, "missing `timestamp=` parameter"));
    const seconds = unixSecondsOf(HEADER, timestamp);
    if (!seconds.ok) return seconds;
    const late = checkWindow(seconds.value, windowMs, request.now);
    if (late !== null) return err(late);
    const text = named.get("signature");
    if (text === undefined) return err(invalidHeader(HEADER, "missing `signature=` parameter"));
    const signature = base64Bytes(text);
    if (signature === null) return err(invalidHeader(HEADER, "the signature is not base64"));
    const message = [utf8Bytes(await canonicalText(request, timestamp))];
    const matches = await anyHmacMatches(request.secrets.map(utf8Bytes), message, [signature]);
    return matches ? verified : err(invalidSignature("signature did not match the canonical request"));
  },
};

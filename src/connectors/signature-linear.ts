import type { Json } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { fieldOf, jsonBody } from "./body.ts";
import { contentOf } from "./connector.ts";
import { hexBytes, utf8Bytes } from "./encoding.ts";
import { anyHmacMatches } from "./hmac.ts";
import { verified, type SignatureScheme } from "./signature.ts";
import { invalidHeader, invalidSignature, missingHeader, outOfWindow, type WebhookError } from "./webhook-error.ts";

const HEADER = "linear-signature";
const TIMESTAMP = "webhookTimestamp";
const WINDOW_SECS = 60;
const GRACE_SECS = 15;
const LATEST_MS = 8_640_000_000_000_000;

/** How far a delivery's own time may lie from now, either way: a minute and the grace (spec/triggers 19.2). */
export const linearWindowMs = (graceSecs = GRACE_SECS): number => (WINDOW_SECS + graceSecs) * 1000;

/** A moment in milliseconds, as a number or as its text; null when it is neither. */
export const millisOf = (value: Json | undefined): number | null => {
  const given = typeof value === "string" && /^[+-]?\d+$/.test(value.trim()) ? Number(value) : value;
  return typeof given === "number" && Number.isInteger(given) && Math.abs(given) <= LATEST_MS ? given : null;
};

const timestampIn = (body: Json): Result<number, WebhookError> => {
  const value = fieldOf(body, TIMESTAMP);
  if (value === undefined) return err(invalidHeader(TIMESTAMP, "missing from payload body"));
  const at = millisOf(value);
  return at === null ? err(invalidHeader(TIMESTAMP, "expected a time in milliseconds")) : ok(at);
};

/** Linear: the hex HMAC of the body in `linear-signature`, with the time within the body (spec/triggers 19.2). */
export const linearSignature: SignatureScheme = {
  style: "linear",
  verify: async (request, windowMs = linearWindowMs()) => {
    const content = contentOf(request);
    if (!content.ok) return content;
    const body = jsonBody(content.value);
    if (!body.ok) return body;
    const at = timestampIn(body.value);
    if (!at.ok) return at;
    if (Math.abs(request.now - at.value) > windowMs) return err(outOfWindow(at.value, windowMs, request.now));
    const header = request.headers[HEADER];
    if (header === undefined) return err(missingHeader(HEADER));
    const signature = hexBytes(header.trim());
    if (signature === null) return err(invalidHeader(HEADER, "the signature is not hexadecimal"));
    const matches = await anyHmacMatches(request.secrets.map(utf8Bytes), [request.body], [signature]);
    return matches ? verified : err(invalidSignature("signature did not match the raw request body"));
  },
};

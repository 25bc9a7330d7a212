import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { parseJson } from "../lib/json-text.ts";
import { err, type Result } from "../lib/result.ts";
import { LAST_MOMENT, rfc3339 } from "../lib/time.ts";
import type { NormalisedEvent } from "../schema/trigger.ts";
import type { Proof, SignedRequest } from "./connector.ts";
import { formBody, isForm } from "./content.ts";
import { base64Text, hexText, utf8Text } from "./encoding.ts";
import { redactHeaders } from "./headers.ts";
import { sha256 } from "./hmac.ts";
import { invalidJson, type WebhookError } from "./webhook-error.ts";

const MAX_DEPTH = 256;
const MAX_NAME_LENGTH = 256;

const isDeeperThan = (value: Json, limit: number): boolean => {
  const open: { readonly value: Json; readonly depth: number }[] = [{ value, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next.value !== "object" || next.value === null) continue;
    if (next.depth >= limit) return true;
    for (const child of Object.values<Json>(next.value)) open.push({ value: child, depth: next.depth + 1 });
  }
  return false;
};

/** Reads JSON text. What nests too deeply is refused here, because writing it down again would exhaust the stack. */
export const parsePayload = (text: string): Result<Json, WebhookError> => {
  const parsed = parseJson(text);
  if (!parsed.ok) return err(invalidJson("the request body is not valid JSON"));
  if (isDeeperThan(parsed.value, MAX_DEPTH))
    return err(invalidJson(`the request body nests deeper than ${MAX_DEPTH} levels`));
  return parsed;
};

/** Reads a JSON body. */
export const jsonBody = (bytes: Uint8Array): Result<Json, WebhookError> => {
  const text = utf8Text(bytes);
  return text === null ? err(invalidJson("the request body is not valid UTF-8")) : parsePayload(text);
};

/** A body that is not JSON, kept whole (spec/triggers 4.2). */
export const opaqueBody = (bytes: Uint8Array): JsonObject => ({
  raw_base64: base64Text(bytes),
  raw_utf8: utf8Text(bytes),
});

/** The dedupe key of a delivery that has no id of its own (spec/triggers 4.3). */
export const bodyDigest = async (bytes: Uint8Array): Promise<string> => `sha256:${hexText(await sha256(bytes))}`;

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/**
 * The value when it can be an id or a kind: a text that is not empty, not long enough to be an attack on an index, and
 * can be stored and compared as it is, which control characters and lone surrogates cannot.
 */
export const nameText = (value: Json | undefined): string | null => {
  if (typeof value !== "string" || value === "" || value.length > MAX_NAME_LENGTH) return null;
  return CONTROL.test(value) || !value.isWellFormed() ? null : value;
};

/** A field of a JSON object, or undefined. */
export const fieldOf = (value: Json | undefined, key: string): Json | undefined =>
  isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;

/** A text of a payload, or null for anything else. */
export const textOrNull = (value: Json | undefined): string | null => (typeof value === "string" ? value : null);

/** The first of the values that is a text. */
export const firstText = (...values: readonly (Json | undefined)[]): string | null =>
  values.find((value): value is string => typeof value === "string") ?? null;

/** The value at some keys in turn, or undefined. */
export const pathOf = (value: Json | undefined, ...keys: readonly string[]): Json | undefined =>
  keys.reduce<Json | undefined>(fieldOf, value);

/** A whole number, also one that is written as a text; null for anything else. */
export const intOrNull = (value: Json | undefined): number | null => {
  const given = typeof value === "string" && /^[+-]?\d{1,15}$/.test(value.trim()) ? Number(value) : value;
  return typeof given === "number" && Number.isSafeInteger(given) ? given : null;
};

const EARLIEST_MS = -62_167_219_200_000;

/** A moment as the shortest RFC 3339 text, or null for one that cannot be written so. */
export const momentText = (ms: number | null): string | null => {
  if (ms === null || !Number.isFinite(ms) || ms < EARLIEST_MS || ms > LAST_MOMENT) return null;
  return rfc3339(Math.floor(ms)).replace(/\.(\d*?)0*Z$/, (_all, digits: string) =>
    digits === "" ? "Z" : `.${digits}Z`,
  );
};

/** A body of any form: JSON, the fields of a form, or the bytes kept whole (spec/triggers 4.2). */
export const anyBody = (bytes: Uint8Array, headers: Readonly<Record<string, string>>): Json => {
  const form = isForm(headers) ? formBody(bytes) : null;
  if (form !== null) return form;
  const parsed = jsonBody(bytes);
  return parsed.ok ? parsed.value : opaqueBody(bytes);
};

/** A normalised event of a provider, with what all of them share. */
export const eventOf = (
  request: SignedRequest,
  proof: Proof,
  event: Pick<NormalisedEvent, "provider" | "kind" | "occurred_at" | "dedupe_key" | "provider_payload">,
): NormalisedEvent => ({
  ...event,
  headers: redactHeaders(request.headers, undefined, request.secrets),
  signature_status: proof.status,
});

const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/;

/** The body's own `timestamp` as it was written, when it is RFC 3339 (spec/triggers 19.5). */
export const occurredAt = (body: Json): string | null => momentIn(fieldOf(body, "timestamp"));

/** A time as it was written, when it is RFC 3339. */
export const momentIn = (timestamp: Json | undefined): string | null => {
  if (typeof timestamp !== "string" || !RFC3339.test(timestamp)) return null;
  return Number.isNaN(Date.parse(timestamp)) ? null : timestamp;
};

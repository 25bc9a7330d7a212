import { base64Bytes, base64Text, hexText } from "../connectors/encoding.ts";
import { DEFAULT_RETENTION_DAYS, type RawBodyRef } from "../schema/trigger-body.ts";
import type { TriggerEvent } from "../schema/trigger.ts";
import type { Bindings } from "./call.ts";
import { Fault } from "./fault.ts";

/** Bodies up to this size lie in the event's row; larger ones in the bucket (architecture 2). */
const MAX_INLINE_BYTES = 65_536;

const UNKNOWN_TYPE = "application/octet-stream";

/** Types that are given back as they came. No other: what a stranger has sent must not become a page of ours. */
const KNOWN_TYPE = /^application\/(?:json|[\w.-]+\+json|x-www-form-urlencoded)(?:;|$)/i;

/** What an event keeps of the exact bytes of its delivery: the bytes, where they lie, or nothing. */
export type KeptBody = { readonly raw_body: string } | { readonly raw_body_ref: RawBodyRef } | Record<never, never>;

/** Whose body it is and how long it is kept. */
export interface BodyTarget {
  readonly tenant: string;
  /** The trigger's `body_retention_days`. */
  readonly days: number | undefined;
  readonly content_type: string | undefined;
}

/** The bytes of a delivery as they came, to be passed on. */
export interface DeliveredBody {
  readonly bytes: ReadableStream | Uint8Array;
  readonly size: number;
  readonly content_type: string;
}

const fromBucket = <T>(answer: Promise<T>): Promise<T> =>
  answer.catch((cause: unknown) => {
    throw new Fault("the bucket for bodies did not answer; try again", cause);
  });

/**
 * Keeps the exact bytes of a verified delivery before it is accepted (spec/triggers 26.2 "Bodies"). The same bytes have
 * one place for each tenant and retention; keeping them again starts their time anew.
 */
export const keepBody = async (
  env: Pick<Bindings, "BODIES">,
  { tenant, days = DEFAULT_RETENTION_DAYS, content_type: type }: BodyTarget,
  bytes: Uint8Array,
): Promise<KeptBody> => {
  if (days === 0) return {};
  if (bytes.byteLength <= MAX_INLINE_BYTES) return { raw_body: base64Text(bytes) };
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  const sha256 = hexText(new Uint8Array(digest));
  const key = `bodies/${days}/${tenant}/${sha256}`;
  // Also where they lie already: the bucket deletes by the time of the last upload.
  await fromBucket(env.BODIES.put(key, bytes, { httpMetadata: { contentType: type ?? UNKNOWN_TYPE } }));
  return { raw_body_ref: { key, size: bytes.byteLength, sha256 } };
};

const typeOf = (type: string | undefined): string =>
  type !== undefined && KNOWN_TYPE.test(type) ? type : UNKNOWN_TYPE;

/** The exact bytes of an event's delivery; null when they are not kept, or not any more. */
export const deliveredBody = async (
  env: Pick<Bindings, "BODIES">,
  tenant: string,
  event: Pick<TriggerEvent, "headers" | "raw_body" | "raw_body_ref">,
): Promise<DeliveredBody | null> => {
  const { headers, raw_body: inline, raw_body_ref: ref } = event;
  if (inline !== undefined) {
    const bytes = base64Bytes(inline);
    return bytes === null ? null : { bytes, size: bytes.byteLength, content_type: typeOf(headers["content-type"]) };
  }
  // The tenant is part of every place: no event leads to another one's bodies.
  if (ref === undefined || !ref.key.endsWith(`/${tenant}/${ref.sha256}`)) return null;
  const object = await fromBucket(env.BODIES.get(ref.key));
  if (object === null) return null;
  return { bytes: object.body, size: object.size, content_type: typeOf(object.httpMetadata?.contentType) };
};

import type { JsonObject } from "../lib/json.ts";
import { base64Bytes, base64Text } from "./encoding.ts";

/**
 * An event as it is stored: the bytes as standard base64, the optional keys that always are there as null, and nothing
 * that is only in memory (spec/triggers 4.1).
 */
export const encodeEvent = (event: JsonObject, bytes: Uint8Array | null): JsonObject => {
  const { raw_body: _text, dedupe_claimed: _claimed, ...kept } = event;
  const stored = { ...kept, occurred_at: kept["occurred_at"] ?? null, tenant_id: kept["tenant_id"] ?? null };
  return bytes === null ? stored : { ...stored, raw_body: base64Text(bytes) };
};

/** The bytes of an event as they were received; null when they are not kept with it (spec/triggers 4.1). */
export const rawBytesOf = (event: JsonObject): Uint8Array | null => {
  const text = event["raw_body"];
  return typeof text === "string" ? base64Bytes(text) : null;
};

import type { Json, JsonObject } from "../lib/json.ts";
import { fieldOf } from "./body.ts";

/** Providers whose records come from a stream (spec/triggers 4.5). */
export const STREAM_PROVIDERS = ["kafka", "nats", "pulsar", "postgres-cdc", "email", "websocket"] as const;

/** The first of the fields that is a text or a number, as text. */
const firstOf = (raw: Json, keys: readonly string[]): string | null => {
  for (const key of keys) {
    const value = fieldOf(raw, key);
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
  }
  return null;
};

/** A record of a stream in the typed form: every broker has other names for the same things (spec/triggers 4.2). */
export const streamPayload = (
  provider: string,
  kind: string,
  { headers, raw }: { readonly headers: Readonly<Record<string, string>>; readonly raw: Json },
): JsonObject => ({
  provider,
  event: kind,
  source: firstOf(raw, ["source", "connector", "origin"]),
  stream: firstOf(raw, ["stream", "topic", "subject", "channel", "mailbox", "slot"]),
  partition: firstOf(raw, ["partition", "shard", "consumer"]),
  offset: firstOf(raw, ["offset", "sequence", "lsn", "message_id"]),
  key: firstOf(raw, ["key", "message_key", "id", "event_id"]),
  timestamp: firstOf(raw, ["timestamp", "occurred_at", "received_at", "ts"]),
  headers,
  raw,
});

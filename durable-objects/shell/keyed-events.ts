import type { EventRecord, EventState } from "../../src/engine/trigger/event.ts";
import type { TriggerEvent } from "../../src/schema/trigger.ts";
import type { Store } from "../storage/store.ts";
import { textParts } from "./keyed-text.ts";

/** An event as its row holds it: what changes, and the part that never does and may be large. */
export interface EncodedEvent {
  readonly state: string;
  readonly payload: string;
}

/** The platform's limit is 2 MB a row, and a character may take three bytes: together these stay below it. */
const MAX_STATE_LENGTH = 400_000;
const MAX_INLINE_LENGTH = 200_000;

/** More than the largest body can become: numbers and control characters grow when they are written as JSON. */
const MAX_PAYLOAD_LENGTH = 16_000_000;

const encodeState = (record: EventRecord): string => {
  const { headers: _headers, provider_payload: _payload, raw_body: _bytes, ...event } = record.event;
  return JSON.stringify({ ...record, event });
};

/** The event as it is stored, or null when it is too large for that. */
export const encodeEvent = (record: EventRecord): EncodedEvent | null => {
  const { headers, provider_payload, raw_body } = record.event;
  const payload = JSON.stringify({ headers, provider_payload, raw_body });
  const state = encodeState(record);
  return state.length > MAX_STATE_LENGTH || payload.length > MAX_PAYLOAD_LENGTH ? null : { state, payload };
};

/** Puts a new event in the place of whatever the key had. One row, or one more for each part of a large payload. */
export const insertEvent = (store: Store, key: string, { state, payload }: EncodedEvent): number => {
  const isInline = payload.length <= MAX_INLINE_LENGTH;
  let rows = store.write("DELETE FROM event_part WHERE dedupe_key = ?", key);
  rows += store.write(
    "INSERT INTO event (dedupe_key, state, payload) VALUES (?, ?, ?) ON CONFLICT (dedupe_key) DO UPDATE SET state = excluded.state, payload = excluded.payload",
    key,
    state,
    isInline ? payload : null,
  );
  if (isInline) return rows;
  for (const [part, text] of textParts(payload).entries())
    rows += store.write("INSERT INTO event_part (dedupe_key, part, payload) VALUES (?, ?, ?)", key, part, text);
  return rows;
};

/** Writes down where the event is now: one row, however large its payload is. */
export const updateEvent = (store: Store, key: string, record: EventRecord): number =>
  store.write("UPDATE event SET state = ? WHERE dedupe_key = ?", encodeState(record), key);

const payloadOf = (store: Store, key: string): string =>
  store
    .query("SELECT payload FROM event_part WHERE dedupe_key = ? ORDER BY part", key)
    .map((row) => String(row["payload"]))
    .join("");

/** The event of a key. */
export const loadEvent = (store: Store, key: string): EventState => {
  const row = store.query("SELECT state, payload FROM event WHERE dedupe_key = ?", key)[0];
  if (row === undefined) return { status: "absent" };
  const record = JSON.parse(String(row["state"])) as EventRecord;
  const payload = row["payload"] === null ? payloadOf(store, key) : String(row["payload"]);
  return { ...record, event: { ...record.event, ...(JSON.parse(payload) as Partial<TriggerEvent>) } };
};

import type { EventRecord } from "../../src/engine/trigger/event.ts";
import { isBodyStale } from "../../src/schema/trigger-body.ts";
import type { Store } from "../storage/store.ts";
import { encodeEvent, insertEvent } from "./keyed-events.ts";

/**
 * An event without the bytes of its delivery once the trigger keeps them no longer (spec/triggers 26.2 "Bodies"). The row
 * loses them with the first look after that; call it inside a transaction.
 */
export const withoutStaleBody = (store: Store, record: EventRecord, now: number): EventRecord => {
  const { raw_body: bytes, raw_body_ref: ref, ...event } = record.event;
  if (bytes === undefined && ref === undefined) return record;
  const { body_retention_days } = record.binding.definition;
  if (!isBodyStale({ received_at: event.received_at, body_retention_days }, now)) return record;
  const kept: EventRecord = { ...record, event };
  const encoded = encodeEvent(kept);
  if (encoded !== null) insertEvent(store, event.dedupe_key, encoded);
  return kept;
};

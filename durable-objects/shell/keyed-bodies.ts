import { fold } from "../../src/engine/machine.ts";
import { eventMachine } from "../../src/engine/trigger/machine.ts";
import { isBodyStale } from "../../src/schema/trigger-body.ts";
import type { Store } from "../storage/store.ts";
import { encodeEvent, insertEvent, type KeptEvent } from "./keyed-events.ts";

/**
 * An event without the bytes of its delivery once the trigger keeps them no longer (spec/triggers 26.2 "Bodies"). The row
 * loses them with the first look after that; call it inside a transaction.
 */
export const withoutStaleBody = (
  store: Store,
  { key, kept, now }: { readonly key: string; readonly kept: KeptEvent; readonly now: number },
): KeptEvent => {
  const { state, journal } = kept;
  if (state.status === "absent") return kept;
  const { raw_body: bytes, raw_body_ref: ref, ...event } = state.event;
  if (bytes === undefined && ref === undefined) return kept;
  const { body_retention_days } = state.binding.definition;
  if (!isBodyStale({ received_at: event.received_at, body_retention_days }, now)) return kept;
  const rest = journal.map((one) =>
    one.type === "accepted" || one.type === "intake_skipped" ? { ...one, event } : one,
  );
  const next = fold(eventMachine, eventMachine.initial, rest);
  const encoded = next.status === "absent" ? null : encodeEvent(rest, next);
  if (encoded !== null) insertEvent(store, key, encoded);
  return { state: next, journal: rest };
};

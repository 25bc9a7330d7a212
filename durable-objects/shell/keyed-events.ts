import { fold } from "../../src/engine/machine.ts";
import type { EventEvent, EventRecord, EventState } from "../../src/engine/trigger/event.ts";
import { eventMachine } from "../../src/engine/trigger/machine.ts";
import type { TriggerEvent } from "../../src/schema/trigger.ts";
import type { StoredDefinition } from "../../src/schema/trigger-definition.ts";
import type { Store } from "../storage/store.ts";
import { textParts } from "./keyed-text.ts";

/** The journal of an event as its row holds it, and the part that never changes and may be large. */
export interface EncodedEvent {
  readonly journal: string;
  readonly payload: string;
}

/** An event with the journal it folds from (I2). */
export interface KeptEvent {
  readonly state: EventState;
  readonly journal: readonly EventEvent[];
}

/** The definition of a version of the trigger; an event keeps the number only. */
export type DefinitionOf = (version: number) => StoredDefinition | null;

/** The platform's limit is 2 MB a row, and a character may take three bytes: together these stay below it. */
const MAX_JOURNAL_LENGTH = 400_000;
const MAX_INLINE_LENGTH = 200_000;

/** More than the largest body can become: numbers and control characters grow when they are written as JSON. */
const MAX_PAYLOAD_LENGTH = 64_000_000;

/** Nothing of a delivery can begin with it, so that the row of a replay is never taken for an event's. */
const REPLAY_MARK = "\u0001";

/** The key of the row of a replay. */
export const replayKey = (dedupeKey: string, number: number): string =>
  `${REPLAY_MARK}${number}${REPLAY_MARK}${dedupeKey}`;

/** The key of the event of which the row of a key is a replay. */
export const replayedKey = (key: string): string => key.slice(key.indexOf(REPLAY_MARK, 1) + 1);

/** Whether a text can be the dedupe key of a delivery. */
export const isDedupeKey = (key: string): boolean => key !== "" && !key.startsWith(REPLAY_MARK);

type Taken = Extract<EventEvent, { readonly type: "accepted" | "intake_skipped" }>;

const withoutPayload = ({ event, binding, ...taken }: Taken): object => {
  const { headers: _headers, provider_payload: _payload, raw_body: _bytes, ...envelope } = event;
  const { definition: _definition, ...version } = binding;
  return { ...taken, event: envelope, binding: version };
};

const isTaken = (event: EventEvent): event is Taken => event.type === "accepted" || event.type === "intake_skipped";

/** The journal of an event as text. */
export const encodeJournal = (journal: readonly EventEvent[]): string =>
  JSON.stringify(journal.map((event) => (isTaken(event) ? withoutPayload(event) : event)));

/** The event as it is stored, or null when it is too large for that. */
export const encodeEvent = (journal: readonly EventEvent[], record: EventRecord): EncodedEvent | null => {
  const { headers, provider_payload, raw_body } = record.event;
  const payload = JSON.stringify({ headers, provider_payload, raw_body });
  const text = encodeJournal(journal);
  const isTooLarge = text.length > MAX_JOURNAL_LENGTH || payload.length > MAX_PAYLOAD_LENGTH;
  return isTooLarge ? null : { journal: text, payload };
};

/** Puts a new event in the place of whatever the key had. One row, or one more for each part of a large payload. */
export const insertEvent = (store: Store, key: string, { journal, payload }: EncodedEvent): number => {
  const isInline = payload.length <= MAX_INLINE_LENGTH;
  let rows = store.write("DELETE FROM event_part WHERE dedupe_key = ?", key);
  rows += store.write(
    "INSERT INTO event (dedupe_key, state, payload) VALUES (?, ?, ?) ON CONFLICT (dedupe_key) DO UPDATE SET state = excluded.state, payload = excluded.payload",
    key,
    journal,
    isInline ? payload : null,
  );
  if (isInline) return rows;
  for (const [part, text] of textParts(payload).entries())
    rows += store.write("INSERT INTO event_part (dedupe_key, part, payload) VALUES (?, ?, ?)", key, part, text);
  return rows;
};

/** Writes down what has happened to an event: one row, however large its payload is. */
export const updateEvent = (store: Store, key: string, journal: readonly EventEvent[]): number =>
  store.write("UPDATE event SET state = ? WHERE dedupe_key = ?", encodeJournal(journal), key);

const payloadOf = (store: Store, key: string): string =>
  store
    .query("SELECT payload FROM event_part WHERE dedupe_key = ? ORDER BY part", key)
    .map((row) => String(row["payload"]))
    .join("");

const NOTHING: KeptEvent = { state: eventMachine.initial, journal: [] };

/** The event of a key. */
export const loadEvent = (store: Store, key: string, definitionOf: DefinitionOf): KeptEvent => {
  const row = store.query("SELECT state, payload FROM event WHERE dedupe_key = ?", key)[0];
  if (row === undefined) return NOTHING;
  const [first, ...later] = JSON.parse(String(row["state"])) as readonly EventEvent[];
  if (first === undefined || !isTaken(first)) return NOTHING;
  const definition = definitionOf(first.binding.version);
  if (definition === null) throw new Error(`the definition of version ${first.binding.version} is missing`);
  const payload = JSON.parse(
    row["payload"] === null ? payloadOf(store, key) : String(row["payload"]),
  ) as Partial<TriggerEvent>;
  const taken: Taken = { ...first, event: { ...first.event, ...payload }, binding: { ...first.binding, definition } };
  const journal = [taken, ...later];
  return { state: fold(eventMachine, eventMachine.initial, journal), journal };
};

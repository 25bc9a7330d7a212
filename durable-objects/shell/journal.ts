import type { Store } from "../storage/store.ts";
import { rowTexts } from "./row-texts.ts";

/** One command's events, as they were committed together. */
export interface JournalEntry<Event> {
  readonly seq: number;
  readonly at_ms: number;
  readonly events: readonly Event[];
}

/**
 * The journal. A rowid table keeps entries of up to 4 KB within its pages; a WITHOUT ROWID one would write an overflow page
 * for each entry above 1 KB, which most are.
 */
export const JOURNAL_TABLE =
  "CREATE TABLE journal (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, parts INTEGER NOT NULL, events TEXT NOT NULL) STRICT";

// What does not fit into an entry's own row; few objects ever have one, so that the table is made with the first.
const PART_TABLE =
  "CREATE TABLE IF NOT EXISTS journal_part (seq INTEGER NOT NULL, part INTEGER NOT NULL, events TEXT NOT NULL, PRIMARY KEY (seq, part)) STRICT, WITHOUT ROWID";

/** Appends an entry: one row, and one more for each further part of a long one. Returns the rows written. */
export const appendEntry = <Event>(store: Store, entry: JournalEntry<Event>): number => {
  const [first = "", ...others] = rowTexts(JSON.stringify(entry.events));
  let written = store.write(
    "INSERT INTO journal (seq, at_ms, parts, events) VALUES (?, ?, ?, ?)",
    entry.seq,
    entry.at_ms,
    1 + others.length,
    first,
  );
  if (others.length > 0) written += store.write(PART_TABLE);
  for (const [index, text] of others.entries())
    written += store.write("INSERT INTO journal_part (seq, part, events) VALUES (?, ?, ?)", entry.seq, index + 1, text);
  return written;
};

/** An entry as it is stored. */
interface EntryText {
  readonly seq: number;
  readonly at_ms: number;
  readonly text: string;
}

const furtherParts = (store: Store, seq: number): string =>
  store
    .query("SELECT events FROM journal_part WHERE seq = ? ORDER BY part", seq)
    .map((row) => String(row["events"]))
    .join("");

/** Entries after a sequence number, in order, as they are stored. */
export const readEntryTexts = (store: Store, after = 0): readonly EntryText[] =>
  store.query("SELECT seq, at_ms, parts, events FROM journal WHERE seq > ? ORDER BY seq", after).map((row) => {
    const seq = Number(row["seq"]);
    const further = Number(row["parts"]) > 1 ? furtherParts(store, seq) : "";
    return { seq, at_ms: Number(row["at_ms"]), text: String(row["events"]) + further };
  });

/** Entries after a sequence number, in order. */
export const readEntries = <Event>(store: Store, after = 0): readonly JournalEntry<Event>[] =>
  readEntryTexts(store, after).map(({ seq, at_ms, text }) => ({
    seq,
    at_ms,
    events: JSON.parse(text) as readonly Event[],
  }));

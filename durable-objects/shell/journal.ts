import type { Store } from "../storage/store.ts";

/** One command's events, as they were committed together. */
export interface JournalEntry<Event> {
  readonly seq: number;
  readonly at_ms: number;
  readonly events: readonly Event[];
}

/** Characters per row: in UTF-8 at most three times as many bytes, below the platform's limit of 2 MB a row. */
const PART_LENGTH = 600_000;

const parts = (text: string): readonly string[] => {
  const cut: string[] = [];
  for (let start = 0; start < text.length;) {
    let end = Math.min(start + PART_LENGTH, text.length);
    // A surrogate pair must not be torn: half of one cannot be stored.
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1;
    cut.push(text.slice(start, end));
    start = end;
  }
  return cut;
};

/** Appends an entry: one row, or one for each part of a long one. Returns the rows written. */
export const appendEntry = <Event>(store: Store, entry: JournalEntry<Event>): number => {
  let written = 0;
  for (const [part, text] of parts(JSON.stringify(entry.events)).entries())
    written += store.write(
      "INSERT INTO journal (seq, part, at_ms, events) VALUES (?, ?, ?, ?)",
      entry.seq,
      part,
      entry.at_ms,
      text,
    );
  return written;
};

/** An entry as it is stored. */
interface EntryText {
  readonly seq: number;
  readonly at_ms: number;
  readonly text: string;
}

/** Entries after a sequence number, in order, as they are stored. */
export const readEntryTexts = (store: Store, after = 0): readonly EntryText[] => {
  const rows = store.query("SELECT seq, at_ms, events FROM journal WHERE seq > ? ORDER BY seq, part", after);
  const entries: EntryText[] = [];
  for (let i = 0; i < rows.length;) {
    const seq = Number(rows[i]?.["seq"]);
    const at = Number(rows[i]?.["at_ms"]);
    let text = "";
    for (; i < rows.length && Number(rows[i]?.["seq"]) === seq; i++) text += String(rows[i]?.["events"]);
    entries.push({ seq, at_ms: at, text });
  }
  return entries;
};

/** Entries after a sequence number, in order. */
export const readEntries = <Event>(store: Store, after = 0): readonly JournalEntry<Event>[] =>
  readEntryTexts(store, after).map(({ seq, at_ms, text }) => ({
    seq,
    at_ms,
    events: JSON.parse(text) as readonly Event[],
  }));

import { parseJson } from "../lib/json-text.ts";

/** Where a list goes on: the sort key of the last item that was shown. */
export type Position = readonly string[];

/** A position as the opaque text clients see. */
export const encodeCursor = (position: Position): string =>
  btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(position))))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");

const BASE64_URL = /^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?$/;

/** The position in a cursor with this many parts; null for a text that is no such cursor. */
export const decodeCursor = (cursor: string, parts: number): Position | null => {
  if (!BASE64_URL.test(cursor)) return null;
  const bytes = Uint8Array.from(atob(cursor.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  const parsed = parseJson(new TextDecoder().decode(bytes));
  if (!parsed.ok || !Array.isArray(parsed.value) || parsed.value.length !== parts) return null;
  const { value } = parsed;
  return value.every((part) => typeof part === "string") ? value : null;
};

/** The bad-cursor issue, the same for every list. */
export const CURSOR_ISSUE = { path: "cursor", message: "is not a cursor of this list" } as const;

/** A page of rows of which one more than asked for was read. */
export const pageFrom = <Row>(
  rows: readonly Row[],
  limit: number,
  positionOf: (row: Row) => Position,
): { readonly items: readonly Row[]; readonly next_cursor: string | null } => {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next_cursor: rows.length > limit && last !== undefined ? encodeCursor(positionOf(last)) : null };
};

import type { Rejection } from "../../src/engine/machine.ts";
import { reject } from "../../src/engine/machine.ts";
import type { Store } from "../storage/store.ts";
import { rowTexts } from "./row-texts.ts";

/** Idempotency keys; most objects never meet one, so that the table is made with the first. */
export const IDEMPOTENCY_TABLE =
  "CREATE TABLE IF NOT EXISTS idempotency (key TEXT PRIMARY KEY, request_digest TEXT NOT NULL, reply TEXT NOT NULL) STRICT, WITHOUT ROWID";

// What of a reply does not fit into its key's own row; few objects ever have one.
const PART_TABLE =
  "CREATE TABLE IF NOT EXISTS idempotency_part (key TEXT NOT NULL, part INTEGER NOT NULL, reply TEXT NOT NULL, PRIMARY KEY (key, part)) STRICT, WITHOUT ROWID";

/** A caller's key and a digest of what it asked for. */
export interface IdempotencyKey {
  readonly key: string;
  readonly request_digest: string;
}

/** What an earlier request under the key was answered; null when there was none (I5). */
export const recallReply = <Reply>(
  store: Store,
  key: IdempotencyKey,
): { readonly ok: true; readonly reply: Reply } | { readonly ok: false; readonly rejection: Rejection } | null => {
  const tables = store
    .query("SELECT name FROM sqlite_master WHERE name IN ('idempotency', 'idempotency_part')")
    .map((row) => row["name"]);
  if (!tables.includes("idempotency")) return null;
  const row = store.query("SELECT request_digest, reply FROM idempotency WHERE key = ?", key.key)[0];
  if (row === undefined) return null;
  if (row["request_digest"] !== key.request_digest)
    return reject("idempotency_key_reused", `the idempotency key "${key.key}" was used for another request`);
  const further = tables.includes("idempotency_part")
    ? store.query("SELECT reply FROM idempotency_part WHERE key = ? ORDER BY part", key.key)
    : [];
  const text = [row, ...further].map(({ reply }) => String(reply)).join("");
  return { ok: true, reply: JSON.parse(text) as Reply };
};

/** Remembers the reply for ever. Returns the rows written. */
export const rememberReply = <Reply>(store: Store, { key, request_digest }: IdempotencyKey, reply: Reply): number => {
  const [first = "", ...others] = rowTexts(JSON.stringify(reply));
  let written = store.write(IDEMPOTENCY_TABLE);
  written += store.write(
    "INSERT INTO idempotency (key, request_digest, reply) VALUES (?, ?, ?)",
    key,
    request_digest,
    first,
  );
  if (others.length > 0) written += store.write(PART_TABLE);
  for (const [index, text] of others.entries())
    written += store.write("INSERT INTO idempotency_part (key, part, reply) VALUES (?, ?, ?)", key, index + 1, text);
  return written;
};

import type { Rejection } from "../../src/engine/machine.ts";
import { reject } from "../../src/engine/machine.ts";
import type { Store } from "../storage/store.ts";

/** Idempotency keys; most objects never meet one, so that the table is made with the first. */
export const IDEMPOTENCY_TABLE =
  "CREATE TABLE IF NOT EXISTS idempotency (key TEXT PRIMARY KEY, request_digest TEXT NOT NULL, reply TEXT NOT NULL) STRICT, WITHOUT ROWID";

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
  const known = store.query("SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'idempotency'");
  if (known.length === 0) return null;
  const row = store.query("SELECT request_digest, reply FROM idempotency WHERE key = ?", key.key)[0];
  if (row === undefined) return null;
  if (row["request_digest"] !== key.request_digest)
    return reject("idempotency_key_reused", `the idempotency key "${key.key}" was used for another request`);
  return { ok: true, reply: JSON.parse(String(row["reply"])) as Reply };
};

/** Remembers the reply for ever. Returns the rows written. */
export const rememberReply = <Reply>(store: Store, key: IdempotencyKey, reply: Reply): number =>
  store.write(IDEMPOTENCY_TABLE) +
  store.write(
    "INSERT INTO idempotency (key, request_digest, reply) VALUES (?, ?, ?)",
    key.key,
    key.request_digest,
    JSON.stringify(reply),
  );

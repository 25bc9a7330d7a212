import type { Migration } from "./migration.ts";

/**
 * The schema of every journaled object: the journal, one head row, an outbox and idempotency keys.
 *
 * A journal entry longer than one row takes several parts. No table has a second index: each would cost a row.
 */
export const JOURNALED: readonly Migration[] = [
  {
    name: "0001_journal",
    statements: [
      "CREATE TABLE journal (seq INTEGER NOT NULL, part INTEGER NOT NULL, at_ms INTEGER NOT NULL, events TEXT NOT NULL, PRIMARY KEY (seq, part)) STRICT, WITHOUT ROWID",
      "CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, reducer_version INTEGER NOT NULL, state TEXT NOT NULL) STRICT",
      "CREATE TABLE outbox (id TEXT PRIMARY KEY, effect TEXT NOT NULL, attempts INTEGER NOT NULL, next_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID",
      "CREATE TABLE idempotency (key TEXT PRIMARY KEY, request_digest TEXT NOT NULL, reply TEXT NOT NULL) STRICT, WITHOUT ROWID",
    ],
  },
];

import { JOURNALED } from "./journaled.ts";
import type { Migration } from "./migration.ts";

/**
 * The schema of a trigger: the journal of its binding, and beside it what has one row for each event.
 *
 * `event` holds claim and event of a dedupe key in one row: `payload` never changes and is null where it is too long
 * for the row and lies in `event_part`. `secret` holds sealed texts, apart from everything that is shown or exported. No table has a
 * second index: each would cost a row.
 */
export const TRIGGER: readonly Migration[] = [
  // The first one only: what is appended there later has to be appended here after the trigger's own.
  ...JOURNALED.slice(0, 1),
  {
    name: "0002_trigger",
    statements: [
      "CREATE TABLE event (dedupe_key TEXT PRIMARY KEY, state TEXT NOT NULL, payload TEXT) STRICT, WITHOUT ROWID",
      "CREATE TABLE event_part (dedupe_key TEXT NOT NULL, part INTEGER NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (dedupe_key, part)) STRICT, WITHOUT ROWID",
      "CREATE TABLE secret (digest TEXT PRIMARY KEY, secret TEXT NOT NULL) STRICT, WITHOUT ROWID",
      "CREATE TABLE rejection (minute INTEGER NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, last_at_ms INTEGER NOT NULL, last_message TEXT NOT NULL, PRIMARY KEY (minute, reason)) STRICT, WITHOUT ROWID",
    ],
  },
  {
    // What the table held as it was given cannot be sealed in here: its secrets have to be put again.
    name: "0003_sealed_secrets",
    statements: [
      "DROP TABLE secret",
      "CREATE TABLE secret (id TEXT PRIMARY KEY, sealed TEXT NOT NULL, digest TEXT NOT NULL, created_at_ms INTEGER NOT NULL, expires_at_ms INTEGER) STRICT, WITHOUT ROWID",
    ],
  },
];

import { OUTBOX_TABLE } from "../shell/outbox.ts";
import type { Migration } from "./migration.ts";

/**
 * The schema of a work queue: one row for each job, whose `payload` never changes, one row of settings, and the outbox. No
 * table has a second index: each would cost a row.
 */
export const WORK_QUEUE: readonly Migration[] = [
  {
    name: "0001_work_queue",
    statements: [
      "CREATE TABLE job (job_id TEXT PRIMARY KEY, seq INTEGER NOT NULL, status TEXT NOT NULL, responses INTEGER NOT NULL, settled_at_ms INTEGER, state TEXT NOT NULL, payload TEXT NOT NULL) STRICT, WITHOUT ROWID",
      "CREATE TABLE policy (id INTEGER PRIMARY KEY CHECK (id = 1), policy TEXT NOT NULL) STRICT",
      OUTBOX_TABLE,
    ],
  },
];

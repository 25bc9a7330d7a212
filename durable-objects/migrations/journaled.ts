import { IDEMPOTENCY_TABLE } from "../shell/idempotency.ts";
import { JOURNAL_TABLE } from "../shell/journal.ts";
import { OUTBOX_TABLE } from "../shell/outbox.ts";
import type { Migration } from "./migration.ts";

const HEAD_TABLE =
  "CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, reducer_version INTEGER NOT NULL, state TEXT NOT NULL) STRICT";

/**
 * The schema of a journaled object: the journal, one head row, an outbox and idempotency keys.
 *
 * A journal entry longer than one row takes several parts. No table has a second index: each would cost a row.
 */
export const JOURNALED: readonly Migration[] = [
  { name: "0001_journal", statements: [JOURNAL_TABLE, HEAD_TABLE, OUTBOX_TABLE, IDEMPOTENCY_TABLE] },
];

/** The schema of a run. There are many runs and most need no more: outbox and idempotency keys are made when needed. */
export const RUN: readonly Migration[] = [{ name: "0001_run", statements: [JOURNAL_TABLE, HEAD_TABLE] }];

import type { Migration } from "./migration.ts";

/**
 * The schema of a task pool: one row for the pool and one for each task, whose `args` never change. What is offered follows
 * from the tasks, so that there is no outbox. No table has a second index: each would cost a row.
 */
export const TASK_POOL: readonly Migration[] = [
  {
    name: "0001_task_pool",
    statements: [
      "CREATE TABLE pool (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL) STRICT",
      "CREATE TABLE task (task_id TEXT PRIMARY KEY, seq INTEGER NOT NULL, status TEXT NOT NULL, dispatched INTEGER, finished_at_ms INTEGER, state TEXT NOT NULL, args TEXT NOT NULL, result TEXT) STRICT, WITHOUT ROWID",
    ],
  },
];

import type { SqlRow, Store } from "./store.ts";

/** Alarms of the platform do not reach any moment that can be named; whoever is woken too early sets the next one. */
const MAX_ALARM_MS = 30 * 86_400_000;

/** The store of a Durable Object with SQLite. */
export const objectStore = (storage: DurableObjectStorage): Store => ({
  query: (sql, ...bindings) => storage.sql.exec(sql, ...bindings).toArray() as readonly SqlRow[],
  write: (sql, ...bindings) => {
    const cursor = storage.sql.exec(sql, ...bindings);
    // The count is complete only once the cursor has been read to its end.
    cursor.toArray();
    return cursor.rowsWritten;
  },
  transaction: (body) => storage.transactionSync(body),
  setAlarm: (at) => {
    void (at === null ? storage.deleteAlarm() : storage.setAlarm(Math.min(at, Date.now() + MAX_ALARM_MS)));
  },
});

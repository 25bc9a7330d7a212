import type { SqlRow, Store } from "./store.ts";

/** The platform takes no alarm after 2189; whoever is woken too early sets the next one. */
const LAST_ALARM_MS = Date.UTC(2189, 0);

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
    void (at === null ? storage.deleteAlarm() : storage.setAlarm(Math.min(at, LAST_ALARM_MS)));
  },
});

/** A value SQLite can hold here. */
export type SqlValue = string | number | null;

/** A row as it comes back from a query. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/**
 * The storage a shell runs on: SQLite and one alarm, committed together.
 *
 * Implemented by the storage of a Durable Object and by `node:sqlite`; one contract suite holds for both.
 */
export interface Store {
  /** Runs one statement and returns its rows. */
  readonly query: (sql: string, ...bindings: readonly SqlValue[]) => readonly SqlRow[];
  /** Runs one statement and returns how many rows it wrote, indexes included. */
  readonly write: (sql: string, ...bindings: readonly SqlValue[]) => number;
  /** Runs `body` in one transaction; whatever it throws rolls back rows and alarm alike. */
  readonly transaction: <T>(body: () => T) => T;
  /** Sets the one alarm to a moment in milliseconds, or takes it away. */
  readonly setAlarm: (at: number | null) => void;
}

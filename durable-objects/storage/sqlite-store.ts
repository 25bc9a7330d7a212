import { DatabaseSync } from "node:sqlite";
import type { SqlRow, SqlValue, Store } from "./store.ts";

/** The store of an object without a platform around it, for tests and simulations in Node; never imported by Worker code. */
export interface SqliteStore extends Store {
  /** The moment the alarm is set to, or null. */
  readonly alarmAt: () => number | null;
  /** All rows written so far, indexes included, as the platform would count them. */
  readonly rowsWritten: () => number;
  /** Closes the database; the store cannot be used any more. */
  readonly close: () => void;
}

/** What a Durable Object refuses to run: transactions are its own business. */
const REFUSED = /^\s*(?:BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE|ATTACH|DETACH|VACUUM|PRAGMA)\b/i;

const INSERT_OR_DELETE = /^\s*(?:INSERT\b[\s\S]*?\bINTO|REPLACE\s+INTO|DELETE\s+FROM)\s+"?(\w+)"?/i;
const UPDATE = /^\s*UPDATE\s+(?:OR\s+\w+\s+)?"?(\w+)"?\s+SET\s+([\s\S]*?)(?:\sWHERE\b|$)/i;

/** Rows of the schema that a statement of this kind writes, as measured on the platform. */
const SCHEMA_ROWS: readonly (readonly [RegExp, number])[] = [
  [/^\s*CREATE\s+(?:UNIQUE\s+)?INDEX\b/i, 1],
  [/^\s*CREATE\s+TABLE\b/i, 2],
];

/**
 * A `Store` on `node:sqlite`, in memory unless a path is given.
 *
 * Rows written are counted from the changes of a statement and the indexes of its table: an insert or a delete writes
 * the row and one entry in each index, an update also one entry in each index that has a column it sets. An insert that
 * turns into an update counts as an insert. A table without rowid is its own primary key index.
 */
export const sqliteStore = (path = ":memory:"): SqliteStore => {
  const database = new DatabaseSync(path);
  let alarm: number | null = null;
  let written = 0;
  let depth = 0;

  const guard = (sql: string): void => {
    if (REFUSED.test(sql)) throw new Error(`not authorized: ${sql.trim().split(/\s/)[0]}`);
  };
  const transaction = <T>(body: () => T): T => {
    const alarmBefore = alarm;
    const level = depth;
    database.exec(level === 0 ? "BEGIN IMMEDIATE" : `SAVEPOINT nested_${level}`);
    depth += 1;
    try {
      const value = body();
      database.exec(level === 0 ? "COMMIT" : `RELEASE nested_${level}`);
      return value;
    } catch (error) {
      database.exec(level === 0 ? "ROLLBACK" : `ROLLBACK TO nested_${level}; RELEASE nested_${level}`);
      alarm = alarmBefore;
      throw error;
    } finally {
      depth -= 1;
    }
  };

  return {
    query: (sql, ...bindings) => {
      guard(sql);
      return database
        .prepare(sql)
        .all(...bindings)
        .map((row): SqlRow => ({ ...(row as Record<string, SqlValue>) }));
    },
    write: (sql, ...bindings) => {
      guard(sql);
      const rows = countRows(database, sql, () => Number(database.prepare(sql).run(...bindings).changes));
      written += rows;
      return rows;
    },
    transaction,
    setAlarm: (at) => {
      alarm = at;
    },
    alarmAt: () => alarm,
    rowsWritten: () => written,
    close: () => database.close(),
  };
};

const countRows = (database: DatabaseSync, sql: string, run: () => number): number => {
  const schema = SCHEMA_ROWS.find(([pattern]) => pattern.test(sql));
  if (schema !== undefined) {
    const before = schemaSize(database);
    run();
    // `IF NOT EXISTS` may have had nothing to do.
    return schemaSize(database) > before ? schema[1] : 0;
  }
  const update = UPDATE.exec(sql);
  const table = update?.[1] ?? INSERT_OR_DELETE.exec(sql)?.[1];
  const perRow = table === undefined ? 1 : 1 + indexesTouched(database, table, update?.[2] ?? null);
  return run() * perRow;
};

const schemaSize = (database: DatabaseSync): number =>
  Number(database.prepare("SELECT count(*) AS size FROM sqlite_master").get()?.["size"]);

/** How many indexes a write to one row of a table touches; `assignments` is the SET clause of an update. */
const indexesTouched = (database: DatabaseSync, table: string, assignments: string | null): number => {
  const kind = database.prepare("SELECT wr FROM pragma_table_list(?)").get(table);
  const indexes = database.prepare("SELECT name, origin FROM pragma_index_list(?)").all(table);
  return indexes.filter((index) => {
    if (kind?.["wr"] === 1 && index["origin"] === "pk") return false;
    if (assignments === null) return true;
    const columns = database.prepare("SELECT name FROM pragma_index_info(?)").all(String(index["name"]));
    return columns.some((column) => new RegExp(`\\b${String(column["name"])}\\s*=`, "i").test(assignments));
  }).length;
};

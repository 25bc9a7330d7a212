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

const INSERT = /^\s*(?:INSERT\b[\s\S]*?\bINTO|REPLACE\s+INTO)\s+"?(\w+)"?/i;
const UPDATE = /^\s*UPDATE\s+(?:OR\s+\w+\s+)?"?(\w+)"?\s+SET\s+([\s\S]*?)(?:\sWHERE\b|$)/i;
const DELETE = /^\s*DELETE\b/i;
const CREATE_TABLE = /^\s*CREATE\s+TABLE\b/i;

const guard = (sql: string): void => {
  if (REFUSED.test(sql)) throw new Error(`not authorized: ${sql.trim().split(/\s/)[0]}`);
};

/**
 * A `Store` on `node:sqlite`, in memory unless a path is given.
 *
 * Rows are counted by the rules measured on the platform: an insert writes its row and an entry in each index, an update
 * its row and an entry in each index with a column it sets, a delete its row only; a new table writes two rows and one
 * for each index of its own. Two cases are counted too high: an insert that turns into an update counts as an insert, and
 * an index with a condition counts always. A table without rowid is its own primary key index.
 */
export const sqliteStore = (path = ":memory:"): SqliteStore => {
  const database = new DatabaseSync(path);
  let alarm: number | null = null;
  let written = 0;
  let depth = 0;

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
  const update = UPDATE.exec(sql);
  const table = update?.[1] ?? INSERT.exec(sql)?.[1];
  if (table !== undefined) return run() * (1 + indexesTouched(database, table, update?.[2] ?? null));
  if (DELETE.test(sql)) return run();
  const before = schemaSize(database);
  run();
  // `IF NOT EXISTS` may have had nothing to do.
  const added = Math.max(schemaSize(database) - before, 0);
  return added > 0 && CREATE_TABLE.test(sql) ? added + 1 : added;
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

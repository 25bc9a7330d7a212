import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";

const MIGRATIONS = join(import.meta.dirname, "../../migrations");

/** A statement as the platform's database has it, as far as lists need it. */
class Statement {
  readonly #database: MemoryDatabase;
  readonly #sql: string;
  readonly #values: readonly SQLInputValue[];

  constructor(database: MemoryDatabase, sql: string, values: readonly SQLInputValue[] = []) {
    this.#database = database;
    this.#sql = sql;
    this.#values = values;
  }

  bind(...values: readonly SQLInputValue[]): Statement {
    return new Statement(this.#database, this.#sql, values);
  }

  all(): Promise<{ readonly results: readonly unknown[] }> {
    return Promise.resolve({ results: this.#database.run(this.#sql, this.#values) });
  }

  first(): Promise<unknown> {
    return Promise.resolve(this.#database.run(this.#sql, this.#values)[0] ?? null);
  }
}

/** The read models in memory, with all migrations; keeps how each statement that was run finds its rows. */
export class MemoryDatabase {
  readonly plans: string[] = [];
  readonly #sqlite = new DatabaseSync(":memory:");

  constructor() {
    for (const name of readdirSync(MIGRATIONS).toSorted())
      this.#sqlite.exec(readFileSync(join(MIGRATIONS, name), "utf8"));
  }

  /** As the parts of the product take it. */
  get d1(): D1Database {
    return this as unknown as D1Database;
  }

  prepare(sql: string): Statement {
    return new Statement(this, sql);
  }

  batch(statements: readonly Statement[]): Promise<readonly unknown[]> {
    return Promise.all(statements.map((statement) => statement.all()));
  }

  run(sql: string, values: readonly SQLInputValue[]): readonly unknown[] {
    const steps = this.#sqlite.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
    this.plans.push(...steps.map(({ detail }) => String(detail)));
    return this.#sqlite.prepare(sql).all(...values);
  }

  /** Puts rows into a table; every one has the same columns. */
  insert(table: string, rows: readonly Readonly<Record<string, SQLInputValue>>[]): void {
    for (const row of rows) {
      const names = Object.keys(row);
      const marks = names.map(() => "?").join(", ");
      this.#sqlite.prepare(`INSERT INTO ${table} (${names.join(", ")}) VALUES (${marks})`).run(...Object.values(row));
    }
  }

  close(): void {
    this.#sqlite.close();
  }
}

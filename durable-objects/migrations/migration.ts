import type { Store } from "../storage/store.ts";

/** One step of a class's schema. Migrations are only ever appended. */
export interface Migration {
  readonly name: string;
  readonly statements: readonly string[];
}

/** The database holds migrations this code does not know: it was written by a newer version, or another class. */
export class SchemaMismatch extends Error {
  readonly code = "unavailable";
  override readonly name = "SchemaMismatch";
}

/** Names of the migrations a database has had, in order; empty for a new database. */
const appliedMigrations = (store: Store): readonly string[] => {
  const known = store.query("SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'migrations'");
  return known.length === 0
    ? []
    : store.query("SELECT name FROM migrations ORDER BY id").map((row) => String(row["name"]));
};

/**
 * Whether a database has had any migration yet. Throws {@link SchemaMismatch} unless what it has had is a prefix of
 * `migrations`: a database that is ahead is refused, never guessed at.
 */
export const isMigrated = (store: Store, migrations: readonly Migration[]): boolean => {
  const applied = appliedMigrations(store);
  for (const [index, name] of applied.entries())
    if (migrations[index]?.name !== name)
      throw new SchemaMismatch(
        `migration ${index + 1} of the database is "${name}", this version knows "${migrations[index]?.name ?? "none"}"`,
      );
  return applied.length > 0;
};

/** Applies the missing migrations; call it inside a transaction. */
export const migrate = (store: Store, migrations: readonly Migration[]): void => {
  const applied = appliedMigrations(store).length;
  if (applied === migrations.length) return;
  store.write("CREATE TABLE IF NOT EXISTS migrations (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT");
  for (const [index, migration] of migrations.entries()) {
    if (index < applied) continue;
    for (const statement of migration.statements) store.write(statement);
    store.write("INSERT INTO migrations (id, name) VALUES (?, ?)", index + 1, migration.name);
  }
};

import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { unstable_splitSqlQuery } from "wrangler";
import type { ControlRequest, MigrationsReply } from "./control/message.ts";
import type { Log } from "./log.ts";

/** Asks the server's own Worker. */
export type Ask = <Reply>(request: ControlRequest) => Promise<Reply>;

const filesIn = (directory: string): readonly string[] =>
  existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => name.endsWith(".sql"))
        .toSorted()
    : [];

const namesIn = (file: string): readonly unknown[] => {
  try {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 1_000 });
    try {
      return database
        .prepare("SELECT name FROM d1_migrations")
        .all()
        .map((row) => row["name"]);
    } finally {
      database.close();
    }
  } catch {
    return [];
  }
};

/**
 * Whether the database of a state directory has all migrations, as far as that can be seen without the runtime. Its layout
 * is the runtime's own: where it is another one the answer is no, and the runtime is asked.
 */
export const isMigrated = (directory: string, state: string): boolean => {
  const files = filesIn(directory);
  return globSync(join(state, "v3/d1/*/*.sqlite")).some((database) => {
    const names = new Set(namesIn(database));
    return files.every((file) => names.has(file));
  });
};

/** Applies the migrations of the database that it does not have yet, in the order of their names. */
export const applyMigrations = async (directory: string, ask: Ask, log: Log): Promise<void> => {
  const files = filesIn(directory);
  if (files.length === 0) return;
  const { names } = await ask<MigrationsReply>({ type: "applied_migrations" });
  for (const name of files.filter((file) => !names.includes(file))) {
    const statements = unstable_splitSqlQuery(readFileSync(join(directory, name), "utf8"));
    await ask({ type: "migrate", name, statements });
    log.write("debug", "migration applied", { name });
  }
};

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { unstable_splitSqlQuery } from "wrangler";
import type { ControlRequest, MigrationsReply } from "./control/message.ts";
import type { Log } from "./log.ts";

/** Asks the server's own Worker. */
export type Ask = <Reply>(request: ControlRequest) => Promise<Reply>;

/** Applies the migrations of the database that it does not have yet, in the order of their names. */
export const applyMigrations = async (directory: string, ask: Ask, log: Log): Promise<void> => {
  if (!existsSync(directory)) return;
  const files = readdirSync(directory)
    .filter((name) => name.endsWith(".sql"))
    .toSorted();
  if (files.length === 0) return;
  const { names } = await ask<MigrationsReply>({ type: "applied_migrations" });
  for (const name of files.filter((file) => !names.includes(file))) {
    const statements = unstable_splitSqlQuery(readFileSync(join(directory, name), "utf8"));
    await ask({ type: "migrate", name, statements });
    log.write("debug", "migration applied", { name });
  }
};

import type { ControlRequest, MigrationsReply, RecoverReply } from "./message.ts";

/** The bindings the server gives to its own Worker: the engine's objects by their names, and its database. */
interface ControlEnv {
  readonly DB: D1Database;
  readonly [binding: string]: unknown;
}

interface Recoverable {
  readonly recover: () => Promise<void>;
}

/** The same table that `wrangler d1 migrations` keeps, so that both agree. */
const MIGRATIONS_TABLE =
  "CREATE TABLE IF NOT EXISTS d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, " +
  "applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)";

const recover = async (
  env: ControlEnv,
  { binding, ids, concurrency }: Extract<ControlRequest, { type: "recover" }>,
): Promise<RecoverReply> => {
  const namespace = env[binding] as DurableObjectNamespace;
  const waiting = [...ids];
  const failures: string[] = [];
  const work = async (): Promise<void> => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        await (namespace.get(namespace.idFromString(id)) as unknown as Recoverable).recover();
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return { recovered: ids.length - failures.length, failed: failures.length, reason: failures[0] ?? null };
};

const appliedMigrations = async ({ DB }: ControlEnv): Promise<MigrationsReply> => {
  await DB.prepare(MIGRATIONS_TABLE).run();
  const { results } = await DB.prepare("SELECT name FROM d1_migrations ORDER BY id").all<{ name: string }>();
  return { names: results.map(({ name }) => name) };
};

const migrate = async (
  { DB }: ControlEnv,
  { name, statements }: Extract<ControlRequest, { type: "migrate" }>,
): Promise<MigrationsReply> => {
  await DB.batch([
    ...statements.map((statement) => DB.prepare(statement)),
    DB.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name),
  ]);
  return { names: [name] };
};

const answer = (env: ControlEnv, request: ControlRequest): Promise<RecoverReply | MigrationsReply> => {
  switch (request.type) {
    case "recover":
      return recover(env, request);
    case "applied_migrations":
      return appliedMigrations(env);
    case "migrate":
      return migrate(env, request);
  }
};

// oxlint-disable-next-line import/no-default-export -- the runtime asks a Worker's default export
export default {
  fetch: async (request, env) => Response.json(await answer(env, await request.json<ControlRequest>())),
} satisfies ExportedHandler<ControlEnv>;

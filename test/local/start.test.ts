import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { globSync, readdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startProcess, type ServerOptions, type ServerProcess } from "../../src/local/crash/server-process.ts";
import { isAlive } from "../../src/local/crash/process-tree.ts";
import { freePort, isFree } from "../../src/local/port.ts";

const TIMEOUT_MS = 60_000;
let options: ServerOptions;
let server: ServerProcess | null = null;

beforeEach(async () => {
  const state = mkdtempSync(join(tmpdir(), "godwit-start-"));
  options = { state, port: await freePort("127.0.0.1"), key: "gwroot_of_a_test", variables: {} };
});
afterEach(async () => {
  await server?.stop();
  rmSync(options.state, { recursive: true, force: true, maxRetries: 5 });
});

const databasesIn = (state: string): readonly string[] =>
  globSync(join(state, "v3/d1/*/*.sqlite")).filter((file) => !file.endsWith("metadata.sqlite"));

/** The migrations that the database in a state directory has, as `wrangler d1 migrations` keeps them. */
const migrationsIn = (state: string): readonly unknown[] =>
  databasesIn(state).flatMap((file) => {
    const database = new DatabaseSync(file, { readOnly: true });
    const rows = database.prepare("SELECT name FROM d1_migrations ORDER BY id").all();
    database.close();
    return rows.map((row) => row["name"]);
  });

/** Makes the database one of a version that had neither workers nor pools. */
const withoutWorkers = (state: string): void => {
  for (const file of databasesIn(state)) {
    const database = new DatabaseSync(file);
    database.exec(
      "DROP TABLE workers; DROP TABLE pools; DELETE FROM d1_migrations WHERE name IN ('0008_workers.sql', '0009_pools.sql')",
    );
    database.close();
  }
};

/** What a health check of the server is answered, from the moment somebody answers at all. */
const firstAnswer = async (port: number): Promise<number> => {
  for (;;) {
    try {
      return (await fetch(`http://127.0.0.1:${port}/healthz`)).status;
    } catch {
      await pause(2);
    }
  }
};

describe("npm start", () => {
  it(
    "serves, keeps its state, and stops when asked, leaving nothing behind",
    async () => {
      server = await startProcess(options);
      expect(await server.api.client.health()).toEqual({ status: "ok" });
      expect(await server.api.client.version()).toMatchObject({ name: "godwit" });
      const graph = { entry: "a", nodes: { a: { kind: "stage", mode: "function", function: "echo" } }, edges: [] };
      const { run_id: run } = await server.api.client.createRun({ graph, task: "hello" });
      for await (const _event of server.api.client.events(run)) continue;
      const { pid } = server;
      await server.stop();
      expect(isAlive(pid)).toBe(false);
      expect(await isFree("127.0.0.1", options.port)).toBe(true);
      expect(migrationsIn(options.state)).toEqual(
        readdirSync(join(import.meta.dirname, "../../migrations")).toSorted(),
      );

      server = await startProcess(options);
      expect(await server.api.client.getRun(run)).toMatchObject({ status: "completed" });
      // A list is told by a queue, which has been given the time to tell it before the stop.
      expect((await server.api.client.listRuns()).items).toMatchObject([{ run_id: run, status: "completed" }]);
    },
    TIMEOUT_MS,
  );

  it(
    "answers nobody before its database has all tables, new or of an earlier version",
    async () => {
      const first = firstAnswer(options.port);
      server = await startProcess(options);
      expect(await first).toBe(200);
      await server.stop();
      withoutWorkers(options.state);
      const second = firstAnswer(options.port);
      server = await startProcess(options);
      expect(await second).toBe(200);
      expect((await server.api.client.workers.list()).items).toEqual([]);
      expect(server.lines.filter((line) => line.includes("no such table"))).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    "says what to do when its port or its state is taken",
    async () => {
      server = await startProcess(options);
      await expect(startProcess(options)).rejects.toThrow(`PORT=${options.port + 1} npm start`);
      await expect(startProcess({ ...options, port: 0 })).rejects.toThrow("in use by another Godwit server");
    },
    TIMEOUT_MS,
  );

  it(
    "refuses a key that is not the root key",
    async () => {
      server = await startProcess(options);
      const response = await fetch(`${server.api.url}/v1/version`, {
        headers: { Authorization: "Bearer gwroot_other" },
      });
      expect(response.status).toBe(401);
    },
    TIMEOUT_MS,
  );
});

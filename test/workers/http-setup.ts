import { env } from "cloudflare:workers";
import { createExecutionContext } from "cloudflare:test";
import { Client } from "../../src/http/client.ts";
import worker from "../../src/index.ts";

type IncomingRequest = Parameters<typeof worker.fetch>[0];

/** The root key of these tests. */
export const ROOT_KEY = "root-key-of-the-tests";

/** The key that secrets are sealed under in these tests. */
export const MASTER_KEY = btoa("m".repeat(32));

const MIGRATIONS = import.meta.glob<string>("../../migrations/*.sql", {
  query: "?raw",
  import: "default",
  eager: true,
});

/** Applies the database's migrations; storage is fresh in each test file. */
export const migrateDatabase = async (): Promise<void> => {
  const files = Object.entries(MIGRATIONS).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const statements = files.flatMap(([, text]) =>
    text
      .replaceAll(/--.*$/gm, "")
      .split(";")
      .map((sql) => sql.trim()),
  );
  await env.DB.batch(statements.filter((sql) => sql !== "").map((sql) => env.DB.prepare(sql)));
};

const bindings = (extra: Readonly<Record<string, string>>): Env =>
  ({ ...env, GODWIT_ROOT_KEY: ROOT_KEY, GODWIT_MASTER_KEY: MASTER_KEY, ...extra }) as Env;

/** Sends a request to the Worker, with further settings if need be. */
export const send = (
  path: string,
  init: RequestInit = {},
  settings: Readonly<Record<string, string>> = {},
): Promise<Response> =>
  Promise.resolve(
    worker.fetch(
      new Request(`https://godwit.test${path}`, init) as IncomingRequest,
      bindings(settings),
      createExecutionContext(),
    ),
  );

/** Sends a request with the root key and a JSON body. */
export const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  send(path, {
    method: "POST",
    headers: { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

/** Reads with the root key. */
export const get = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  send(path, { headers: { Authorization: `Bearer ${ROOT_KEY}`, ...headers } });

/** The typed client in front of the Worker. */
export const clientFor = (key = ROOT_KEY, tenant?: string): Client =>
  new Client({
    base_url: "https://godwit.test",
    key,
    ...(tenant === undefined ? {} : { tenant }),
    fetch: (url, init) => send(url.replace("https://godwit.test", ""), init),
  });

/** A refusal as a program sees it: its status and code. */
export const refusal = async (
  answer: Promise<Response>,
): Promise<{ status: number; code: string; detail: string; details?: unknown }> => {
  const response = await answer;
  const body = (await response.json()) as { status: number; code: string; detail: string; details?: unknown };
  return { ...body, status: response.status };
};

/** Two external stages in a row. */
export const TWO_STAGES = {
  _type: "workflow_graph",
  id: "two",
  entry: "a",
  nodes: {
    a: { kind: "stage", mode: "external", prompt: "first" },
    b: { kind: "stage", mode: "external", prompt: "second" },
  },
  edges: [{ from: "a", to: "b" }],
} as const;

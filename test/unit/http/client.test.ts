import { describe, expect, it } from "vitest";
import { createApp } from "../../../src/http/app.ts";
import { Client } from "../../../src/http/client.ts";

interface Operation {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
}

const operations = async (): Promise<readonly Operation[]> => {
  const document = (await (await createApp().request("/openapi.json")).json()) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string }>>>>;
  };
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => ({ operationId, method: method.toUpperCase(), path })),
  );
};

type Method = (...given: readonly unknown[]) => Promise<unknown>;

const methodsIn = (holder: object): readonly Method[] =>
  Object.values(holder).filter((value): value is Method => typeof value === "function");

/** Every method of the client and of its parts. */
const methodsOf = (client: Client): readonly Method[] => [
  ...methodsIn(client),
  ...Object.values(client).flatMap((part: unknown) =>
    typeof part === "object" && part !== null ? methodsIn(part) : [],
  ),
];

const ADDRESS = { run_id: "id", session_id: "id", call_id: "id", trigger_id: "id", body: "" };

/** Arguments that between them lead to every path. */
const GIVEN: readonly (readonly unknown[])[] = [
  [],
  ["id", "id", "id"],
  ["id"],
  ...["stages", "artifacts", "transitions", "checkpoints", "worker_updates"].map((part) => ["id", part]),
  ["id", 1],
  [ADDRESS, {}],
  [{ ...ADDRESS, tenant: "id" }],
  [{ ...ADDRESS, path: "/triggers/id" }],
];

const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll(/\{.+?\}/g, "[^/]+").replaceAll(".", "\\.")}$`);

/** Arguments that a method has no use for make it throw. */
const attempt = async (call: () => Promise<unknown>): Promise<unknown> => {
  try {
    return await call();
  } catch (error) {
    return error;
  }
};

const calledBy = async (client: (fetch: (url: string, init: RequestInit) => Promise<Response>) => Client) => {
  const called: { readonly method: string; readonly path: string }[] = [];
  const made = client((url, init) => {
    called.push({ method: init.method ?? "GET", path: new URL(url).pathname });
    return Promise.resolve(Response.json({}));
  });
  for (const method of methodsOf(made)) for (const given of GIVEN) await attempt(() => method(...given));
  return called;
};

describe("the typed client", () => {
  it("[api] has a method for every operation of the OpenAPI document", async () => {
    const called = await calledBy((fetch) => new Client({ base_url: "http://godwit.test", key: "key", fetch }));
    const all = await operations();
    expect(all.length).toBeGreaterThan(80);
    const missing = all.filter(
      ({ method, path }) => !called.some((call) => call.method === method && patternOf(path).test(call.path)),
    );
    expect(missing.map(({ operationId }) => operationId)).toEqual([]);
  });
});

import { expect } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import { get } from "./http-setup.ts";
import { answered } from "./run-setup.ts";

/** Spawns a worker and gives its summary. */
export const spawned = (config: JsonObject): Promise<JsonObject> => answered("/v1/workers", config);

/** The id of a worker, from its summary. */
export const idOf = (worker: JsonObject): string => String(worker["id"]);

/** The summary of a worker. */
export const workerNow = async (workerId: string): Promise<JsonObject> =>
  (await (await get(`/v1/workers/${workerId}`)).json()) as JsonObject;

/** The summary of a worker once it has this status; polled, as a client would. */
export const workerWith = async (workerId: string, status: string, timeout = 20_000): Promise<JsonObject> => {
  await expect.poll(async () => (await workerNow(workerId))["status"], { timeout, interval: 25 }).toBe(status);
  return workerNow(workerId);
};

/** Names of the public events of a worker, in order. */
export const eventsOf = async (workerId: string): Promise<readonly string[]> => {
  const page = (await (await get(`/v1/workers/${workerId}/events?limit=200`)).json()) as {
    readonly items: readonly { readonly event: string }[];
  };
  return page.items.map(({ event }) => event);
};

/** A stage that a scripted model answers with this. */
export const says = (text: string): JsonObject => ({
  kind: "stage",
  mode: "llm",
  prompt: "Work",
  model_policy: { provider: "scripted" },
  script: { replies: [{ text }] },
});

/** A sub-agent that calls its tool in each of so many turns, and then is done. */
export const looping = (turns: number): JsonObject => ({
  provider: "scripted",
  tools: [{ name: "echo" }],
  max_iterations: 1000,
  script: {
    replies: [
      ...Array.from({ length: turns }, (_, at) => ({
        when: { turn: at + 1 },
        text: `turn ${at + 1}`,
        tool_calls: [{ name: "echo", arguments: { text: String(at) } }],
      })),
      { text: "all done" },
    ],
  },
});

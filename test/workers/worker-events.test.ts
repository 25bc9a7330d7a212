import { beforeAll, describe, expect, it } from "vitest";
import { readServerSentEvents, type ServerSentEvent } from "../../src/http/server-sent-events.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { get, migrateDatabase, refusal } from "./http-setup.ts";
import { answered } from "./run-setup.ts";
import { says, spawned, workerWith } from "./worker-setup.ts";

beforeAll(migrateDatabase);

const followed = (id: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  get(`/v1/workers/${id}/events`, { Accept: "text/event-stream", ...headers });

const messagesOf = (response: Response): AsyncGenerator<ServerSentEvent> => {
  expect(response.headers.get("Content-Type")).toContain("text/event-stream");
  return readServerSentEvents(response.body ?? new ReadableStream());
};

const rest = async (messages: AsyncGenerator<ServerSentEvent>): Promise<readonly string[]> => {
  const seen: string[] = [];
  for await (const { id, event, data } of messages)
    seen.push(event === "end" ? event : `${id} ${(JSON.parse(data) as { event: string }).event}`);
  return seen;
};

describe("the events of a worker", () => {
  it("[L-13] stream while they happen, end with the worker, and go on where a reader was", async () => {
    const id = String((await spawned({ task: "Wait", node: { kind: "stage", mode: "external" } }))["id"]);
    const messages = messagesOf(await followed(id));
    const first = (await messages.next()).value as ServerSentEvent;
    expect([first.id, first.event]).toEqual(["1", "worker_update"]);
    expect(JSON.parse(first.data)).toMatchObject({
      type: "worker_update",
      worker_id: id,
      event: "WorkerSpawned",
      status: "running",
      terminal: false,
      metadata: { task: "Wait" },
      audit: { worker_id: id },
    });
    await answered(`/v1/workers/${id}/suspend`, {});
    await answered(`/v1/workers/${id}/close`, {});
    expect(await rest(messages)).toEqual(["2 WorkerSuspended", "3 WorkerCancelled", "end"]);
    expect(await rest(messagesOf(await followed(id, { "Last-Event-ID": "2" })))).toEqual(["3 WorkerCancelled", "end"]);
    expect((await followed(id, { "Last-Event-ID": "3" })).status).toBe(204);
    expect(await refusal(followed(id, { "Last-Event-ID": "x" }))).toMatchObject({ status: 400 });
    const page = (await (await get(`/v1/workers/${id}/events?after=1&limit=1`)).json()) as JsonObject;
    expect(page).toMatchObject({ items: [{ seq: 2, id: "2" }], next: 2, ended: false });
  });

  it("[L-13] come over a WebSocket, also those of a later cycle", async () => {
    const id = String((await spawned({ task: "Draft", node: says("a note") }))["id"]);
    await workerWith(id, "completed");
    const response = await get(`/v1/workers/${id}/events?after=1`, { Upgrade: "websocket" });
    expect(response.status).toBe(101);
    const socket = response.webSocket;
    const seen: string[] = [];
    const closed = new Promise<void>((resolve) => {
      socket?.addEventListener("message", ({ data }) => {
        const { id: at, event } = JSON.parse(String(data)) as { id: string; event: string };
        seen.push(`${at} ${event}`);
        if (at === "4") resolve();
      });
    });
    socket?.accept();
    await answered(`/v1/workers/${id}/input`, { text: "One more" });
    await closed;
    expect(seen).toEqual(["2 WorkerCompleted", "3 WorkerSpawned", "4 WorkerCompleted"]);
    socket?.close();
  });

  it("[L-13] are not there for a worker that is not", async () => {
    for (const headers of [{}, { Accept: "text/event-stream" }, { Upgrade: "websocket" }])
      expect(await refusal(get("/v1/workers/worker_none/events", headers))).toMatchObject({ status: 404 });
  });
});

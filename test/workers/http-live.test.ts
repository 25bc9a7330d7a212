import { beforeAll, describe, expect, it } from "vitest";
import { readServerSentEvents, type ServerSentEvent } from "../../src/http/server-sent-events.ts";
import { clientFor, get, migrateDatabase, refusal, TWO_STAGES } from "./http-setup.ts";

const client = clientFor();

beforeAll(migrateDatabase);

const streamOf = async (runId: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  get(`/v1/runs/${runId}/events`, { Accept: "text/event-stream", ...headers });

const messagesOf = (response: Response): AsyncGenerator<ServerSentEvent> => {
  expect(response.headers.get("Content-Type")).toContain("text/event-stream");
  return readServerSentEvents(response.body ?? new ReadableStream());
};

const newRun = async (): Promise<string> =>
  (await client.createRun({ graph: TWO_STAGES, task: "x", drive: "manual" })).run_id;

const nextEvent = async (messages: AsyncGenerator<ServerSentEvent>): Promise<string | undefined> => {
  const next = await messages.next();
  return next.done === true ? undefined : next.value.event;
};

describe("the events of a run", () => {
  it("[api] come as a list, page by page", async () => {
    const runId = await newRun();
    await client.prepareStage(runId, "a");
    const first = await client.listEvents(runId, { limit: 2 });
    expect(first.items.map((event) => event.type)).toEqual(["run_created", "checkpoint_taken"]);
    const second = await client.listEvents(runId, { limit: 2, cursor: first.next_cursor ?? "" });
    expect(second).toMatchObject({ items: [{ type: "stage_prepared" }], next_cursor: null, ended: false });
    await client.cancelRun(runId);
    expect(await client.listEvents(runId, { after: second.items[0]?.id })).toMatchObject({
      items: [{ type: "run_cancelled" }],
      ended: true,
    });
    expect(JSON.stringify(first)).not.toContain("attempt_token");
  });

  it("[api] stream while they happen and end with the run", async () => {
    const runId = await newRun();
    const messages = messagesOf(await streamOf(runId));
    expect(await nextEvent(messages)).toBe("run_created");
    expect(await nextEvent(messages)).toBe("checkpoint_taken");
    const live = nextEvent(messages);
    const plan = await client.prepareStage(runId, "a");
    expect(await live).toBe("stage_prepared");
    await client.completeStage(runId, "a", { attempt_token: plan.attempt_token, result: { text: "x" } });
    expect(await nextEvent(messages)).toBe("stage_completed");
    await client.cancelRun(runId);
    const rest: string[] = [];
    for await (const message of messages) rest.push(message.event);
    expect(rest.slice(-2)).toEqual(["run_cancelled", "end"]);
  });

  it("[api] resume after the last event that was seen", async () => {
    const runId = await newRun();
    await client.prepareStage(runId, "a");
    const { items } = await client.listEvents(runId);
    const messages = messagesOf(await streamOf(runId, { "Last-Event-ID": items[1]?.id ?? "" }));
    expect((await messages.next()).value).toMatchObject({ event: "stage_prepared", id: items[2]?.id });
    await messages.return(undefined);
    await client.cancelRun(runId);
    const ended = await client.listEvents(runId);
    const nothing = await streamOf(runId, { "Last-Event-ID": ended.items.at(-1)?.id ?? "" });
    expect(nothing.status).toBe(204);
    const seen: string[] = [];
    for await (const event of client.events(runId, { after: items[1]?.id ?? "" })) seen.push(event.type);
    expect(seen).toEqual(["stage_prepared", "run_cancelled"]);
  });

  it("[api] come once each, also those that follow the end", async () => {
    const runId = await newRun();
    const messages = messagesOf(await streamOf(runId));
    const seen = [await nextEvent(messages)];
    for (const node of ["a", "b"]) {
      const plan = await client.prepareStage(runId, node);
      const done = await client.completeStage(runId, node, {
        attempt_token: plan.attempt_token,
        result: { text: "x" },
      });
      await client.recordTransitions(runId, { stage: done, edges: done.next_edges });
    }
    await client.finalizeRun(runId);
    for await (const message of messages) seen.push(message.event);
    const { items } = await client.listEvents(runId);
    expect(seen).toEqual([...items.map((event) => event.type), "end"]);
    expect(seen.slice(-3)).toEqual(["run_finalized", "checkpoint_taken", "end"]);
  });

  it("[api] come over a WebSocket", async () => {
    const runId = await newRun();
    const response = await get(`/v1/runs/${runId}/events`, { Upgrade: "websocket" });
    expect(response.status).toBe(101);
    const socket = response.webSocket;
    const types: string[] = [];
    const cancelled = new Promise<void>((resolve) => {
      socket?.addEventListener("message", ({ data }) => {
        const { type } = JSON.parse(String(data)) as { type: string };
        types.push(type);
        if (type === "run_cancelled") resolve();
      });
    });
    socket?.accept();
    await client.cancelRun(runId);
    await cancelled;
    expect(types).toEqual(["run_created", "checkpoint_taken", "run_cancelled"]);
    socket?.close();
  });

  it("[api] are not there for a run that is not, whatever form is asked for", async () => {
    for (const headers of [{}, { Accept: "text/event-stream" }, { Upgrade: "websocket" }])
      expect(await refusal(get("/v1/runs/nobody/events", headers))).toMatchObject({
        status: 404,
        code: "run_not_found",
      });
  });

  it("[api] refuse an id that is no event's", async () => {
    const runId = await newRun();
    expect(await refusal(streamOf(runId, { "Last-Event-ID": "x" }))).toMatchObject({ status: 400 });
    expect(await refusal(get(`/v1/runs/${runId}/events?after=1`))).toMatchObject({ status: 400 });
  });
});

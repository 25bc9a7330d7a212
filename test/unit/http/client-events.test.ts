import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Client } from "../../../src/http/client.ts";

const text = (event: string, id = ""): string =>
  `${id === "" ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify({ id: id || null, type: event })}\n\n`;

/** A stream that sends these messages and then ends, or is torn. */
const stream = (messages: readonly string[], end: "closed" | "torn"): Response => {
  const pending = [...messages];
  return new Response(
    new ReadableStream({
      pull: (controller) => {
        const next = pending.shift();
        if (next !== undefined) controller.enqueue(new TextEncoder().encode(next));
        else if (end === "closed") controller.close();
        else controller.error(new TypeError("terminated"));
      },
    }),
    { headers: { "Content-Type": "text/event-stream" } },
  );
};

type Answer = () => Response;

const refused: Answer = () => {
  throw new TypeError("connection refused");
};

const problem =
  (status: number): Answer =>
  () =>
    new Response(JSON.stringify({ code: "x", status, detail: "x" }), {
      status,
      headers: { "Content-Type": "application/problem+json" },
    });

const empty: Answer = () => stream([], "closed");

/** What the client makes of these answers, one for each request, and after which event each was asked for. */
const follow = async (answers: readonly Answer[]) => {
  const asked: (string | null)[] = [];
  const seen: string[] = [];
  const client = new Client({
    base_url: "http://x",
    key: "k",
    fetch: async (_, init) => {
      asked.push(new Headers(init.headers).get("Last-Event-ID"));
      return (answers[asked.length - 1] ?? refused)();
    },
  });
  const reading = (async () => {
    for await (const { type } of client.events("r")) seen.push(type);
  })();
  const outcome = reading.then(
    () => "ended",
    (thrown: unknown) => String(thrown),
  );
  await vi.runAllTimersAsync();
  return { outcome: await outcome, asked, seen };
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe("the events of a run through the client", () => {
  it("[api] are resumed after a connection that was torn and a server that was away", async () => {
    const { outcome, asked, seen } = await follow([
      () => stream([text("run_created", "1.0"), text("text")], "torn"),
      refused,
      problem(503),
      () => stream([text("stage_prepared", "1.1")], "closed"),
      () => stream([text("end")], "closed"),
    ]);
    expect(outcome).toBe("ended");
    expect(seen).toEqual(["run_created", "text", "stage_prepared"]);
    expect(asked).toEqual([null, "1.0", "1.0", "1.0", "1.1"]);
  });

  it("[api] are given up with the fault when nothing comes any more", async () => {
    const { outcome, asked } = await follow([() => stream([text("run_created", "1.0")], "torn")]);
    expect(outcome).toContain("connection refused");
    expect(asked).toHaveLength(5);
  });

  it("[api] do not end as if the run were over when streams end too early", async () => {
    const { outcome } = await follow([empty, empty, empty, empty, empty]);
    expect(outcome).toContain("ends again and again");
  });

  it("[api] are not asked for again when they are refused or nobody answers at first", async () => {
    expect((await follow([problem(404)])).asked).toHaveLength(1);
    expect((await follow([refused])).asked).toHaveLength(1);
  });
});

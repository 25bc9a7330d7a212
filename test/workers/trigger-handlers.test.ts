import { env } from "cloudflare:workers";
import { createExecutionContext } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { circuitObject } from "../../src/http/circuit-object.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { dispatchOne } from "../../src/queue/dispatch.ts";
import type { EventView } from "../../src/schema/trigger-event.ts";
import { migrateDatabase, post, ROOT_KEY, send } from "./http-setup.ts";
import { answered } from "./run-setup.ts";
import { accepted, defineWorkflow, endedRun, eventIn, ISSUE_OPENED, objectOf, put } from "./trigger-setup.ts";

/** A signal that a run of the workflow waits for. */
const GO = { kind: "stage", mode: "wait", wait: { message: "go" } };
const ASLEEP = { kind: "stage", mode: "sleep", sleep: { ms: 3_600_000 } };

const defineStage = async (id: string, only: object): Promise<void> => {
  const graph = { _type: "workflow_graph", entry: "only", nodes: { only }, edges: [] };
  const response = await send(`/v1/workflows/${id}`, {
    method: "PUT",
    headers: { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify({ graph }),
  });
  if (response.status !== 200) throw new Error(await response.text());
};

beforeAll(async () => {
  await migrateDatabase();
  await defineWorkflow();
  await defineStage("asleep", ASLEEP);
});

afterEach(() => vi.unstubAllGlobals());

const putDown = async (id: string, change: Readonly<Record<string, unknown>>): Promise<void> => {
  const response = await put(id, change);
  if (response.status !== 200) throw new Error(await response.text());
};

const delivered = (id: string, delivery: string): Promise<{ readonly event_id: string }> =>
  accepted(`/hooks/${id}`, { body: ISSUE_OPENED, id: delivery });

/** The event as its object has it, once a test of it holds. */
const eventOf = (id: string, key: string, eventId: string, test: (event: EventView) => boolean): Promise<EventView> =>
  vi.waitUntil(
    async () => {
      const event = await objectOf(id).event(key, eventId);
      return event !== null && test(event) ? event : false;
    },
    { timeout: 15_000, interval: 20 },
  );

const isRunning = (event: EventView): boolean => event.attempts.at(-1)?.is_running === true;

/** What a dispatch message of an event does, now. */
const dispatchNow = (id: string, key: string, eventId: string): Promise<void> =>
  dispatchOne(env as Env, createExecutionContext(), {
    v: 1,
    tenant: "default",
    trigger_id: id,
    event_id: eventId,
    dedupe_key: key,
  });

interface Sent {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers every request to a host with a status; gives what was sent. */
const answering = (host: string, statuses: readonly number[]): Sent[] => {
  const seen: Sent[] = [];
  const { fetch } = globalThis;
  vi.stubGlobal("fetch", (input: RequestInfo | URL, init?: RequestInit) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (url.host !== host) return fetch(input as string, init);
    seen.push({ headers: Object.fromEntries(new Headers(init?.headers)), body: String(init?.body) });
    return Promise.resolve(Response.json({ seen: seen.length }, { status: statuses[seen.length - 1] ?? 200 }));
  });
  return seen;
};

const finished = (workflow: string, options: JsonObject = {}) => ({
  handler: { workflow, completion: "finished", options },
});

describe("a workflow whose end is waited for", () => {
  it("[T-11] the dispatch ends with the run", async () => {
    await putDown("waits", finished("triage"));
    const { event_id: id } = await delivered("waits", "1");
    const event = await eventIn(id, "dispatched");
    expect(event).toMatchObject({ attempts: [{ attempt: 1, outcome: "success" }], result: { status: "completed" } });
    expect((await endedRun(event.runs[0] ?? ""))["status"]).toBe("completed");
  });

  it("[T-12.3] a run that failed is a dead letter, and no other run is started", async () => {
    await putDown("fails", finished("asleep", { deadline: 400 }));
    const { event_id: id } = await delivered("fails", "1");
    const event = await eventIn(id, "dead_lettered");
    expect(event).toMatchObject({
      attempts: [{ attempt: 1, outcome: "failed", error: { code: "run_failed" } }],
      dead_letter: { state: "pending", attempt_count: 1 },
      runs: [event.run_id],
    });
    expect(event.error?.detail).toContain("the run did not end until its deadline");
  }, 30_000);

  it("[T-12.2] with `retry` a run that failed is followed by a new one", async () => {
    await putDown("retries", { ...finished("asleep", { deadline: 400 }), retry: { max: 2, backoff: "immediate" } });
    const { event_id: id } = await delivered("retries", "1");
    const event = await eventIn(id, "dead_lettered");
    expect(event.attempts).toMatchObject([{ outcome: "failed" }, { outcome: "failed" }]);
    expect(new Set(event.runs).size).toBe(2);
    for (const run of event.runs) expect((await endedRun(run))["status"]).toBe("failed");
  }, 30_000);

  it("[T-13.1] cancelling the event cancels its run", async () => {
    await defineStage("cancels", GO);
    await putDown("cancels", finished("cancels"));
    const { event_id: id } = await delivered("cancels", "1");
    const { run_id: run } = await eventOf("cancels", "1", id, isRunning);
    const answer = await objectOf("cancels").cancel("1", { requested_by: "me", audit_id: null });
    expect(answer).toMatchObject({ ok: true, reply: { cancel_run: run, row: { status: "dispatching" } } });
    await dispatchNow("cancels", "1", id);
    expect((await endedRun(run ?? ""))["status"]).toBe("cancelled");
    const event = await eventOf("cancels", "1", id, ({ status }) => status === "cancelled");
    expect(event).toMatchObject({ attempts: [{ outcome: "cancelled" }], cancel: { requested_by: "me" } });
  });

  it("[T-10] of two deliveries the second waits until the run of the first has ended", async () => {
    await defineStage("one", GO);
    await putDown("one", { handler: { workflow: "one" }, concurrency: { max: 1 } });
    const first = await delivered("one", "1");
    await eventOf("one", "1", first.event_id, isRunning);
    const second = await delivered("one", "2");
    const parked = await eventOf("one", "2", second.event_id, ({ status }) => status === "parked");
    expect(parked).toMatchObject({ attempts: [], run_id: null });
    await answered("/v1/mailboxes/one/signal", { name: "go" });
    await eventIn(first.event_id, "dispatched");
    const woken = await eventOf("one", "2", second.event_id, isRunning);
    expect(woken.run_id).not.toBe(first.event_id);
    await answered("/v1/mailboxes/one/signal", { name: "go" });
    await eventIn(second.event_id, "dispatched");
  }, 30_000);

  it("[T-26.2] a message that comes again while the run is under way starts no other", async () => {
    await defineStage("again", GO);
    await putDown("again", finished("again"));
    const { event_id: id } = await delivered("again", "1");
    const { run_id: run } = await eventOf("again", "1", id, isRunning);
    for (let time = 0; time < 3; time += 1) await dispatchNow("again", "1", id);
    expect(await objectOf("again").event("1", id)).toMatchObject({ status: "dispatching", run_id: run, runs: [run] });
    await answered("/v1/mailboxes/again/signal", { name: "go" });
    expect(await eventIn(id, "dispatched")).toMatchObject({ runs: [run] });
  });
});

describe("other handlers", () => {
  it("[T-11.1] a function gets the event, and what it returns is the result", async () => {
    await putDown("local", {
      handler: { function: "echo", input: { number: "{{event.provider_payload.issue.number}}" } },
    });
    const { event_id: id } = await delivered("local", "1");
    const event = await eventIn(id, "dispatched");
    expect(event).toMatchObject({ handler_kind: "local", target_uri: "echo", run_id: null, runs: [] });
    expect(JSON.stringify(event.result)).toContain("1347");
  });

  it("[T-11.3] a queue gets a job for the event", async () => {
    await putDown("queued", { handler: { queue: "triage-jobs", priority: "high" } });
    const { event_id: id } = await delivered("queued", "1");
    const event = await eventIn(id, "dispatched");
    expect(event).toMatchObject({ handler_kind: "worker", target_uri: "worker://triage-jobs" });
    const claimed = await post("/v1/queues/triage-jobs/claim", { consumer_id: "c" });
    const { job } = await claimed.json<{ job: { priority: string; payload: JsonObject } | null }>();
    expect(job).toMatchObject({ priority: "high" });
    expect(JSON.stringify(job?.payload)).toContain(id);
    const none = await (await post("/v1/queues/triage-jobs/claim", { consumer_id: "c" })).json<{ job: unknown }>();
    expect(none.job).toBeNull();
  });

  it("[T-11] an HTTP address gets the event again after a failure that may pass, under the same key", async () => {
    const seen = answering("receiver.test", [503, 200]);
    await putDown("sent", {
      handler: { http: { url: "https://receiver.test/in" } },
      retry: { max: 3, backoff: "immediate" },
    });
    const { event_id: id } = await delivered("sent", "1");
    const event = await eventIn(id, "dispatched");
    expect(event).toMatchObject({
      attempts: [{ outcome: "failed", error: { code: "local" } }, { outcome: "success" }],
      result: { seen: 2 },
    });
    expect(seen.map((one) => one.headers["x-godwit-attempt"])).toEqual(["1", "2"]);
    expect(new Set(seen.map((one) => one.headers["idempotency-key"]))).toEqual(new Set([event.dispatch_id]));
    expect(JSON.parse(seen[0]?.body ?? "null")).toMatchObject({ id });
  });

  it("[T-12.3] what cannot succeed is a dead letter after one attempt", async () => {
    const seen = answering("refuses.test", [422]);
    await putDown("refused", { handler: { http: { url: "https://refuses.test/in" } } });
    const { event_id: id } = await delivered("refused", "1");
    expect(await eventIn(id, "dead_lettered")).toMatchObject({
      attempts: [{ attempt: 1, outcome: "failed" }],
      dead_letter: { reason: "not_retryable", state: "pending" },
    });
    expect(seen).toHaveLength(1);
  });

  it("[T-12.4] an open circuit makes a dead letter, and nothing is called", async () => {
    const seen = answering("broken.test", []);
    const destination = "http:https://broken.test/in";
    for (const attempt_id of ["1", "2", "3", "4", "5"])
      await circuitObject(env, "default", destination).report({ attempt_id, outcome: "failure" });
    await putDown("broken", { handler: { http: { url: "https://broken.test/in" } } });
    const { event_id: id } = await delivered("broken", "1");
    const event = await eventIn(id, "dead_lettered");
    expect(event).toMatchObject({
      destination,
      attempts: [],
      dead_letter: { reason: "circuit_open", attempt_count: 0 },
    });
    expect(seen).toHaveLength(0);
  });

  it("[T-12.4] the failure that opens a circuit ends its event, whatever attempts it had left", async () => {
    answering("failing.test", [500, 500, 500, 500, 500, 500, 500]);
    await putDown("opening", {
      handler: { http: { url: "https://failing.test/in" } },
      retry: { max: 7, backoff: "immediate" },
    });
    const { event_id: id } = await delivered("opening", "1");
    const event = await eventIn(id, "dead_lettered");
    expect(event.attempts).toHaveLength(5);
    expect(event).toMatchObject({ dead_letter: { reason: "circuit_open", attempt_count: 5 } });
  }, 30_000);
});

describe("predicates", () => {
  it("[T-9.1] an expression decides before anything is called", async () => {
    await putDown("when", { when: "event.provider_payload.issue.number > 2000" });
    const { event_id: id } = await delivered("when", "1");
    expect(await eventIn(id, "skipped")).toMatchObject({ skip_stage: "predicate", attempts: [], runs: [] });
  });

  it("[T-9.1] a model is asked outside; what is no yes or no lets nothing through", async () => {
    await putDown("asked", { when: { model: { provider: "scripted", prompt: "Is it urgent?" } } });
    const { event_id: id } = await delivered("asked", "1");
    const event = await eventIn(id, "skipped");
    expect(event).toMatchObject({
      verdicts: [
        { stage: "match", outcome: "passed" },
        { stage: "predicate", outcome: "skipped" },
      ],
      attempts: [],
    });
  });
});

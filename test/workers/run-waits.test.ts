import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import { clientFor, get, migrateDatabase, post, refusal } from "./http-setup.ts";
import { answered, objectOf, runWith, startRun, waitingRun } from "./run-setup.ts";

const client = clientFor();

beforeAll(migrateDatabase);

const echo = (extra: JsonObject = {}): JsonObject => ({ kind: "stage", mode: "function", function: "echo", ...extra });

const wait = (more: JsonObject = {}): JsonObject => ({ kind: "stage", mode: "wait", wait: { message: "go", ...more } });

const nodesOf = (run: { readonly stages: readonly { readonly node_id: string }[] }): readonly string[] =>
  run.stages.map((stage) => stage.node_id);

describe("a run that sleeps", () => {
  it("[I7] is woken by its alarm and costs nothing until then", async () => {
    const runId = await startRun({
      entry: "s",
      nodes: { s: { kind: "stage", mode: "sleep", sleep: { ms: 2_500 } }, after: echo() },
      edges: [{ from: "s", to: "after" }],
    });
    const { until } = await waitingRun(runId, "sleep");
    const alarm = await runInDurableObject(objectOf(runId), (_, state) => state.storage.getAlarm());
    expect(alarm).toBe(Date.parse(until ?? ""));
    // Rung too early it only sets itself again.
    await runDurableObjectAlarm(objectOf(runId));
    expect((await client.getRun(runId)).stages).toEqual([]);
    expect(nodesOf(await runWith(runId, "completed"))).toEqual(["s", "after"]);
  });

  it("[I7] may sleep for longer than an alarm can be set, and rings no more often for it", async () => {
    const runId = await startRun({
      entry: "s",
      nodes: { s: { kind: "stage", mode: "sleep", sleep: { until: "9999-12-31T23:59:59Z" } } },
      edges: [],
    });
    await waitingRun(runId, "sleep");
    const alarmOf = () => runInDurableObject(objectOf(runId), (_, state) => state.storage.getAlarm());
    // The first look is after the outbox of the last commit.
    await runDurableObjectAlarm(objectOf(runId));
    expect(await alarmOf()).toBeGreaterThan(Date.now() + 24 * 3_600_000);
    await runDurableObjectAlarm(objectOf(runId));
    expect(await alarmOf()).toBeGreaterThan(Date.now() + 24 * 3_600_000);
    expect((await client.getRun(runId)).stages).toEqual([]);
  });

  it("[W-4.4] fails at the run's deadline, by the alarm alone", async () => {
    const runId = await startRun(
      { entry: "s", nodes: { s: { kind: "stage", mode: "sleep", sleep: { ms: 3_600_000 } } }, edges: [] },
      { deadline: 700 },
    );
    const run = await runWith(runId, "failed");
    expect(run.metadata["error"]).toContain("the run did not end until its deadline");
  });
});

const waitGraph = (id: string, more: JsonObject = {}): JsonObject => ({
  id,
  entry: "w",
  nodes: { w: wait(more), after: echo(), late: echo() },
  edges: [
    { from: "w", to: "after" },
    { from: "w", to: "late", branch: "timeout" },
  ],
});

const subscribers = async (id: string): Promise<unknown> =>
  ((await (await get(`/v1/mailboxes/${id}/status`)).json()) as JsonObject)["subscriber_count"];

describe("a run that waits for a message", () => {
  it("[W-13] goes on when a signal comes", async () => {
    const id = `m-${crypto.randomUUID()}`;
    const runId = await startRun(waitGraph(id));
    await waitingRun(runId, "message");
    await expect.poll(() => subscribers(id)).toBe(1);
    await answered(`/v1/mailboxes/${id}/signal`, { name: "other", payload: 0 });
    await answered(`/v1/mailboxes/${id}/signal`, { name: "go", payload: { text: "now", n: 1 } });
    const run = await runWith(runId, "completed");
    expect(nodesOf(run)).toEqual(["w", "after"]);
    expect(run.stages[0]).toMatchObject({ visible_text: "now" });
    await expect.poll(() => subscribers(id)).toBe(0);
  });

  it("[W-13] goes on at once when the signal was there before", async () => {
    const id = `m-${crypto.randomUUID()}`;
    await answered(`/v1/mailboxes/${id}/signal`, { name: "go", payload: "early" });
    const run = await runWith(await startRun(waitGraph(id)), "completed");
    expect(run.stages[0]).toMatchObject({ visible_text: "early" });
  });

  it("[W-6] goes another way when its time is over, and listens no more", async () => {
    const id = `m-${crypto.randomUUID()}`;
    const run = await runWith(await startRun(waitGraph(id, { timeout_ms: 300 })), "completed");
    expect(nodesOf(run)).toEqual(["w", "late"]);
    await expect.poll(() => subscribers(id)).toBe(0);
  });

  it("[W-13] that is cancelled listens no more: the signal stays for others", async () => {
    const id = `m-${crypto.randomUUID()}`;
    const runId = await startRun(waitGraph(id));
    await waitingRun(runId, "message");
    await expect.poll(() => subscribers(id)).toBe(1);
    await client.cancelRun(runId);
    await expect.poll(() => subscribers(id)).toBe(0);
    await answered(`/v1/mailboxes/${id}/signal`, { name: "go" });
    expect(await answered(`/v1/mailboxes/${id}/receive`, undefined)).toMatchObject({ message: { name: "go" } });
    expect((await client.getRun(runId)).status).toBe("cancelled");
  });
});

const slow = (text: string): JsonObject => ({
  kind: "stage",
  mode: "llm",
  prompt: "Say",
  model_policy: { provider: "scripted" },
  script: { replies: [{ text }] },
});

describe("a run with parallel stages", () => {
  it("[W-5] executes them side by side and records them in order", async () => {
    const id = `m-${crypto.randomUUID()}`;
    const runId = await startRun(
      {
        id,
        entry: "f",
        nodes: {
          f: { kind: "fork" },
          a: { kind: "stage", mode: "external" },
          b: { kind: "stage", mode: "external" },
          c: echo(),
          d: echo(),
          j: { kind: "join" },
        },
        edges: [
          ...["a", "b", "c", "d"].map((to) => ({ from: "f", to })),
          ...["a", "b", "c", "d"].map((from) => ({ from, to: "j" })),
        ],
      },
      { max_parallel: 2 },
    );
    await waitingRun(runId, "external");
    expect((await client.getRun(runId)).open.map((unit) => unit.node_id)).toEqual(["a", "b"]);
    const plans = await Promise.all(["b", "a"].map((node) => client.prepareStage(runId, node)));
    for (const { node_id, attempt_token } of plans)
      await client.completeStage(runId, node_id, { attempt_token, result: { text: node_id } });
    const run = await runWith(runId, "completed");
    expect(nodesOf(run).toSorted()).toEqual(["a", "b", "c", "d", "f", "j"]);
    expect(nodesOf(run).at(-1)).toBe("j");
  });

  it("[W-5] has as many model calls under way at a time as it has places", async () => {
    const runId = await startRun(
      {
        entry: "f",
        nodes: { f: { kind: "fork" }, a: slow("one"), b: slow("two"), c: slow("three"), j: { kind: "join" } },
        edges: [
          ...["a", "b", "c"].map((to) => ({ from: "f", to })),
          ...["a", "b", "c"].map((from) => ({ from, to: "j" })),
        ],
      },
      { max_parallel: 3 },
    );
    const run = await runWith(runId, "completed");
    expect(nodesOf(run)).toEqual(["f", "a", "b", "c", "j"]);
    expect(run.stages.slice(1, 4).map((stage) => stage.visible_text)).toEqual(["one", "two", "three"]);
    const events = (await client.listEvents(runId, { limit: 100 })).items.map((event) => event.type);
    // All three were prepared before the first of them was completed.
    const prepared = events.map((type, at) => (type === "stage_prepared" ? at : -1)).filter((at) => at >= 0);
    const firstCompleted = events.indexOf("stage_completed", events.indexOf("stage_completed") + 1);
    expect(prepared.filter((at) => at < firstCompleted).length).toBeGreaterThanOrEqual(2);
  });
});

describe("what cannot be asked of a run", () => {
  const bad: readonly (readonly [string, JsonObject, string])[] = [
    ["no place", { max_parallel: 0 }, "max_parallel"],
    ["half a place", { max_parallel: 1.5 }, "max_parallel"],
    ["too many places", { max_parallel: 65 }, "max_parallel"],
    ["a deadline that is no moment", { deadline: "tomorrow" }, "deadline"],
    ["a deadline without a time zone", { deadline: "2026-01-01T00:00:00" }, "deadline"],
    ["a deadline before it begins", { deadline: -1 }, "deadline"],
  ];

  it.each(bad)("[W-4.4] %s is refused with its path", async (_, options, path) => {
    const graph = { _type: "workflow_graph", id: "g", entry: "a", nodes: { a: echo() }, edges: [] };
    const answer = await refusal(post("/v1/runs", { graph, task: "t", options }));
    expect(answer).toMatchObject({ status: 400, code: "invalid_request" });
    expect(JSON.stringify(answer.details)).toContain(path);
  });

  const nodes: readonly (readonly [string, JsonObject])[] = [
    ["a sleep without a time", { kind: "stage", mode: "sleep" }],
    ["a sleep until no moment", { kind: "stage", mode: "sleep", sleep: { until: "later" } }],
    ["a wait for nothing", { kind: "stage", mode: "wait" }],
  ];

  it.each(nodes)("[W-3] %s is refused", async (_, node) => {
    const graph = { _type: "workflow_graph", id: "g", entry: "a", nodes: { a: node }, edges: [] };
    const answer = await refusal(post("/v1/runs", { graph, task: "t" }));
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(["graph_invalid", "invalid_request"]).toContain(answer.code);
  });
});

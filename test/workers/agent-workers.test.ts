import { beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import { get, migrateDatabase, post, refusal } from "./http-setup.ts";
import { answered, runWith, startRun } from "./run-setup.ts";
import { eventsOf, idOf, looping, says, spawned, workerWith } from "./worker-setup.ts";

beforeAll(migrateDatabase);

describe("a worker", () => {
  it("[L-29.1] carries out a stage, and is given more to do", async () => {
    const worker = await spawned({ name: "scribe", task: "Draft a note", node: says("a note") });
    expect(worker).toMatchObject({
      _type: "agent_handle",
      status: "running",
      mode: "stage",
      history: ["Draft a note"],
    });
    const id = idOf(worker);
    expect(await workerWith(id, "completed")).toMatchObject({
      artifact_count: 1,
      result: { status: "completed", mode: "stage", task: "Draft a note", result: { text: "a note" } },
      child_run_id: null,
    });
    expect(await answered(`/v1/workers/${id}/input`, { text: "One more" })).toMatchObject({
      status: "running",
      history: ["Draft a note", "One more"],
    });
    expect(await workerWith(id, "completed")).toMatchObject({
      result: { task: "One more" },
      request: { task: "Draft a note" },
    });
    expect(await eventsOf(id)).toEqual(["WorkerSpawned", "WorkerCompleted", "WorkerSpawned", "WorkerCompleted"]);
  });

  it("[L-29.2] carries out a workflow, and goes on with the same run", async () => {
    const graph = { entry: "act", nodes: { act: says("one") }, edges: [] };
    const id = idOf(await spawned({ task: "Write", graph }));
    const first = await workerWith(id, "completed");
    expect(first).toMatchObject({ mode: "workflow", result: { status: "completed" } });
    const runId = String(first["child_run_id"]);
    expect((first["result"] as JsonObject)["run"]).toMatchObject({ id: runId, metadata: { delegated: true } });
    await answered(`/v1/workers/${id}/input`, { text: "Write on" });
    const second = await workerWith(id, "completed");
    expect(second).toMatchObject({
      child_run_id: runId,
      result: { run: { id: runId, task: "Write on", metadata: { resumed: true, parent_worker_id: id } } },
    });
    expect((await runWith(runId, "completed")).stages.map(({ node_id }) => node_id)).toEqual(["act", "act"]);
    expect(await answered(`/v1/workers/${id}/close`, {})).toMatchObject({
      status: "cancelled",
      error: "worker cancelled",
    });
  });

  it("[L-15.3] runs an agent and answers with its envelope", async () => {
    const id = idOf(
      await spawned({
        task: "Find it",
        sub_agent: { provider: "scripted", script: { replies: [{ text: "found it" }] } },
      }),
    );
    expect(await workerWith(id, "completed")).toMatchObject({
      mode: "sub_agent",
      name: "sub-agent",
      result: { ok: true, summary: "found it", error: null },
    });
  });

  it("[L-8] is not found, and refuses what cannot be, in the words of the specification", async () => {
    expect(await refusal(get("/v1/workers/worker_none"))).toMatchObject({ status: 404, code: "worker_not_found" });
    expect(await refusal(post("/v1/workers/worker_none/close", {}))).toMatchObject({ status: 404 });
    expect(await refusal(post("/v1/workers", { node: says("x") }))).toMatchObject({
      status: 400,
      detail: "spawn_agent: config.task is required",
    });
    expect(await refusal(post("/v1/workers", { task: "x", graph: { entry: "gone", nodes: {} } }))).toMatchObject({
      status: 422,
    });
  });
});

describe("a worker from a snapshot", () => {
  it("[L-32.2] cannot go on with the run of another worker, and says so", async () => {
    const graph = { entry: "act", nodes: { act: says("one") }, edges: [] };
    const id = idOf(await spawned({ task: "Write", graph }));
    await workerWith(id, "completed");
    const snapshot = (await (await get(`/v1/workers/${id}/snapshot`)).json()) as JsonObject;
    const other = `worker_${crypto.randomUUID()}`;
    expect(await answered("/v1/workers/restore", { snapshot: { ...snapshot, id: other } })).toMatchObject({
      id: other,
    });
    await answered(`/v1/workers/${other}/input`, { text: "Write on" });
    expect(await workerWith(other, "failed")).toMatchObject({ error: expect.stringContaining("exists already") });
  });
});

const delegating = (node: JsonObject): JsonObject => ({
  entry: "research",
  nodes: { research: { ...node, kind: "subagent", metadata: { worker_name: "scout" } } },
  edges: [],
});

describe("a subagent stage", () => {
  it("[L-14] is carried out by a worker, whose result comes back", async () => {
    const runId = await startRun(delegating(says("found it")));
    const run = await runWith(runId, "completed");
    expect(run.stages[0]).toMatchObject({ kind: "subagent", outcome: "subagent_completed", branch: "success" });
    expect(run.stages[0]?.artifacts).toMatchObject([
      { text: "found it", metadata: { delegated: true, worker_name: "scout" } },
      { kind: "worker_result", title: "worker result scout", priority: 95 },
    ]);
    expect(run.child_runs).toMatchObject([{ worker_name: "scout", status: "completed" }]);
  });

  it("[L-14] fails with its worker", async () => {
    const node = { ...says("x"), script: { error: { category: "auth", message: "no key" } } };
    const run = await runWith(await startRun(delegating(node)), "completed");
    expect(run.stages[0]).toMatchObject({ kind: "subagent", status: "failed", branch: "error" });
  });

  it("[L-31] is cancelled with its run", async () => {
    const waiting = { kind: "stage", mode: "external" };
    const runId = await startRun(delegating(waiting));
    await expect
      .poll(async () => ((await (await get(`/v1/workers?parent_run_id=${runId}`)).json()) as JsonObject)["items"], {
        timeout: 10_000,
      })
      .toMatchObject([{ status: "running", name: "scout" }]);
    const { items } = (await (await get(`/v1/workers?parent_run_id=${runId}`)).json()) as {
      items: { worker_id: string }[];
    };
    await answered(`/v1/runs/${runId}/cancel`, {});
    const worker = await workerWith(items[0]?.worker_id ?? "", "cancelled");
    expect(worker).toMatchObject({ error: "worker cancelled" });
  });
});

const restedWorker = async (id: string): Promise<JsonObject> => {
  await expect
    .poll(async () => ((await (await get(`/v1/workers/${id}`)).json()) as JsonObject)["suspension"], {
      timeout: 15_000,
    })
    .toMatchObject({ quiesced_at: expect.any(String) });
  return workerWith(id, "suspended");
};

describe("a suspended worker", () => {
  it("[L-17] rests at the next step, goes on behind it, and repeats nothing", async () => {
    const id = idOf(await spawned({ task: "Count", sub_agent: looping(300) }));
    const suspended = await answered(`/v1/workers/${id}/suspend`, { reason: "lunch" });
    expect(suspended).toMatchObject({ status: "suspended", suspension: { reason: "lunch", initiator: "operator" } });
    expect(await answered(`/v1/workers/${id}/suspend`, { reason: "again" })).toMatchObject({
      suspension: { reason: "lunch" },
    });
    await restedWorker(id);
    // A run that shows up only now has to come to rest first.
    const resume = async (): Promise<unknown> => (await post(`/v1/workers/${id}/resume`, { input: "hurry" })).json();
    await expect
      .poll(resume, { timeout: 15_000 })
      .toMatchObject({ status: "running", task: "hurry", suspension: null });
    expect(await refusal(post(`/v1/workers/${id}/resume`, {}))).toMatchObject({
      status: 409,
      detail: `HARN-SUS-003: resume_agent: worker ${id} is not suspended (status=running)`,
    });
    const worker = await workerWith(id, "completed");
    expect(worker).toMatchObject({ result: { ok: true, summary: "all done" } });
    expect(JSON.stringify((worker["result"] as JsonObject)["transcript"])).toContain("hurry");
    const told = (await eventsOf(id)).filter((event) => event !== "WorkerSpawned");
    expect(told).toEqual(["WorkerSuspended", "WorkerResumed", "WorkerCompleted"]);
  });

  it("[L-18] is not suspended under conditions that are none", async () => {
    const id = idOf(await spawned({ task: "Count", sub_agent: looping(300) }));
    expect(await refusal(post(`/v1/workers/${id}/suspend`, { conditions: { nothing: 1 } }))).toMatchObject({
      detail: "HARN-SUS-002: invalid ResumeConditions.nothing: unknown field; expected trigger, timeout, or on_event",
    });
    await answered(`/v1/workers/${id}/close`, {});
  });
});

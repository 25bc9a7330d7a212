import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import { clientFor, get, migrateDatabase } from "./http-setup.ts";
import { answered, objectOf, runWith, startRun } from "./run-setup.ts";
import { eventsOf, says, workerWith } from "./worker-setup.ts";

const client = clientFor();

beforeAll(migrateDatabase);

const delegating = (node: JsonObject): JsonObject => ({
  entry: "research",
  nodes: { research: { ...node, kind: "subagent", metadata: { worker_name: "scout" } } },
  edges: [],
});

interface Update {
  readonly event: string;
  readonly worker_id: string;
  readonly seq: number;
}

const updatesOf = async (runId: string): Promise<readonly Update[]> => {
  const page = (await (await get(`/v1/runs/${runId}/worker_updates`)).json()) as { items: readonly Update[] };
  return page.items;
};

const eventNames = (updates: readonly Update[]): readonly string[] => updates.map(({ event }) => event);

const liveTypes = async (runId: string): Promise<readonly string[]> => {
  const { items } = await client.listEvents(runId, { limit: 200 });
  return items
    .filter(({ type }) => type === "worker_update" || type.startsWith("stage_"))
    .map(({ type, data }) => (type === "worker_update" ? String(data["event"]) : type));
};

interface Branch {
  readonly worker: JsonObject;
  readonly run: JsonObject | null;
}

const childrenOf = async (runId: string): Promise<readonly Branch[]> =>
  ((await (await get(`/v1/runs/${runId}/tree`)).json()) as { children: readonly Branch[] }).children;

describe("the workers of a run", () => {
  it("[L-13.2] are heard in its events and its record, each of their events once and in order", async () => {
    const runId = await startRun(delegating(says("found it")));
    await runWith(runId, "completed");
    expect(await liveTypes(runId)).toEqual(["stage_prepared", "WorkerSpawned", "WorkerCompleted", "stage_completed"]);
    const updates = await updatesOf(runId);
    expect(updates).toMatchObject([
      { type: "worker_update", seq: 1, worker_name: "scout", session_id: "research", status: "running" },
      { type: "worker_update", seq: 2, status: "completed", terminal: true },
    ]);
    expect(await eventsOf(updates[0]?.worker_id ?? "")).toEqual(eventNames(updates));
  });

  it("[L-13.2] are heard to the end by a run that was cancelled", async () => {
    const runId = await startRun(delegating({ kind: "stage", mode: "external" }));
    await expect.poll(async () => eventNames(await updatesOf(runId)), { timeout: 10_000 }).toEqual(["WorkerSpawned"]);
    const { child_runs: children } = await client.getRun(runId);
    expect(children).toMatchObject([{ worker_name: "scout", status: "running", run_id: null }]);
    await answered(`/v1/runs/${runId}/cancel`, {});
    await expect
      .poll(async () => eventNames(await updatesOf(runId)), { timeout: 10_000 })
      .toEqual(["WorkerSpawned", "WorkerCancelled"]);
    expect((await client.getRun(runId)).child_runs).toMatchObject([{ status: "cancelled" }]);
  });

  it("[L-14] stand in its tree with the runs of their cycles, at work and after it", async () => {
    const runId = await startRun(delegating({ kind: "stage", mode: "external" }));
    await expect.poll(async () => (await updatesOf(runId)).length, { timeout: 10_000 }).toBe(1);
    const [child] = await childrenOf(runId);
    const cycleRun = String(child?.worker["cycle_run_id"]);
    expect(child).toMatchObject({ worker: { status: "running", run_id: null }, run: { id: cycleRun } });
    const taken = await answered(`/v1/runs/${cycleRun}/stages/delegated_worker/prepare`, {});
    await answered(`/v1/runs/${cycleRun}/stages/delegated_worker/complete`, {
      attempt_token: taken["attempt_token"],
      result: { status: "completed", text: "done" },
    });
    await runWith(runId, "completed");
    expect(await childrenOf(runId)).toMatchObject([
      { worker: { status: "completed", cycle_run_id: cycleRun }, run: { id: cycleRun, status: "completed" } },
    ]);
    const id = String(child?.worker["worker_id"]);
    expect(await workerWith(id, "completed")).toMatchObject({ cycle_run_id: cycleRun, child_run_id: null });
  });

  it("[architecture 2] cost their run one row for each event but the last, which comes with the result", async () => {
    const runId = await startRun(delegating(says("found it")));
    await runWith(runId, "completed");
    const entries = await runInDurableObject(objectOf(runId), (_, { storage }) =>
      [...storage.sql.exec("SELECT events FROM journal ORDER BY seq")].map(({ events }) =>
        (JSON.parse(String(events)) as readonly { type: string }[]).map(({ type }) => type),
      ),
    );
    const heard = entries.filter((types) => types.includes("worker_update"));
    expect(heard[0]).toEqual(["worker_update"]);
    expect(heard[1]?.slice(0, 2)).toEqual(["worker_update", "stage_completed"]);
    expect(heard).toHaveLength(2);
  });
});

describe("the budget of a run", () => {
  it("[L-14] is spent by its workers too, and bounds their runs", async () => {
    const text = "found it ".repeat(100);
    const graph = {
      entry: "research",
      nodes: { research: { ...says(text), kind: "subagent" }, write: says("never") },
      edges: [{ from: "research", to: "write" }],
    };
    const runId = await startRun(graph, { budget: { max_tokens: 100 } });
    const run = await runWith(runId, "paused");
    const [child] = await childrenOf(runId);
    const spent = (child?.run?.["usage"] ?? {}) as JsonObject;
    expect(spent).toMatchObject({ output_tokens: 225, call_count: 1 });
    expect(run.usage).toEqual(spent);
    expect(run.stages).toMatchObject([{ node_id: "research", usage: spent }]);
    expect(run.paused_by).toContain("the budget of 100 tokens is used up");
  });

  it("[L-14] bounds the run of a worker by what is left of it", async () => {
    const looping = {
      kind: "subagent",
      mode: "agent",
      tools: [{ name: "echo" }],
      model_policy: { provider: "scripted" },
      script: {
        replies: [
          { when: { turn: 1 }, text: "first ".repeat(100), tool_calls: [{ name: "echo", arguments: { text: "x" } }] },
          { text: "done" },
        ],
      },
      retry_policy: { max_attempts: 1 },
    };
    const runId = await startRun(
      { entry: "ask", nodes: { ask: looping }, edges: [] },
      { budget: { max_tokens: 5_000 } },
    );
    await runWith(runId, "completed");
    const [child] = await childrenOf(runId);
    const cycleRun = String(child?.worker["cycle_run_id"]);
    const state = await runInDurableObject(objectOf(cycleRun), (instance) => {
      const { shell } = instance as unknown as { shell: { state: { budget: unknown } } };
      return shell.state.budget;
    });
    expect(state).toEqual({ max_tokens: 5_000 });
  });
});

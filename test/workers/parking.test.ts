import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import { clientFor, get, migrateDatabase } from "./http-setup.ts";
import { untilStatus } from "./replay-setup.ts";
import { answered, runWith, startRun } from "./run-setup.ts";
import { eventsOf, spawned, workerWith } from "./worker-setup.ts";

const client = clientFor();

beforeAll(migrateDatabase);

afterEach(() => {
  vi.unstubAllGlobals();
});

const TOOL = "agent_await_resumption";

/** The settings of an agent that asks for this in its first turn. */
const parking = (given: JsonObject): JsonObject => ({
  provider: "scripted",
  script: {
    replies: [
      { when: { turn: 1 }, text: "I wait.", tool_calls: [{ name: TOOL, arguments: given }] },
      { text: "all done" },
    ],
  },
});

const WAIT = { reason: "needs the key", conditions: { timeout: { duration_minutes: 60, on_timeout: "fail" } } };

const idOf = (worker: JsonObject): string => String(worker["id"]);

const listed = async (query: string): Promise<readonly JsonObject[]> =>
  ((await (await get(`/v1/workers?${query}`)).json()) as { readonly items: readonly JsonObject[] }).items;

/** The run of a worker, as soon as the list shows it. */
const runOf = async (workerId: string): Promise<string> => {
  const found = async (): Promise<JsonObject | undefined> =>
    (await listed("limit=100")).find(({ worker_id: id }) => id === workerId);
  await expect.poll(found, { timeout: 15_000 }).toMatchObject({ run_id: expect.any(String) });
  return String((await found())?.["run_id"]);
};

describe("an agent that parks its worker", () => {
  it("[L-17.7] rests until it is resumed, then goes on with what it is told", async () => {
    const id = idOf(await spawned({ task: "Sign it", sub_agent: parking(WAIT) }));
    const parked = await workerWith(id, "suspended");
    expect(parked).toMatchObject({
      suspension: {
        reason: "needs the key",
        initiator: "self",
        suspended_at_turn: 1,
        conditions: WAIT.conditions,
        quiesced_at: expect.any(String),
      },
    });
    await answered(`/v1/workers/${id}/resume`, { input: "the key is k" });
    const done = await workerWith(id, "completed");
    expect(done).toMatchObject({ task: "the key is k", result: { ok: true, summary: "all done" }, suspension: null });
    const { messages } = (done["result"] as { transcript: { messages: JsonObject[] } }).transcript;
    expect(messages.map(({ role }) => role)).toEqual([
      "user",
      "assistant",
      "tool_result",
      "system",
      "user",
      "assistant",
    ]);
    expect(messages[2]).toMatchObject({ content: expect.stringContaining(`"status":"suspended","handle":"${id}"`) });
    expect((await eventsOf(id)).filter((event) => event !== "WorkerSpawned")).toEqual([
      "WorkerSuspended",
      "WorkerResumed",
      "WorkerCompleted",
    ]);
  });

  it("[L-18.1] is told what is wrong with its conditions, and does not rest", async () => {
    const given = { reason: "r", conditions: { timeout: { duration_minutes: 0 } } };
    const id = idOf(await spawned({ task: "Sign it", sub_agent: parking(given) }));
    const done = await workerWith(id, "completed");
    expect(await eventsOf(id)).toEqual(["WorkerSpawned", "WorkerCompleted"]);
    expect(JSON.stringify(done["result"])).toContain(
      "HARN-SUS-002: invalid ResumeConditions.timeout.duration_minutes: must be a positive int",
    );
  });

  it("[L-14] makes the stage that delegated to it wait", async () => {
    const { provider = "scripted", ...settings } = parking({ reason: "needs the key" });
    const node = { kind: "subagent", mode: "agent", prompt: "Sign it", ...settings, model_policy: { provider } };
    const runId = await startRun({ entry: "sign", nodes: { sign: node }, edges: [] });
    await expect
      .poll(() => listed(`parent_run_id=${runId}`), { timeout: 15_000 })
      .toMatchObject([{ status: "suspended" }]);
    expect((await client.getRun(runId)).status).toBe("running");
    const [{ worker_id: id } = {}] = await listed(`parent_run_id=${runId}`);
    await answered(`/v1/workers/${String(id)}/resume`, {});
    const run = await runWith(runId, "completed");
    expect(run.stages[0]).toMatchObject({ outcome: "subagent_completed", visible_text: "all done" });
  });

  it("[L-17.7] is offered the tool only as a worker", async () => {
    const { provider = "scripted", ...settings } = parking(WAIT);
    const node = { kind: "stage", mode: "agent", prompt: "Sign it", ...settings, model_policy: { provider } };
    const run = await runWith(await startRun({ entry: "sign", nodes: { sign: node }, edges: [] }), "completed");
    expect(run.stages[0]).toMatchObject({ visible_text: "all done" });
  });

  it("[W-12.5] is replayed without waiting, asking or calling anything", async () => {
    const id = idOf(await spawned({ task: "Sign it", sub_agent: parking(WAIT) }));
    await workerWith(id, "suspended");
    const source = await runOf(id);
    await answered(`/v1/workers/${id}/resume`, { input: "the key is k" });
    await workerWith(id, "completed");
    const used = vi.fn(() => {
      throw new Error("the network is cut");
    });
    vi.stubGlobal("fetch", used);
    const replay = await client.replayRun(source);
    await untilStatus(client, replay.run_id, "completed");
    expect(used).not.toHaveBeenCalled();
    const [was, is] = [await client.getRun(source), await client.getRun(replay.run_id)];
    expect(is.stages.map(({ attempts }) => attempts)).toEqual(was.stages.map(({ attempts }) => attempts));
    expect(is.stages.map(({ visible_text: text }) => text)).toEqual(["all done"]);
    expect(is.usage).toMatchObject({ call_count: 0 });
    expect((await eventsOf(id)).at(-1)).toBe("WorkerCompleted");
  });
});

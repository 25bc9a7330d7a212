import { beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import { clientFor, get, migrateDatabase, post, refusal } from "./http-setup.ts";
import { answered, runWith, startRun } from "./run-setup.ts";
import { workerWith } from "./worker-setup.ts";

const client = clientFor();

beforeAll(migrateDatabase);

/** A graph of one agent, which gives this to a sub-agent in its first turn. */
const delegating = (given: JsonObject, sub: readonly JsonObject[], node: JsonObject = {}): JsonObject => ({
  entry: "plan",
  nodes: {
    plan: {
      kind: "stage",
      mode: "agent",
      prompt: "Plan the trip",
      tools: [{ name: "echo" }],
      model_policy: { provider: "scripted", subagents: true },
      script: {
        replies: [
          {
            when: { turn: 1, prompt_contains: "Plan the trip" },
            text: "You do it.",
            tool_calls: [{ name: "subagent_run", arguments: given }],
          },
          ...sub,
          { text: `The answer: {{match:"summary":"([^"]*)"}}` },
        ],
      },
      ...node,
    },
  },
  edges: [],
});

const FOUND = { when: { turn: 1, prompt_contains: "Find a hotel" }, text: "Hotel Lux" };

const workersOf = async (runId: string): Promise<readonly JsonObject[]> =>
  ((await (await get(`/v1/workers?parent_run_id=${runId}`)).json()) as { readonly items: readonly JsonObject[] }).items;

describe("an agent that delegates", () => {
  it("[L-15] waits for its sub-agent and goes on with its answer", async () => {
    const runId = await startRun(delegating({ task: "Find a hotel", options: { name: "scout" } }, [FOUND]));
    const run = await runWith(runId, "completed");
    expect(run.stages[0]).toMatchObject({ visible_text: "The answer: Hotel Lux" });
    expect(run.stages[0]?.attempts).toMatchObject([{ outcome: "waiting" }, { status: "completed" }]);
    await expect
      .poll(() => workersOf(runId), { timeout: 15_000 })
      .toMatchObject([{ name: "scout", mode: "sub_agent", status: "completed" }]);
    const replay = await client.replayRun(runId);
    const again = await runWith(replay.run_id, "completed");
    expect(again.stages[0]).toMatchObject({ visible_text: "The answer: Hotel Lux" });
    expect(await workersOf(replay.run_id)).toEqual([]);
  });

  it("[L-15] is told why there can be no sub-agent", async () => {
    const graph = delegating({ task: "Find a hotel" }, [FOUND], {
      script: {
        replies: [
          {
            when: { turn: 1 },
            text: "You do it.",
            tool_calls: [{ name: "subagent_run", arguments: { task: "Find a hotel" } }],
          },
          { text: `{{match:recursion_limit is \\d}}` },
        ],
      },
    });
    const runId = await startRun(graph, { capability_policy: { recursion_limit: 0 } });
    expect((await runWith(runId, "completed")).stages[0]).toMatchObject({ visible_text: "recursion_limit is 0" });
  });

  it("[L-15] ends its sub-agent with its run, and nobody else answers for it", async () => {
    const waiting = {
      when: { turn: 1, prompt_contains: "Find a hotel" },
      text: "I ask.",
      tool_calls: [{ name: "ask", arguments: {} }],
    };
    const tools = [{ name: "ask", client: true }];
    const runId = await startRun(delegating({ task: "Find a hotel" }, [waiting], { tools }));
    await expect.poll(() => workersOf(runId), { timeout: 15_000 }).toMatchObject([{ status: "running" }]);
    const calls = (await (await get(`/v1/runs/${runId}/tool_calls?pending=true`)).json()) as { items: JsonObject[] };
    expect(calls.items).toMatchObject([{ tool_name: "subagent_run", reason: "worker", status: "waiting" }]);
    const callId = String(calls.items[0]?.["call_id"]);
    expect(await refusal(post(`/v1/runs/${runId}/tool_calls/${callId}/respond`, { result: 1 }))).toMatchObject({
      status: 400,
    });
    const [{ worker_id: id } = {}] = await workersOf(runId);
    await answered(`/v1/runs/${runId}/cancel`, {});
    expect(await workerWith(String(id), "cancelled")).toMatchObject({ error: "worker cancelled" });
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import { clientFor, migrateDatabase } from "./http-setup.ts";
import { checkpointAfter, untilStatus } from "./replay-setup.ts";

const client = clientFor();

beforeAll(migrateDatabase);

const scripted = { model_policy: { provider: "scripted" } };

/** Stages side by side, prepared in another order than the one in which they end: a map, a wait and an agent with tools. */
const SIDE_BY_SIDE = {
  id: "side-by-side",
  entry: "fork",
  nodes: {
    fork: { kind: "fork" },
    wait: { mode: "wait", wait: { message: "never", timeout_ms: 150 } },
    map: { kind: "map", mode: "function", function: "echo", map_policy: { items: ["a", "b"] } },
    agent: {
      mode: "agent",
      tools: [{ name: "echo" }],
      ...scripted,
      script: {
        replies: [
          { when: { turn: 1 }, text: "", tool_calls: [{ name: "echo", arguments: { text: "hi" } }] },
          { text: "done" },
        ],
      },
    },
    join: { kind: "join" },
    last: { mode: "function", function: "echo" },
  },
  edges: [
    { from: "fork", to: "wait" },
    { from: "fork", to: "map" },
    { from: "fork", to: "agent" },
    { from: "wait", to: "join" },
    { from: "map", to: "join" },
    { from: "agent", to: "join" },
    { from: "join", to: "last" },
  ],
};

const finished = async (): Promise<string> => {
  const { run_id: run } = await client.createRun({ graph: SIDE_BY_SIDE, task: "x", options: { max_parallel: 3 } });
  await untilStatus(client, run, "completed");
  return run;
};

const idOf = (reply: object): string => ("run_id" in reply ? String(reply.run_id) : "");

describe("a run whose stages ran side by side", () => {
  it("[W-12.6] is identical to its replay, tools and positions of its stages included", async () => {
    const source = await finished();
    const stages = (await client.getRun(source)).stages.map(({ node_id }) => node_id);
    expect(stages.indexOf("wait")).toBeGreaterThan(stages.indexOf("agent"));
    const replay = idOf(await client.replayRun(source));
    await untilStatus(client, replay, "completed");
    const diff = await client.diffRuns(source, replay);
    expect(diff).toMatchObject({
      tool_diffs: [],
      observability_diffs: [],
      identical: true,
      left_state_hash: diff.right_state_hash,
    });
    const report = await client.evaluateRuns({ cases: [{ run_id: replay, compare_to: source }] });
    expect(report.pass).toBe(true);
  });

  it("[architecture] is forked with another result beside a stage that was still open", async () => {
    const source = await finished();
    const checkpoint = await checkpointAfter(client, source, "agent");
    const agent = (await client.getRun(source)).stages.find(({ node_id }) => node_id === "agent");
    const fork = idOf(
      await client.forkRun(source, {
        checkpoint_id: checkpoint,
        edits: { stage_results: { [agent?.id ?? ""]: { result: { status: "completed", text: "edited" } } } },
      }),
    );
    await untilStatus(client, fork, "completed");
    const { stages } = await client.getRun(fork);
    expect(stages.map(({ node_id }) => node_id).toSorted()).toEqual(["agent", "fork", "join", "last", "map", "wait"]);
    expect(stages.find(({ node_id }) => node_id === "agent")?.visible_text).toBe("edited");
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import { clientFor, migrateDatabase } from "./http-setup.ts";
import { checkpointAfter, untilStatus } from "./replay-setup.ts";

const client = clientFor();

const STAGES = 5_000;

const LOOP = {
  _type: "workflow_graph",
  id: "loop",
  entry: "a",
  nodes: { a: { kind: "stage", mode: "function", function: "echo", input: { text: "x".repeat(200) } } },
  edges: [{ from: "a", to: "a" }],
} as const;

beforeAll(migrateDatabase);

describe("a long run", () => {
  it("[W-12.5] is replayed page by page, compared and forked", { timeout: 180_000 }, async () => {
    const { run_id: source } = await client.createRun({ graph: LOOP, task: "t", options: { max_steps: STAGES } });
    await untilStatus(client, source, "paused");
    const replay = await client.replayRun(source);
    expect(replay.max_steps).toBe(STAGES);
    await untilStatus(client, replay.run_id, "paused");
    const run = await client.getRun(replay.run_id);
    expect(run.stages.length + (run.omitted?.stages ?? 0)).toBe(STAGES);
    expect(run.stages.at(-1)?.id).toBe(`${replay.run_id}:a:${STAGES}`);

    const diff = await client.diffRuns(source, replay.run_id);
    expect(diff).toMatchObject({ first_divergence: null, stage_diffs: [], transition_count_delta: 0 });
    expect(diff.left_path).toHaveLength(STAGES);
    expect(diff.left_state_hash).toBe(diff.right_state_hash);
    expect((await client.getFixture(source)).stage_assertions).toHaveLength(STAGES);

    const checkpoint = (await client.getRun(source)).checkpoints.at(-3)?.id ?? (await checkpointAfter(client, source));
    const { effect_plan: plan } = await client.forkRun(source, { checkpoint_id: checkpoint, dry_run: true });
    expect(plan.counts).toEqual({ reused: STAGES - 1, repeated: 1, blocked: 0 });
    const fork = await client.resumeFrom(source, checkpoint, 2);
    await untilStatus(client, fork.run_id, "paused");
    const { stages, omitted } = await client.getRun(fork.run_id);
    expect([stages.length + (omitted?.stages ?? 0), stages.at(-1)?.id]).toEqual([
      STAGES + 1,
      `${fork.run_id}:a:${STAGES + 1}`,
    ]);
  });
});

import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { clientFor, migrateDatabase, TWO_STAGES } from "./http-setup.ts";
import { checkpointAfter, driveByHand, OUTSIDE, outsideRun, refusedWith, untilStatus } from "./replay-setup.ts";

const client = clientFor();

beforeAll(migrateDatabase);

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a deterministic replay", () => {
  it("[W-12.5] comes to the same end with the network cut and nothing called", async () => {
    const source = await outsideRun(client);
    const used = vi.fn(() => {
      throw new Error("the network is cut");
    });
    vi.stubGlobal("fetch", used);
    const replay = await client.replayRun(source);
    await untilStatus(client, replay.run_id, "completed");
    expect(used).not.toHaveBeenCalled();

    const [was, is] = [await client.getRun(source), await client.getRun(replay.run_id)];
    expect(is.id).not.toBe(was.id);
    expect(is.metadata).toMatchObject({ replay_mode: "deterministic", replayed_from: source });
    expect(is.stages.map(({ node_id, branch, visible_text }) => [node_id, branch, visible_text])).toEqual(
      was.stages.map(({ node_id, branch, visible_text }) => [node_id, branch, visible_text]),
    );
    expect(is.artifacts.map(({ id }) => id)).toEqual(was.artifacts.map(({ id }) => id));
    expect(is.stages.map(({ attempts }) => attempts)).toEqual(was.stages.map(({ attempts }) => attempts));
    expect(is.usage).toMatchObject({ call_count: 0, total_cost: 0 });
    const diff = await client.diffRuns(source, replay.run_id);
    expect(diff).toMatchObject({ first_divergence: null, stage_diffs: [], usage_delta: { total_cost: 0 } });
    expect(diff.left_state_hash).toBe(diff.right_state_hash);
  });

  it("[W-12.5] fails with the text of the specification where another version leads elsewhere", async () => {
    await client.defineWorkflow("moved", TWO_STAGES);
    const other = { ...TWO_STAGES, entry: "b", edges: [{ from: "b", to: "a" }] };
    const { version } = await client.defineWorkflow("moved", other);
    const { run_id: source } = await client.createRun({ workflow_id: "moved", version: 1, task: "t", drive: "manual" });
    await driveByHand(client, source);
    const replay = await client.replayRun(source, { version });
    await untilStatus(client, replay.run_id, "failed");
    expect((await client.getRun(replay.run_id)).metadata["error"]).toBe(
      "workflow replay mismatch: expected node b, next replay stage is a",
    );
    expect(await refusedWith(client.replayRun(source, { version: 9 }))).toMatchObject({
      status: 404,
      code: "workflow_not_found",
    });
  });

  it("[api] is refused for a run that goes on or does not exist, and is made once for each key", async () => {
    const { run_id: going } = await client.createRun({ graph: TWO_STAGES, task: "t", drive: "manual" });
    expect(await refusedWith(client.replayRun(going))).toMatchObject({ status: 409, code: "invalid_transition" });
    expect(await refusedWith(client.replayRun("nobody"))).toMatchObject({ status: 404, code: "run_not_found" });
    const source = await outsideRun(client);
    const key = { idempotency_key: "replay-once" };
    const first = await client.replayRun(source, {}, key);
    expect((await client.replayRun(source, {}, key)).run_id).toBe(first.run_id);
    expect(await refusedWith(client.replayRun(going, {}, key))).toMatchObject({ status: 409 });
  });

  it("[W-12.5] a replay of a run that was cut short ends where the recording does", async () => {
    const { run_id: source } = await client.createRun({ graph: OUTSIDE, task: "t", drive: "manual" });
    const step = await client.advanceRun(source);
    await client.advanceRun(source, {
      complete: { attempt_token: step.next?.attempt_token ?? "", result: { status: "completed", text: "items" } },
    });
    await client.cancelRun(source);
    const replay = await client.replayRun(source);
    await untilStatus(client, replay.run_id, "failed");
    expect((await client.getRun(replay.run_id)).metadata["error"]).toBe("workflow replay exhausted before node charge");
  });
});

describe("resuming from a checkpoint", () => {
  it("[W-4.10] goes on as a new run that names where it came from", async () => {
    const source = await outsideRun(client);
    const checkpoint = await checkpointAfter(client, source, "think");
    const resumed = await client.resumeFrom(source, checkpoint, 7);
    expect(resumed).toMatchObject({ status: "running", ready_nodes: ["check"], max_steps: 7 });
    expect(await driveByHand(client, resumed.run_id)).toEqual(["check", "ask"]);
    const run = await client.getRun(resumed.run_id);
    expect(run.metadata["resumed_from"]).toEqual({ run_id: source, checkpoint_id: checkpoint });
    expect(run.stages.map(({ node_id }) => node_id)).toEqual(["fetch", "charge", "think", "check", "gate", "ask"]);
  });

  it("[api] is refused while the run goes on and for a checkpoint it did not take", async () => {
    const { run_id: going } = await client.createRun({ graph: TWO_STAGES, task: "t", drive: "manual" });
    const start = await checkpointAfter(client, going);
    expect(await refusedWith(client.resumeFrom(going, start))).toMatchObject({ status: 409 });
    expect(await refusedWith(client.resumeFrom(going, "none"))).toMatchObject({
      status: 404,
      code: "checkpoint_not_found",
    });
    await client.pauseRun(going);
    const key = { idempotency_key: "resume-once" };
    const first = await client.resumeFrom(going, start, 5, key);
    expect((await client.resumeFrom(going, start, 5, key)).run_id).toBe(first.run_id);
    expect(await refusedWith(client.resumeFrom(going, start, 6, key))).toMatchObject({
      code: "idempotency_key_reused",
    });
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import { clientFor, migrateDatabase, TWO_STAGES } from "./http-setup.ts";
import { checkpointAfter, driveByHand, outsideRun, refusedWith } from "./replay-setup.ts";

const client = clientFor();

beforeAll(migrateDatabase);

const idOf = (reply: object): string => ("run_id" in reply ? String(reply.run_id) : "");

describe("a fork", () => {
  it("[architecture] without edits comes to the same end and leaves the original as it was", async () => {
    const source = await outsideRun(client);
    const before = await client.getRun(source);
    const checkpoint = await checkpointAfter(client, source, "charge");
    const fork = idOf(await client.forkRun(source, { checkpoint_id: checkpoint }));
    expect(await driveByHand(client, fork)).toEqual(["think", "check", "ask"]);
    const run = await client.getRun(fork);
    expect(run).toMatchObject({ status: "completed", parent_run_id: source, root_run_id: source });
    expect(run.metadata["forked_from"]).toEqual({ run_id: source, checkpoint_id: checkpoint });
    const diff = await client.diffRuns(source, fork);
    expect(diff.first_divergence).toBeNull();
    expect(diff.left_state_hash).toBe(diff.right_state_hash);
    // A fixture that was never finalized is made anew each time it is read.
    expect(await client.getRun(source)).toEqual({ ...before, replay_fixture: expect.anything() as unknown });
  });

  it("[architecture] takes another task, other artifacts and another result of the last stage", async () => {
    const source = await outsideRun(client);
    const checkpoint = await checkpointAfter(client, source, "think");
    const { stages } = await client.getRun(source);
    const [fetched, charged, thought] = stages;
    const removed = fetched?.produced_artifact_ids[0] ?? "";
    const replaced = charged?.produced_artifact_ids[0] ?? "";
    const fork = idOf(
      await client.forkRun(source, {
        checkpoint_id: checkpoint,
        edits: {
          task: "do it otherwise",
          artifacts: {
            add: [{ id: "extra", kind: "plan", text: "more" }],
            remove: [removed],
            replace: { [replaced]: { kind: "plan", text: "charged less" } },
          },
          stage_results: { [thought?.id ?? ""]: { result: { status: "completed", text: "nothing" } } },
          options: { max_steps: 3 },
        },
      }),
    );
    expect(await driveByHand(client, fork)).toEqual(["check", "give_up"]);
    const run = await client.getRun(fork);
    expect(run).toMatchObject({ task: "do it otherwise", metadata: { max_steps: 3 } });
    const texts = run.artifacts.map(({ text }) => text);
    expect(texts.slice(0, 3)).toEqual(["charged less", "nothing", "more"]);
    expect(run.artifacts.map(({ id }) => id)).not.toContain(removed);
    expect(run.stages[2]).toMatchObject({ id: thought?.id, visible_text: "nothing" });
    expect((await client.diffRuns(source, fork)).first_divergence).toMatchObject({
      position: 2,
      node_id: "think",
      what: expect.arrayContaining(["outputs.text"]) as unknown,
    });
  });

  it("[architecture] shows with dry_run what becomes of recorded effects, and makes nothing", async () => {
    const source = await outsideRun(client);
    const checkpoint = await checkpointAfter(client, source, "fetch");
    const key = { idempotency_key: "dry-then-real" };
    const dry = { checkpoint_id: checkpoint, dry_run: true, edits: { block_effects: true } };
    const { effect_plan: plan } = await client.forkRun(source, dry, key);
    expect(plan.effects.map(({ node_id, effect, decision }) => [node_id, effect, decision])).toEqual([
      ["fetch", "http", "reused"],
      ["charge", "function", "blocked"],
      ["think", "agent", "blocked"],
      ["check", "command", "repeated"],
      ["ask", "external", "repeated"],
    ]);
    expect(plan.counts).toEqual({ reused: 1, repeated: 2, blocked: 2 });
    expect(plan.effects[2]?.tools).toEqual([{ name: "write", side_effect_level: "workspace_write" }]);
    expect(plan.effects[0]?.idempotency_key).toBe(`${source}:fetch:1`);

    // Had the dry run made the run of this key, another request under it would be refused.
    const fork = idOf(await client.forkRun(source, { checkpoint_id: checkpoint }, key));
    await driveByHand(client, fork);
    const charge = (await client.getRun(fork)).stages[1];
    expect(charge).toMatchObject({ node_id: "charge", status: "failed", branch: "error" });
    expect(charge?.metadata["error"]).toContain("may not be repeated");
  });

  it("[architecture] goes on with another version of the workflow, which must have the pending nodes", async () => {
    await client.defineWorkflow("forked", TWO_STAGES);
    const longer = {
      ...TWO_STAGES,
      nodes: { ...TWO_STAGES.nodes, c: { kind: "stage", mode: "external" } },
      edges: [...TWO_STAGES.edges, { from: "b", to: "c" }],
    };
    const { version: second } = await client.defineWorkflow("forked", longer);
    const renamed = {
      ...TWO_STAGES,
      nodes: { a: TWO_STAGES.nodes.a, z: TWO_STAGES.nodes.b },
      edges: [{ from: "a", to: "z" }],
    };
    const { version: third } = await client.defineWorkflow("forked", renamed);
    const { run_id: source } = await client.createRun({
      workflow_id: "forked",
      version: 1,
      task: "t",
      drive: "manual",
    });
    await driveByHand(client, source);
    const checkpoint = await checkpointAfter(client, source, "a");
    const fork = idOf(await client.forkRun(source, { checkpoint_id: checkpoint, version: second }));
    expect(await driveByHand(client, fork)).toEqual(["b", "c"]);
    const refused = await refusedWith(client.forkRun(source, { checkpoint_id: checkpoint, version: third }));
    expect(refused).toMatchObject({ status: 422, code: "graph_invalid" });
    expect(refused.detail).toContain("no node b");
  });

  it("[api] is refused where it cannot be made", async () => {
    const source = await outsideRun(client);
    const checkpoint = await checkpointAfter(client, source, "think");
    const { stages } = await client.getRun(source);
    const fork = (edits: object) => refusedWith(client.forkRun(source, { checkpoint_id: checkpoint, edits }));
    const result = { result: { status: "completed", text: "x" } };
    expect(await fork({ stage_results: { [stages[0]?.id ?? ""]: result } })).toMatchObject({
      status: 422,
      code: "fork_edit_refused",
    });
    expect(await fork({ artifacts: { remove: ["nothing"] } })).toMatchObject({ code: "fork_edit_refused" });
    expect(await fork({ artifacts: { add: [{ id: stages[0]?.produced_artifact_ids[0] ?? "" }] } })).toMatchObject({
      code: "fork_edit_refused",
    });
    expect(await fork({ options: { replay_mode: "deterministic" } })).toMatchObject({ status: 400 });
    expect(await fork({ options: { max_steps: "many" } })).toMatchObject({ status: 400, code: "invalid_request" });
    const gate = await checkpointAfter(client, source, "gate");
    const static_ = client.forkRun(source, {
      checkpoint_id: gate,
      edits: { stage_results: { [stages[4]?.id ?? ""]: result } },
    });
    expect((await refusedWith(static_)).detail).toContain("Godwit computes its result itself");
    expect(await refusedWith(client.forkRun("nobody", { checkpoint_id: "c" }))).toMatchObject({
      code: "run_not_found",
    });
    expect(await refusedWith(client.forkRun(source, { checkpoint_id: "none" }))).toMatchObject({
      code: "checkpoint_not_found",
    });
  });

  it("[I5] is made once for each idempotency key", async () => {
    const source = await outsideRun(client);
    const checkpoint = await checkpointAfter(client, source, "fetch");
    const body = { checkpoint_id: checkpoint, edits: { task: "again" } };
    const key = { idempotency_key: "fork-once" };
    const first = idOf(await client.forkRun(source, body, key));
    expect(idOf(await client.forkRun(source, body, key))).toBe(first);
    const other = client.forkRun(source, { ...body, edits: { task: "other" } }, key);
    expect(await refusedWith(other)).toMatchObject({ status: 409, code: "idempotency_key_reused" });
    expect(idOf(await client.forkRun(source, body))).not.toBe(first);
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import { ProblemError } from "../../src/http/client.ts";
import { clientFor, migrateDatabase, post, TWO_STAGES } from "./http-setup.ts";

const client = clientFor();

/** The refusal of a call of the client. */
const refusalOf = async (call: Promise<unknown>): Promise<{ status: number; code: string; detail: string }> => {
  const error: unknown = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ProblemError);
  const { problem } = error as ProblemError;
  return { status: problem.status, code: problem.code, detail: problem.detail };
};

const manualRun = () => client.createRun({ graph: TWO_STAGES, task: "do it", drive: "manual" });

beforeAll(migrateDatabase);

describe("a run driven by hand", () => {
  it("[W-4.1] goes from prepare to finalize, one operation at a time", async () => {
    const run = await manualRun();
    expect(run).toMatchObject({ status: "running", ready_nodes: ["a"], completed_nodes: [], max_steps: 8 });
    expect(run.graph?.nodes["a"]?.kind).toBe("stage");

    const plan = await client.prepareStage(run.run_id, "a");
    expect(plan).toMatchObject({
      node_id: "a",
      attempt: 1,
      mode: "external",
      prompt: expect.stringContaining("first"),
    });
    const renewed = await client.renewStage(run.run_id, "a", plan.attempt_token);
    expect(Date.parse(renewed.lease_expires_at)).toBeGreaterThan(Date.now());

    const stage = await client.completeStage(run.run_id, "a", {
      attempt_token: plan.attempt_token,
      result: { status: "completed", text: "done a", visible_text: "done a" },
    });
    expect(stage).toMatchObject({ stage_id: plan.stage_id, node_id: "a", next_edges: [{ from: "a", to: "b" }] });
    const control = await client.recordTransitions(run.run_id, { stage, edges: stage.next_edges });
    expect(control).toMatchObject({ ready_nodes: ["b"], completed_nodes: ["a"] });

    const step = await client.advanceRun(run.run_id);
    expect(step.next?.node_id).toBe("b");
    const last = await client.advanceRun(run.run_id, {
      complete: { attempt_token: step.next?.attempt_token ?? "", result: { status: "completed", text: "done b" } },
    });
    expect(last).toMatchObject({ next: null, status: "completed" });
    const end = await client.finalizeRun(run.run_id);
    expect(end).toMatchObject({ status: "completed", run: { id: run.run_id, workflow_id: "two" } });

    const record = await client.getRun(run.run_id);
    expect(record).toMatchObject({ id: run.run_id, status: "completed", drive: "manual", waiting: null });
    const stages = await client.listPart(run.run_id, "stages", { limit: 1 });
    expect(stages.items).toHaveLength(1);
    const rest = await client.listPart(run.run_id, "stages", { limit: 5, cursor: stages.next_cursor ?? "" });
    expect(rest).toMatchObject({ items: [{ node_id: "b" }], next_cursor: null });
    const checkpoints = await client.listPart(run.run_id, "checkpoints");
    const [first] = checkpoints.items as readonly { id: string }[];
    expect((await client.getRun(run.run_id, first?.id)).completed_nodes).toEqual([]);
    expect(await client.getUsage(run.run_id)).toMatchObject({ call_count: 0 });
    expect(await client.getTranscript(run.run_id)).toHaveProperty("transcript");
  });

  it("[W-4.5] refuses a second preparation", async () => {
    const run = await manualRun();
    await client.prepareStage(run.run_id, "a");
    expect(await refusalOf(client.prepareStage(run.run_id, "a"))).toEqual({
      status: 409,
      code: "stage_already_prepared",
      detail: "workflow_execute: stage a is already prepared",
    });
  });

  it("[W-4.5] refuses a node the workflow does not have, and one that is not ready", async () => {
    const run = await manualRun();
    expect(await refusalOf(client.prepareStage(run.run_id, "zebra"))).toMatchObject({
      status: 404,
      code: "node_not_found",
    });
    expect(await refusalOf(client.prepareStage(run.run_id, "b"))).toMatchObject({
      status: 409,
      code: "invalid_transition",
    });
  });

  it("[W-4.6] refuses a completion without a preparation", async () => {
    const run = await manualRun();
    const completion = client.completeStage(run.run_id, "a", { attempt_token: "attempt_1", result: {} });
    expect(await refusalOf(completion)).toMatchObject({ status: 409, code: "no_prepared_stage" });
  });

  it("[W-4.6] refuses a completion of another node than the prepared one", async () => {
    const run = await manualRun();
    const plan = await client.prepareStage(run.run_id, "a");
    const completion = client.completeStage(run.run_id, "b", { attempt_token: plan.attempt_token, result: {} });
    expect(await refusalOf(completion)).toMatchObject({ status: 409, code: "node_mismatch" });
  });

  it("[W-4.6] refuses a completion with an old token, and changes nothing", async () => {
    const run = await manualRun();
    const plan = await client.prepareStage(run.run_id, "a");
    const completion = client.completeStage(run.run_id, "a", { attempt_token: "attempt_old", result: {} });
    expect(await refusalOf(completion)).toMatchObject({ status: 409, code: "stale_attempt" });
    expect(await refusalOf(client.renewStage(run.run_id, "a", "attempt_old"))).toMatchObject({ code: "stale_attempt" });
    const done = await client.completeStage(run.run_id, "a", {
      attempt_token: plan.attempt_token,
      result: { text: "x" },
    });
    expect(done.stage_id).toBe(plan.stage_id);
  });

  it("[W-4.6] answers a repeated completion as the first time, and refuses another result under the same token", async () => {
    const run = await manualRun();
    const plan = await client.prepareStage(run.run_id, "a");
    const body = { attempt_token: plan.attempt_token, result: { text: "x" } };
    const first = await client.completeStage(run.run_id, "a", body);
    expect(await client.completeStage(run.run_id, "a", body)).toEqual(first);
    const other = client.completeStage(run.run_id, "a", { ...body, result: { text: "y" } });
    expect((await refusalOf(other)).status).toBe(409);
  });

  it("[W-4.10] shows nothing as open or waited for once it is cancelled", async () => {
    const graph = { entry: "nap", nodes: { nap: { mode: "sleep", sleep: { ms: 3_600_000 } } } };
    const { run_id: run } = await client.createRun({ graph, task: "x" });
    const stage = { node_id: "nap", stage_id: `${run}:nap:1` };
    expect(await client.getRun(run)).toMatchObject({ waiting: { reason: "sleep", ...stage }, prepared: stage });
    await client.cancelRun(run);
    expect(await client.getRun(run)).toMatchObject({ status: "cancelled", waiting: null, prepared: null, open: [] });
  });

  it("[W-4.9] refuses to finalize while a stage is prepared", async () => {
    const run = await manualRun();
    await client.prepareStage(run.run_id, "a");
    expect(await refusalOf(client.finalizeRun(run.run_id))).toMatchObject({ status: 409, code: "invalid_transition" });
  });

  it("[W-4.1] pauses, resumes and cancels", async () => {
    const run = await manualRun();
    expect(await client.pauseRun(run.run_id, "lunch")).toMatchObject({ status: "paused" });
    expect(await client.getRun(run.run_id)).toMatchObject({ status: "paused", paused_by: "lunch" });
    expect(await refusalOf(client.prepareStage(run.run_id, "a"))).toMatchObject({ code: "invalid_transition" });
    expect(await client.resumeRun(run.run_id)).toMatchObject({ status: "running" });
    expect(await client.cancelRun(run.run_id)).toMatchObject({ status: "cancelled" });
    expect(await refusalOf(client.resumeRun(run.run_id))).toMatchObject({ status: 409, code: "invalid_transition" });
  });

  it("[W-4.7] refuses transitions without a stage", async () => {
    const run = await manualRun();
    const answer = client.recordTransitions(run.run_id, { stage: null, edges: [] });
    expect(await refusalOf(answer)).toMatchObject({
      status: 400,
      detail: "__host_workflow_record_transitions: missing stage",
    });
  });
});

describe("creating a run", () => {
  it("[W-4.2] refuses an unknown workflow, no workflow, and two", async () => {
    expect(await refusalOf(client.createRun({ workflow_id: "nope", task: "x" }))).toMatchObject({
      status: 404,
      code: "workflow_not_found",
    });
    expect(await refusalOf(client.createRun({ task: "x" }))).toMatchObject({ status: 400 });
    const both = client.createRun({ workflow_id: "two", graph: TWO_STAGES, task: "x" });
    expect(await refusalOf(both)).toMatchObject({ status: 400, code: "invalid_request" });
  });

  it("[W-4.2] refuses an invalid graph with every error", async () => {
    const response = await post("/v1/runs", { graph: { ...TWO_STAGES, entry: "nope" }, task: "x" });
    expect(response.status).toBe(422);
    const document = (await response.json()) as { code: string; detail: string; details: { errors: string[] } };
    expect(document.code).toBe("graph_invalid");
    expect(document.detail).toContain("workflow_execute: invalid workflow: entry node does not exist: nope");
    expect(document.details.errors).toContain("entry node does not exist: nope");
  });

  it("[W-0.1] names the path of each bad field of a graph", async () => {
    const graph = { nodes: { a: { kind: 7 } }, edges: [{ from: 1, to: "a" }] };
    const response = await post("/v1/runs", { graph, task: "x" });
    expect(response.status).toBe(400);
    const { details } = (await response.json()) as { details: { issues: { path: string }[] } };
    expect(details.issues.map((issue) => issue.path)).toEqual(["graph.nodes.a.kind", "graph.edges[0].from"]);
  });

  it("[W-4.4] refuses options that name files or records, with a hint", async () => {
    for (const option of ["resume_run", "resume_path", "replay_run", "replay_path", "replay_mode"]) {
      const response = await post("/v1/runs", { graph: TWO_STAGES, task: "x", options: { [option]: "x" } });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ details: { issues: [{ path: `options.${option}` }] } });
    }
  });

  it("[I5] gives a repeated request the same run, and refuses the key for another request", async () => {
    const key = { idempotency_key: "order-1" };
    const body = { graph: { ...TWO_STAGES, id: "" }, task: "x", drive: "manual" } as const;
    const first = await client.createRun(body, key);
    expect(await client.createRun(body, key)).toEqual(first);
    expect(first.graph?.id).toMatch(/^workflow_/);
    const other = client.createRun({ ...body, task: "y" }, key);
    expect(await refusalOf(other)).toMatchObject({ status: 409, code: "idempotency_key_reused" });
    expect((await clientFor(undefined, "other").createRun(body, key)).run_id).not.toBe(first.run_id);
  });

  it("[W-5] drives a run by itself and shows it in the list", async () => {
    await client.defineWorkflow("auto", {
      entry: "split",
      nodes: { split: { kind: "fork" }, left: { kind: "reduce" }, right: { kind: "reduce" } },
      edges: [
        { from: "split", to: "left" },
        { from: "split", to: "right" },
      ],
    });
    const run = await client.createRun({ workflow_id: "auto", task: "walk" });
    expect(run.graph).toBeUndefined();
    const types: string[] = [];
    for await (const event of client.events(run.run_id)) types.push(event.type);
    expect(types[0]).toBe("run_created");
    expect(types).toContain("run_finalized");
    expect((await client.getRun(run.run_id)).status).toBe("completed");
    await expect
      .poll(
        async () =>
          (await client.listRuns({ workflow_id: "auto", status: "completed" })).items.map((row) => row.run_id),
        {
          timeout: 10_000,
        },
      )
      .toEqual([run.run_id]);
    expect((await client.listRuns({ q: "WALK" })).items).toHaveLength(1);
    expect((await client.listRuns({ q: "nothing like it" })).items).toEqual([]);
    expect((await clientFor(undefined, "other").listRuns({ workflow_id: "auto" })).items).toEqual([]);
  });
});

describe("another tenant", () => {
  it("[I8] finds nothing of a run", async () => {
    const run = await manualRun();
    const stranger = clientFor(undefined, "stranger");
    const calls: readonly (() => Promise<unknown>)[] = [
      () => stranger.getRun(run.run_id),
      () => stranger.listPart(run.run_id, "stages"),
      () => stranger.getUsage(run.run_id),
      () => stranger.listEvents(run.run_id),
      () => stranger.prepareStage(run.run_id, "a"),
      () => stranger.cancelRun(run.run_id),
      () => stranger.finalizeRun(run.run_id),
      () => stranger.advanceRun(run.run_id),
      () => stranger.renewStage(run.run_id, "a", "x"),
    ];
    for (const call of calls) expect(await refusalOf(call())).toMatchObject({ status: 404, code: "run_not_found" });
  });
});

import { describe, expect, it } from "vitest";
import type { CycleResult } from "../../../src/engine/worker/command.ts";
import { cycleEnd, type CycleFacts, cycleResult } from "../../../src/engine/worker/cycle-result.ts";
import type { Worker, WorkerConfig } from "../../../src/engine/worker/state.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { RunRecord } from "../../../src/schema/record.ts";
import { SUB_AGENT, transcriptOf, WorkerFixture } from "../../support/worker-fixture.ts";

const NOTE = { id: "artifact_1", kind: "summary", text: "note" };

const stageOf = (changed: JsonObject = {}): JsonObject => ({
  node_id: "delegated_worker",
  status: "completed",
  branch: "success",
  artifacts: [NOTE],
  transcript: transcriptOf("do it", "done"),
  attempts: [{ attempt: 1, error: null }],
  ...changed,
});

const recordOf = (changed: JsonObject = {}): RunRecord =>
  ({
    id: "run_1",
    persisted_path: "runs/run_1",
    stages: [stageOf()],
    transitions: [{ id: "t" }],
    checkpoints: [],
    artifacts: [NOTE],
    transcript: transcriptOf("hello", "there"),
    tool_recordings: [],
    trace_spans: [],
    ...changed,
  }) as unknown as RunRecord;

const factsOf = (changed: Partial<CycleFacts> = {}): CycleFacts => ({
  status: "completed",
  error: null,
  record: recordOf(),
  result: { status: "completed", text: "done" },
  conversation: null,
  ...changed,
});

const WORKFLOW = { mode: "workflow", graph: { nodes: {} }, artifacts: [], options: {} } as unknown as WorkerConfig;
const STAGE = { mode: "stage", node: { kind: "stage" }, artifacts: [], transcript: null } as unknown as WorkerConfig;

const workerWith = (config: WorkerConfig, changed: Partial<Worker> = {}): Worker => ({
  ...WorkerFixture.running().worker,
  config,
  ...changed,
});

const CLOSED_TREE = {
  cwd: null,
  env: {},
  worktree: { repo: "/r", path: null, branch: null, base_ref: null, cleanup: null },
};

const wentWell = (result: CycleResult): Extract<CycleResult, { readonly ok: true }> => {
  if (!result.ok) throw new Error(result.error);
  return result;
};

describe("the cycle of a workflow worker", () => {
  it("[L-10.3] leaves what its run did", () => {
    const record = recordOf();
    expect(cycleResult(workerWith(WORKFLOW), factsOf({ record }))).toEqual({
      ok: true,
      payload: {
        status: "completed",
        run: record,
        artifacts: [NOTE],
        transcript: record.transcript,
        path: "runs/run_1",
      },
      transcript: record.transcript,
      artifacts: [NOTE],
      execution: null,
    });
  });

  it("[L-10.3] went well where its run is paused, as far as it came", () => {
    const result = wentWell(cycleResult(workerWith(WORKFLOW), factsOf({ status: "paused" })));
    expect(result.payload).toMatchObject({ status: "paused" });
    expect(
      wentWell(cycleResult(workerWith(WORKFLOW), factsOf({ record: recordOf({ transcript: null }) }))).transcript,
    ).toBe(null);
  });

  it("[L-12.2] leaves the header of a long run, with what it handed on", () => {
    const stages = [stageOf({ visible_text: "x".repeat(1_100_000) })];
    const { payload, artifacts } = wentWell(
      cycleResult(workerWith(WORKFLOW), factsOf({ record: recordOf({ stages }) })),
    );
    expect(payload).toMatchObject({
      run: { id: "run_1", stages: [], transitions: [], transcript: null },
      artifacts: [NOTE],
      path: "runs/run_1",
    });
    expect(artifacts).toEqual([NOTE]);
  });

  it("[L-9] fails with its run", () => {
    const worker = workerWith(WORKFLOW);
    expect(cycleResult(worker, factsOf({ status: "failed", error: "boom" }))).toEqual({
      ok: false,
      cancelled: false,
      error: "boom",
    });
    expect(cycleResult(worker, factsOf({ status: "failed" }))).toMatchObject({ error: "the worker's run failed" });
  });

  it("[L-5] says in which working tree it ran", () => {
    const worker = workerWith(WORKFLOW, { execution: CLOSED_TREE });
    const { execution } = wentWell(cycleResult(worker, factsOf()));
    expect(execution).toMatchObject({ worktree: { repo: "/r", branch: expect.any(String) } });
  });
});

const failed = (attempts: readonly JsonObject[]) =>
  cycleResult(workerWith(STAGE), factsOf({ record: recordOf({ stages: [stageOf({ branch: "error", attempts })] }) }));

describe("the cycle of a stage worker", () => {
  it("[L-10.4] leaves what people answered, though nobody handed anything in", () => {
    const answer = { status: "completed", text: "fine", data: "fine", request_id: "hitl_question_run_1_1" };
    const record = recordOf({ stages: [stageOf({ artifacts: [{ ...NOTE, data: answer }] })] });
    const { payload } = wentWell(cycleResult(workerWith(STAGE), factsOf({ record, result: {} })));
    expect(payload).toMatchObject({ mode: "stage", result: answer });
    expect(wentWell(cycleResult(workerWith(STAGE), factsOf({ result: {} }))).payload).toMatchObject({ result: {} });
  });

  it("[L-10.4] leaves what its stage did", () => {
    const transcript = transcriptOf("do it", "done");
    const result = wentWell(cycleResult(workerWith(STAGE, { task: "now" }), factsOf()));
    expect(result).toMatchObject({ transcript, artifacts: [NOTE], execution: null });
    expect(result.payload).toEqual({
      status: "completed",
      mode: "stage",
      task: "now",
      result: { status: "completed", text: "done" },
      artifacts: [NOTE],
      transcript,
      execution: expect.objectContaining({ cwd: null, env: {} }),
    });
  });

  it("[L-10.4] has nothing where its stage left nothing", () => {
    const record = recordOf({ stages: [stageOf({ transcript: null })] });
    const result = wentWell(cycleResult(workerWith(STAGE), factsOf({ record, result: null, conversation: "x" })));
    expect(result).toMatchObject({ transcript: null, payload: { result: {}, transcript: null } });
  });

  it("[L-8.2] went well where its stage only took another branch", () => {
    const record = recordOf({ stages: [stageOf({ branch: "failed", status: "failed" })] });
    expect(cycleResult(workerWith(STAGE), factsOf({ record })).ok).toBe(true);
  });

  it("[L-9] fails with the error of the last attempt", () => {
    expect(failed([{ error: "first" }, { error: "second" }])).toEqual({ ok: false, cancelled: false, error: "second" });
    expect(failed([])).toMatchObject({ error: "workflow stage call failed" });
  });

  it("[L-9] is cancelled where its stage was", () => {
    const record = recordOf({ stages: [stageOf({ branch: "error" })] });
    const result = { __workflow_stage_error: true, error_category: "cancelled" };
    expect(cycleResult(workerWith(STAGE), factsOf({ record, result }))).toMatchObject({ ok: false, cancelled: true });
  });

  it("[L-9] fails with a run that never came to its stage", () => {
    const record = recordOf({ stages: [] });
    const worker = workerWith(STAGE);
    expect(cycleResult(worker, factsOf({ record }))).toMatchObject({
      error: "the worker's run ended without a stage",
    });
    expect(cycleResult(worker, factsOf({ record, error: "too late" }))).toMatchObject({ error: "too late" });
    expect(cycleResult(worker, factsOf({ status: "failed" }))).toMatchObject({ error: "the worker's run failed" });
  });
});

describe("the cycle of a sub-agent", () => {
  it("[L-10.5] leaves the envelope, and never an artifact", () => {
    const result = wentWell(cycleResult(workerWith(SUB_AGENT, { execution: CLOSED_TREE }), factsOf()));
    expect(result).toMatchObject({ artifacts: [], execution: null, transcript: transcriptOf("do it", "done") });
    expect(result.payload).toMatchObject({ ok: true, summary: "done", session_id: "sub_agent_session_1" });
  });

  it("[L-15.3] goes well where its loop failed: the envelope says so, with what was said until then", () => {
    const stages = [stageOf({ branch: "error", transcript: null, attempts: [{ error: "Error [auth]: no" }] })];
    const conversation = transcriptOf("do it");
    const result = wentWell(
      cycleResult(workerWith(SUB_AGENT), factsOf({ record: recordOf({ stages }), conversation })),
    );
    expect(result.payload).toMatchObject({ ok: false, error: { category: "auth", message: "no" } });
    expect(result.transcript).toEqual(conversation);
    const whole = wentWell(cycleResult(workerWith(SUB_AGENT), factsOf({ status: "failed", error: "late" })));
    expect(whole.payload).toMatchObject({ ok: false, error: { category: "runtime", message: "late" } });
  });
});

describe("the end of a cycle", () => {
  it.each([WORKFLOW, STAGE, SUB_AGENT])("[L-9] of a run that was cancelled is cancelled", (config) => {
    const worker = workerWith(config);
    expect(cycleResult(worker, factsOf({ status: "cancelled", error: "enough" }))).toEqual({
      ok: false,
      cancelled: true,
      error: "enough",
    });
    expect(cycleResult(worker, factsOf({ status: "cancelled" }))).toMatchObject({
      error: "the worker's run was cancelled",
    });
  });

  it("[L-9] is told to the worker under the number of its cycle", () => {
    const worker = workerWith(STAGE);
    expect(cycleEnd(worker, 3, factsOf())).toEqual({
      type: "cycle_ended",
      cycle: 3,
      result: cycleResult(worker, factsOf()),
    });
    expect(cycleEnd(null, 3, factsOf())).toEqual({ type: "wake" });
  });
});

import { describe, expect, it } from "vitest";
import { restart } from "../../../src/engine/worker/restart.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { errorOf, valueOf } from "../graph/fixture.ts";
import { countedContext, workerWith } from "./from-snapshot.ts";

const restarted = (fields: JsonObject, clear = true) =>
  valueOf(restart(workerWith(fields), { task: "two", clear_payload: clear }, countedContext(2_000)));

const ENDED = {
  status: "failed",
  awaiting_started_at: "2026-01-01T00:01:00.000Z",
  latest_error: "boom",
  latest_payload: { ok: 1 },
  child_run_id: "run_1",
  child_run_path: "runs/run_1.json",
  artifacts: [{ id: "new", kind: "summary" }],
  transcript: { id: "t1" },
  request: { task: "one" },
};

const WORKFLOW = {
  mode: "workflow",
  graph: { entry: "a", nodes: { a: {} } },
  artifacts: [{ id: "orig", kind: "plan" }],
  options: { max_steps: 3, transcript: { id: "stale" }, resume_path: "old.json" },
};

const SUB_AGENT = {
  mode: "sub_agent",
  spec: { name: "s", task: "one", options: { session_id: "old", max_iterations: 2 }, session_id: "old" },
};

describe("a restart", () => {
  it("[L-16] begins the times anew, forgets the error and keeps everything else", () => {
    const before = workerWith(ENDED);
    const after = restarted(ENDED);
    expect(after).toEqual({
      ...before,
      task: "two",
      history: ["one", "two"],
      status: "running",
      started_at: "1970-01-01T00:00:02.000Z",
      finished_at: null,
      awaiting_started_at: null,
      latest_error: null,
      latest_payload: null,
      config: { ...after.config },
    });
  });

  it("[L-16] keeps the payload where it is not to be cleared", () => {
    expect(restarted(ENDED, false).latest_payload).toEqual({ ok: 1 });
  });

  it("[L-16] refuses before anything has changed", () => {
    const before = workerWith(ENDED);
    const worker = { ...before, carry_policy: { ...before.carry_policy, transcript_mode: "sideways" } };
    expect(errorOf(restart(worker, { task: "two", clear_payload: true }, countedContext()))).toBe(
      "worker transcript policy: unknown transcript_mode `sideways`",
    );
    expect(worker).toEqual({ ...before, carry_policy: { ...before.carry_policy, transcript_mode: "sideways" } });
  });

  it("[L-16] a workflow gets the artifacts, its own id as parent, the conversation and where it stopped", () => {
    expect(restarted({ ...ENDED, config: WORKFLOW }).config).toMatchObject({
      artifacts: [{ id: "new" }],
      options: {
        max_steps: 3,
        parent_worker_id: "worker_1",
        transcript: { id: "t1" },
        resume_path: "runs/run_1.json",
      },
    });
  });

  it("[L-16] a workflow that carries nothing keeps its first inputs and no more", () => {
    const carry_policy = { artifact_mode: "none", transcript_mode: "reset", resume_workflow: false };
    const { config, transcript } = restarted({ ...ENDED, config: WORKFLOW, carry_policy });
    expect(config).toMatchObject({ artifacts: [{ id: "orig" }] });
    expect(config.mode === "workflow" ? config.options : null).toEqual({ max_steps: 3, parent_worker_id: "worker_1" });
    expect(transcript).toBeNull();
  });

  it("[L-16] a workflow without a child run keeps the path it was given", () => {
    const { config } = restarted({ ...ENDED, child_run_path: null, config: WORKFLOW });
    expect(config).toMatchObject({ options: { resume_path: "old.json" } });
  });

  it("[L-16] a stage gets the artifacts and the conversation", () => {
    expect(restarted(ENDED).config).toMatchObject({ artifacts: [{ id: "new" }], transcript: { id: "t1" } });
  });

  it.each(["fork", "reset"])("[L-16] a sub-agent that is to %s has a new session", (mode) => {
    const { config, transcript } = restarted({
      ...ENDED,
      config: SUB_AGENT,
      carry_policy: { transcript_mode: mode },
    });
    expect(config).toMatchObject({ spec: { task: "two" } });
    const spec = config.mode === "sub_agent" ? config.spec : null;
    expect(spec?.session_id).toMatch(/^sub_agent_session_/);
    expect(spec?.options).toEqual({ session_id: spec?.session_id, max_iterations: 2 });
    expect(transcript === null).toBe(mode === "reset");
  });

  it("[L-16] a sub-agent that goes on keeps its session", () => {
    expect(restarted({ ...ENDED, config: SUB_AGENT }).config).toMatchObject({
      spec: { task: "two", session_id: "old", options: { session_id: "old" } },
    });
  });
});

const sessionOf = (node: JsonObject) => {
  const { config } = workerWith({ config: { mode: "stage", node } });
  return config.mode === "stage" ? config.node.model_policy.session_id : null;
};

describe("the sessions of a worker's nodes", () => {
  it("[L-10.2] are the worker's own unless a node names one", () => {
    const nodes = {
      a: {},
      b: { model_policy: { session_id: "shared" } },
      c: { metadata: { worker_session_id: "kept" } },
      d: { model_policy: { session_id: " " } },
    };
    const { config } = workerWith({ config: { ...WORKFLOW, graph: { nodes } } });
    const found = config.mode === "workflow" ? Object.values(config.graph.nodes) : [];
    expect(found.map(({ model_policy, metadata }) => [model_policy.session_id, metadata["worker_session_id"]])).toEqual(
      [
        ["worker_session_worker_1_a", "worker_session_worker_1_a"],
        ["shared", undefined],
        [undefined, "kept"],
        ["worker_session_worker_1_d", "worker_session_worker_1_d"],
      ],
    );
  });

  it("[L-10.2] a stage goes by its node's id", () => {
    expect(sessionOf({})).toBe("worker_session_worker_1_stage");
    expect(sessionOf({ id: "look" })).toBe("worker_session_worker_1_look");
  });
});

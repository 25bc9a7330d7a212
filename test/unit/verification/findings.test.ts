import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { commandJob, commandQueue, commandResult } from "../../../src/engine/verification/command-job.ts";
import { foldFindings, NO_FINDINGS, renderFindings } from "../../../src/engine/verification/findings.ts";

const graph = { edges: [{ from: "v", to: "r", branch: "failed", label: null }] };

const failed = (findings: readonly string[]) => ({
  node_id: "v",
  verification: { ok: false, findings },
  error: "verification failed",
});

describe("open findings", () => {
  it("[W-7] the newest failure replaces the one before, and passing forgets it", () => {
    const once = foldFindings(NO_FINDINGS, "verify", failed(["a"]));
    const twice = foldFindings(once, "verify", failed(["b"]));
    expect([once, twice]).toEqual([{ v: ["a"] }, { v: ["b"] }]);
    expect(foldFindings(twice, "verify", { ...failed([]), verification: { ok: true } })).toEqual({});
    expect(foldFindings(twice, "stage", failed(["c"]))).toBe(twice);
    expect(foldFindings(NO_FINDINGS, "verify", { ...failed([]), verification: { ok: true } })).toBe(NO_FINDINGS);
  });

  it("[W-7] a failure without findings is told by its error", () => {
    expect(foldFindings(NO_FINDINGS, "verify", failed([]))).toEqual({ v: ["verification failed"] });
    const error = { node_id: "v", verification: null, error: "no queue" };
    expect(foldFindings(NO_FINDINGS, "verify", error)).toEqual({ v: ["no queue"] });
  });

  it("[W-8.3] the text is bounded and closed", () => {
    const text = renderFindings({ v: ["x".repeat(5_000)] }, graph, "r");
    expect(text).toHaveLength(2_000);
    expect(text.endsWith("...\n</verification_findings>")).toBe(true);
    expect(renderFindings({ v: ["x"] }, graph, "other")).toBe("");
    expect(renderFindings(NO_FINDINGS, graph, "r")).toBe("");
  });
});

const jobWith = (verify: Json, options: JsonObject) => {
  const run = { tenant: "t", run_id: "r", workflow_id: "w", options };
  const stage = {
    run,
    stage_id: "r:c:1",
    node_id: "c",
    attempt: 1,
    attempt_token: "s",
    command: "make",
    timeout_ms: 5,
  };
  return commandJob({ ...stage, verify }).payload as JsonObject;
};

describe("a command as a job", () => {
  it("[W-20] its queue is the node's, else the run's, else none", () => {
    expect(commandQueue({ queue: " own " }, { command_queue: "run" })).toBe("own");
    expect(commandQueue({ queue: " " }, { command_queue: "run" })).toBe("run");
    expect(commandQueue(null, { command_queue: 5 })).toBeNull();
  });

  it("[W-7.1] what a runner answers becomes the result; without a status it was killed", () => {
    expect(commandResult("make", { stdout: "a", stderr: "b", exit_status: 0, success: false })).toEqual({
      status: "completed",
      text: "a\nb",
      visible_text: "a\nb",
      command: "make",
      stdout: "a",
      stderr: "b",
      exit_status: 0,
      success: true,
    });
    expect(commandResult("make", { success: true })).toMatchObject({ exit_status: -1, success: false, text: "" });
    expect(commandResult("make", null)).toMatchObject({ exit_status: -1 });
  });

  it("[I4] a job's id follows from its stage and attempt, and fits into a path", () => {
    const stage = {
      run: { tenant: "t", run_id: "r", workflow_id: "w" },
      stage_id: "r:check:2",
      node_id: "check",
      attempt: 1,
      attempt_token: "secret",
      command: "make",
      verify: { env: { A: "1", B: 2 }, cwd: "x" },
      timeout_ms: 5,
    };
    const job = commandJob(stage);
    expect(job).toMatchObject({ job_id: "r:check:2", payload: { env: { A: "1" }, cwd: "x", timeout_ms: 5 } });
    expect(JSON.stringify(job.payload)).not.toContain("secret");
    expect(commandJob({ ...stage, attempt: 2 }).job_id).toBe("r:check:2#2");
    const long = commandJob({ ...stage, stage_id: `r:${"n".repeat(300)}:1`, verify: null });
    expect(long.job_id).toMatch(/^job_[0-9a-f-]{36}$/);
    expect(long.payload).not.toHaveProperty("env");
  });

  it("[L-5] a job runs where its node says, else where the run executes", () => {
    const execution = { cwd: "run", env: { A: "run", B: "run" } };
    expect(jobWith({}, { execution })).toMatchObject({ cwd: "run", env: { A: "run", B: "run" } });
    const own = jobWith({ cwd: "own", env: { A: "own" }, max_output_bytes: 9 }, { execution });
    expect(own).toMatchObject({ cwd: "own", env: { A: "own", B: "run" }, max_output_bytes: 9 });
    const bare = jobWith({ max_output_bytes: -1, worktree: null }, { execution: null });
    for (const key of ["cwd", "env", "worktree", "max_output_bytes"]) expect(bare).not.toHaveProperty(key);
  });

  it("[L-5] a job has the working tree of its node, else that of the run, in the name of its worker", () => {
    const execution = { cwd: "/wt", adapter: "worktree", repo_path: "/repo", worktree_path: "/wt", cleanup: "remove" };
    const ofRun = jobWith({}, { execution, parent_worker_id: "worker_1" });
    expect(ofRun["worktree"]).toEqual({ repo: "/repo", path: "/wt", cleanup: "remove", worker_id: "worker_1" });
    expect(ofRun).not.toHaveProperty("cwd");
    const own = jobWith({ worktree: { repo: "/own", branch: "b", base_ref: "" }, cwd: "sub" }, { execution });
    expect(own).toMatchObject({ cwd: "sub" });
    expect(own["worktree"]).toEqual({ repo: "/own", branch: "b", worker_id: "r" });
    expect(jobWith({ worktree: {} }, {})["worktree"]).toEqual({ repo: "", worker_id: "r" });
    expect(jobWith({}, { execution: { adapter: "host", repo_path: "/repo" } })).not.toHaveProperty("worktree");
  });
});

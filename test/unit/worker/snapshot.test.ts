import { describe, expect, it } from "vitest";
import { restoredWorker } from "../../../src/engine/worker/restored-worker.ts";
import { snapshotOf } from "../../../src/engine/worker/snapshot.ts";
import { snapshotPath, snapshotTarget } from "../../../src/engine/worker/snapshot-path.ts";
import { eventMetadata, provenanceOf, summaryOf } from "../../../src/engine/worker/summary.ts";
import type { Json } from "../../../src/lib/json.ts";
import { decodeSnapshot, readSnapshot } from "../../../src/schema/worker-snapshot.ts";
import { errorOf, policyOf, valueOf } from "../graph/fixture.ts";
import { countedContext, loaded, workerWith } from "./from-snapshot.ts";

const STAGE = { mode: "stage", node: { kind: "stage" }, artifacts: [] };

describe("the place of a snapshot", () => {
  it("[L-12.1] follows from the worker's id", () => {
    expect(snapshotPath("worker_1")).toBe(".harn/workers/worker_1.json");
    expect(snapshotPath("worker_1", "state")).toBe("state/worker_1.json");
  });

  it("[L-12.4] is what a target names, by path or by id", () => {
    expect(valueOf(snapshotTarget("worker_1"))).toBe(".harn/workers/worker_1.json");
    expect(valueOf(snapshotTarget("a/b"))).toBe("a/b");
    expect(valueOf(snapshotTarget("b.json"))).toBe("b.json");
    expect(errorOf(snapshotTarget(""))).toBe("resume_agent: missing worker id or snapshot path");
  });
});

describe("a snapshot", () => {
  it("[L-12.2] has every key of the format", () => {
    const keys =
      "_type id name task status created_at started_at finished_at awaiting_started_at mode history config request " +
      "latest_payload latest_error transcript artifacts parent_worker_id parent_stage_id child_run_id child_run_path " +
      "carry_policy execution snapshot_path audit suspension";
    const snapshot = snapshotOf(workerWith());
    for (const key of keys.split(" ")) expect(snapshot).toHaveProperty(key);
    expect(snapshot).toMatchObject({ _type: "worker_snapshot", config: { mode: "stage" } });
    expect(snapshot).not.toHaveProperty("tenant");
  });

  it("[L-12.4] loads as what was stored", () => {
    const fields = {
      status: "awaiting",
      awaiting_started_at: "later",
      latest_payload: { a: 1 },
      latest_error: "e",
      transcript: { id: "t" },
      artifacts: [{ id: "a", kind: "plan", created_at: "now" }],
      parent_worker_id: "worker_0",
      parent_stage_id: "stage",
      child_run_id: "run_1",
      child_run_path: "runs/run_1.json",
      request: { task: "one", payload: { topic: 1 }, research_questions: ["why"] },
      carry_policy: {
        artifact_mode: "none",
        transcript_mode: "fork",
        resume_workflow: false,
        retriggerable: true,
        policy: { tools: ["read"], side_effect_level: "read_only" },
      },
      execution: { cwd: "/x", env: { A: "1" }, worktree: { repo: "/r" } },
      audit: { session_id: "s", mutation_scope: "apply_worktree" },
      cycle: 3,
    };
    const worker = workerWith(fields);
    expect(worker).toMatchObject(fields);
    expect(valueOf(loaded(snapshotOf(worker)))).toEqual(worker);
  });
});

const carryOf = (carry_policy: Json) => valueOf(loaded({ config: STAGE, carry_policy })).carry_policy;

describe("loading a snapshot", () => {
  it.each([
    [{ id: "x", config: { mode: "banana" } }, "worker snapshot is missing a valid config mode"],
    [{ id: "x" }, "worker snapshot is missing a valid config mode"],
    ["text", "worker snapshot is missing a valid config mode"],
    [{ config: { mode: "sub_agent" } }, "worker snapshot sub-agent spec must be an object"],
    [{ config: { mode: "sub_agent", spec: [] } }, "worker snapshot sub-agent spec must be an object"],
    [
      { config: STAGE, carry_policy: { transcript_mode: "sideways" } },
      "worker snapshot: carry_policy.transcript_mode must be one of inherit, fork, reset, compact; got `sideways`",
    ],
  ] as const)("[L-12.4] %j is refused: %s", (snapshot, text) => {
    expect(errorOf(loaded(snapshot as Json))).toBe(text);
  });

  it.each([
    [{ config: { mode: "workflow", graph: { nodes: [] } } }, "worker snapshot graph parse error: "],
    [{ config: { mode: "workflow", graph: {}, artifacts: [5] } }, "worker snapshot artifacts parse error: "],
    [{ config: { mode: "workflow" } }, "worker snapshot graph parse error: "],
    [{ config: { mode: "stage" } }, "worker snapshot node parse error at .: "],
    [{ config: { mode: "sub_agent", spec: { options: 5 } } }, "worker snapshot sub-agent parse error: "],
    [{ config: STAGE, execution: "x" }, "worker snapshot execution parse error: "],
    [{ config: STAGE, artifacts: "x" }, "worker snapshot artifacts parse error: "],
    [{ config: STAGE, carry_policy: { context_policy: 5 } }, "context policy parse error: "],
    [{ config: STAGE, carry_policy: { policy: 5 } }, "worker snapshot: policy parse error: "],
    [
      { config: STAGE, status: "suspended", suspension: { conditions: 5 } },
      "worker snapshot suspension parse error: HARN-SUS-002: ",
    ],
  ] as const)("[L-12.4] %j is refused with a text that begins with %s", (snapshot, text) => {
    expect(errorOf(loaded(snapshot as Json)).startsWith(text)).toBe(true);
  });

  it("[L-12.4] a text that is no JSON is refused", () => {
    expect(errorOf(readSnapshot("{not json"))).toMatch(/^worker snapshot parse error: /);
    expect(readSnapshot(JSON.stringify({ config: STAGE })).ok).toBe(true);
  });

  it("[L-12.4] one that is nested too deeply is refused", () => {
    let payload: Json = 1;
    for (let level = 0; level < 70; level += 1) payload = [payload];
    expect(errorOf(decodeSnapshot({ config: STAGE, latest_payload: payload }))).toMatch(
      /^worker snapshot parse error: latest_payload.*: nested more than 64 levels deep$/,
    );
  });

  it.each([
    ["running", "interrupted"],
    [undefined, "interrupted"],
    ["banana", "interrupted"],
    ["failed", "failed"],
    ["awaiting", "awaiting"],
    ["stopped", "stopped"],
  ] as const)("[L-12.4] the status %s loads as %s", (status, expected) => {
    const snapshot = status === undefined ? { config: STAGE } : { config: STAGE, status };
    expect(valueOf(loaded(snapshot)).status).toBe(expected);
  });

  it("[L-12.4] has defaults for what is missing, and nothing is carried where no carry policy is", () => {
    expect(
      valueOf(loaded({ config: STAGE, history: ["a", 5, null], transcript: null, finished_at: null })),
    ).toMatchObject({
      id: "",
      name: "worker",
      task: "",
      mode: "workflow",
      created_at: "",
      history: ["a"],
      transcript: null,
      latest_payload: null,
      artifacts: [],
      carry_policy: {
        artifact_mode: "",
        transcript_mode: "",
        resume_workflow: false,
        persist_state: false,
        retriggerable: false,
        policy: null,
      },
      execution: { cwd: null, env: {}, worktree: null },
      request: { task: "", system: null, payload: null, research_questions: [] },
      audit: { session_id: "session_1", mutation_scope: "read_only" },
      snapshot_path: "dir/w.json",
      run: null,
      parent: null,
    });
  });

  it("[L-12.4] a carry policy that is there has its defaults, and the mode of an older version", () => {
    expect(carryOf({})).toMatchObject({ artifact_mode: "inherit", transcript_mode: "inherit", persist_state: true });
    expect(carryOf({ transcript_policy: { mode: "reset" } }).transcript_mode).toBe("reset");
    expect(carryOf({ transcript_mode: "", artifact_mode: "" })).toMatchObject({
      artifact_mode: "inherit",
      transcript_mode: "inherit",
    });
  });

  it("[L-12.4] an audit that is not in form counts for nothing", () => {
    expect(valueOf(loaded({ config: STAGE, audit: "x" })).audit).toMatchObject({ session_id: "session_1" });
  });

  it("[L-12.4] a mode that nobody knows is that of the config", () => {
    expect(valueOf(loaded({ config: STAGE, mode: "banana" })).mode).toBe("stage");
    expect(valueOf(loaded({ config: STAGE, mode: "delegated_stage" })).mode).toBe("delegated_stage");
  });

  it("[L-32.7] the worker gets no more than where it is loaded may do", () => {
    const decoded = valueOf(decodeSnapshot({ config: STAGE, carry_policy: { policy: { tools: ["read", "write"] } } }));
    const source = { tenant: "t", path: "p", policy: policyOf({ tools: ["read"] }) };
    expect(valueOf(restoredWorker(decoded, source, countedContext())).carry_policy.policy?.tools).toEqual(["read"]);
    const open = valueOf(decodeSnapshot({ config: STAGE }));
    expect(valueOf(restoredWorker(open, source, countedContext())).carry_policy.policy?.tools).toEqual(["read"]);
  });
});

describe("the suspension of a snapshot", () => {
  const SUSPENSION = {
    reason: "needs input",
    initiator: "parent",
    suspended_at: "2026-01-01T00:00:00.000Z",
    snapshot_ref: "a.json",
    prior_span_link: { trace_id: "t", span_id: "s", attributes: { k: 1 } },
    pipeline_span_link: { trace_id: "t" },
    suspended_at_turn: 3,
    conditions: { trigger: { provider: "github" }, timeout: { duration_minutes: 1 } },
    auto_resume_trigger: { id: "auto_1", version: 2 },
  };

  it("[L-17.1] is that of a suspended worker, which has come to rest", () => {
    const { suspension } = valueOf(loaded({ config: STAGE, status: "suspended", suspension: SUSPENSION }));
    expect(suspension).toEqual({
      ...SUSPENSION,
      pipeline_span_link: null,
      conditions: {
        trigger: { provider: "github" },
        timeout: { duration_minutes: 1, on_timeout: "resume_with_summary" },
      },
      quiesced_at: SUSPENSION.suspended_at,
    });
  });

  it("[L-17.1] is there also where the snapshot does not say why", () => {
    expect(valueOf(loaded({ config: STAGE, status: "suspended" })).suspension).toEqual({
      reason: "",
      initiator: "operator",
      suspended_at: "1970-01-01T00:00:01.000Z",
      snapshot_ref: "dir/w.json",
      prior_span_link: null,
      pipeline_span_link: null,
      suspended_at_turn: null,
      conditions: null,
      auto_resume_trigger: null,
      quiesced_at: "1970-01-01T00:00:01.000Z",
    });
  });

  it("[L-17.1] is nothing of a worker that is not suspended", () => {
    expect(valueOf(loaded({ config: STAGE, status: "completed", suspension: SUSPENSION })).suspension).toBeNull();
  });
});

describe("a worker as others see it", () => {
  const worker = workerWith({
    latest_payload: { ok: true },
    latest_error: "e",
    transcript: { id: "t" },
    artifacts: [{ id: "a" }],
    child_run_id: "run_1",
    parent_worker_id: "worker_0",
  });

  it("[L-1.5] its summary has every key, whatever is known", () => {
    const keys =
      "_type id name task mode status created_at started_at finished_at awaiting_started_at history request provenance " +
      "result error artifact_count has_transcript parent_worker_id parent_stage_id child_run_id child_run_path execution " +
      "snapshot_path audit suspension";
    expect(Object.keys(summaryOf(worker)).toSorted()).toEqual(keys.split(" ").toSorted());
    expect(summaryOf(worker)).toMatchObject({
      _type: "agent_handle",
      result: { ok: true },
      error: "e",
      artifact_count: 1,
      has_transcript: true,
      suspension: null,
    });
  });

  it("[L-6] its provenance says where it comes from", () => {
    expect(provenanceOf(worker)).toEqual({
      worker_id: "worker_1",
      worker_name: "scout",
      mode: "stage",
      parent_worker_id: "worker_0",
      parent_stage_id: null,
      session_id: "session_1",
      parent_session_id: null,
      snapshot_path: "dir/w.json",
      run_id: "run_1",
      run_path: null,
    });
    expect(provenanceOf({ ...worker, audit: { ...worker.audit, session_id: "" } })).toMatchObject({ session_id: null });
  });

  it("[L-13.2] its events tell what the format names, and what only one of them has", () => {
    const keys =
      "task mode request provenance created_at started_at finished_at awaiting_started_at artifact_count has_transcript " +
      "parent_worker_id parent_stage_id child_run_id child_run_path execution snapshot_path audit error suspension agent_stop";
    const metadata = eventMetadata(worker, { agent_stop: { status: "stopped" } });
    expect(Object.keys(metadata).toSorted()).toEqual(keys.split(" ").toSorted());
    expect(metadata).toMatchObject({ error: "e", agent_stop: { status: "stopped" } });
  });
});

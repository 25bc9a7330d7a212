import { describe, expect, it } from "vitest";
import { workerAudit } from "../../../src/engine/worker/audit.ts";
import {
  compactPayload,
  delegatedArtifacts,
  delegatedResult,
  delegatedWorker,
} from "../../../src/engine/worker/delegated.ts";
import { workerIdOf } from "../../../src/engine/worker/handle.ts";
import { executionRecord, planExecution } from "../../../src/engine/worker/plan-execution.ts";
import { requestOf } from "../../../src/engine/worker/request.ts";
import { resumeMetadata, suspensionMetadata } from "../../../src/engine/worker/span-metadata.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { decodeNode } from "../../../src/schema/graph.ts";
import { decodeWorkerExecution } from "../../../src/schema/worker-execution.ts";
import { errorOf, policyOf, valueOf } from "../graph/fixture.ts";
import { countedContext, workerWith } from "./from-snapshot.ts";

describe("a reference to a worker", () => {
  it("[L-1.6] is an id or a handle with one", () => {
    expect(valueOf(workerIdOf("worker_1"))).toBe("worker_1");
    expect(valueOf(workerIdOf({ id: "worker_2" }))).toBe("worker_2");
    expect(valueOf(workerIdOf({ id: 7 }))).toBe("7");
    expect(errorOf(workerIdOf({ name: "x" }))).toBe("agent handle dict is missing an id field");
    expect(errorOf(workerIdOf({ id: null }))).toBe("agent handle dict is missing an id field");
    for (const value of [3, null, undefined, ["worker_1"], true])
      expect(errorOf(workerIdOf(value))).toBe("expected agent handle or worker id");
  });
});

const plan = (execution: JsonObject | null, base: string | null = null) =>
  planExecution(valueOf(decodeWorkerExecution(execution)), "worker_9", base);

describe("the plan of an execution", () => {
  it("[L-5] fills in path, branch and base of a working tree", () => {
    expect(valueOf(plan({ cwd: "/x", worktree: { repo: "/srv/app/" } }, "/base"))).toEqual({
      profile: {
        cwd: "/base/.harn/worktrees/app/worker_9",
        env: {},
        worktree: {
          repo: "/srv/app/",
          path: "/base/.harn/worktrees/app/worker_9",
          branch: "harn-worker_9",
          base_ref: "HEAD",
          cleanup: null,
        },
      },
      record: {
        cwd: "/base/.harn/worktrees/app/worker_9",
        source_dir: null,
        env: {},
        adapter: "worktree",
        repo_path: "/srv/app/",
        worktree_path: "/base/.harn/worktrees/app/worker_9",
        branch: "harn-worker_9",
        base_ref: "HEAD",
        cleanup: null,
      },
    });
  });

  it("[L-5] a repository without a name of its own is `repo`, and never leads anywhere", () => {
    for (const repo of ["/", "..", "a/.."])
      expect(valueOf(plan({ worktree: { repo } })).profile.cwd).toBe(".harn/worktrees/repo/worker_9");
  });

  it("[L-5] keeps what is given, and needs a repository", () => {
    const worktree = { repo: "/r", path: "/p", branch: "b", base_ref: "main", cleanup: "remove" };
    expect(valueOf(plan({ worktree })).profile.worktree).toEqual(worktree);
    expect(errorOf(plan({ worktree: { repo: "  " } }))).toBe("worker execution.worktree.repo must not be empty");
  });

  it("[L-5] without a working tree there is none in the record", () => {
    expect(valueOf(plan(null)).record).toMatchObject({ cwd: null, adapter: null, worktree_path: null });
    const profile = valueOf(decodeWorkerExecution({ cwd: "/x", worktree: { repo: "/r" } }));
    expect(executionRecord(profile)).toMatchObject({ adapter: "worktree", worktree_path: "/x" });
  });
});

const stageWith = (metadata: JsonObject) =>
  workerWith({ config: { mode: "stage", node: { metadata, system: "exact" } } });

const asked = (metadata: JsonObject) => requestOf(stageWith(metadata).config, "t");

const workflowWith = (options: JsonObject) =>
  workerWith({
    config: { mode: "workflow", graph: { nodes: { a: {} }, metadata: { verification: ["test"] } }, options },
  });

describe("the request of a worker", () => {
  it("[L-6] takes each list from the first name that says something", () => {
    expect(
      asked({ research_questions: [], questions: ["q"], actions: { id: 1 }, stages: "one", verification: null }),
    ).toEqual({
      task: "t",
      system: "exact",
      payload: { research_questions: ["q"], action_items: [{ id: 1 }], workflow_stages: ["one"] },
      research_questions: ["q"],
      action_items: [{ id: 1 }],
      workflow_stages: ["one"],
      verification_steps: [],
    });
  });

  it("[L-6] its payload is what the request says, also where that is null", () => {
    expect(asked({ request: { topic: 1 }, questions: ["q"] }).payload).toEqual({ topic: 1 });
    expect(asked({ request: null, questions: ["q"] }).payload).toBeNull();
    expect(asked({}).payload).toBeNull();
  });

  it("[L-6] that of a workflow is in its options, or else in the graph", () => {
    expect(requestOf(workflowWith({ max_steps: 1 }).config, "t").verification_steps).toEqual(["test"]);
    expect(requestOf(workflowWith({ questions: "why" }).config, "t")).toMatchObject({
      system: null,
      research_questions: ["why"],
      verification_steps: [],
    });
  });

  it("[L-6] that of a sub-agent is in its options", () => {
    const { config } = workerWith({
      config: { mode: "sub_agent", spec: { system: "s", options: { request: 5 } } },
    });
    expect(requestOf(config, "t")).toMatchObject({ system: "s", payload: 5 });
  });
});

describe("the audit of a worker that is made", () => {
  it("[L-2] has a session, and names the worker and how it came to be", () => {
    expect(workerAudit({}, { id: "worker_1", mode: "stage" }, countedContext())).toEqual({
      session_id: "session_1",
      parent_session_id: null,
      run_id: null,
      worker_id: "worker_1",
      execution_kind: "stage",
      mutation_scope: "read_only",
      approval_policy: null,
    });
    const given = { session_id: "s", worker_id: "other", execution_kind: "worker", mutation_scope: "all" };
    expect(workerAudit(given, { id: "worker_1", mode: "workflow" }, countedContext())).toMatchObject({
      session_id: "s",
      worker_id: "worker_1",
      execution_kind: "workflow",
      mutation_scope: "all",
    });
  });
});

const delegate = (metadata: JsonObject) =>
  delegatedWorker({
    node_id: "research",
    node: valueOf(decodeNode({ kind: "subagent", mode: "llm", metadata }, "node")),
    task: "look",
    artifacts: [],
    transcript: null,
    execution: { cwd: null, env: {}, worktree: null },
    policy: policyOf({ tools: ["read"] }),
    approval_policy: null,
  });

describe("a stage that is given to a worker", () => {
  it("[L-14.2] runs as a stage under the policy of the run", () => {
    expect(delegate({ worker_name: "scout" })).toMatchObject({
      mode: "delegated_stage",
      name: "scout",
      task: "look",
      config: { mode: "stage", node: { kind: "stage", mode: "llm" } },
      carry_policy: {
        artifact_mode: "inherit",
        transcript_mode: "inherit",
        resume_workflow: true,
        persist_state: true,
        retriggerable: false,
        policy: { tools: ["read"] },
      },
      audit: { parent_session_id: "research", mutation_scope: "read_only", execution_kind: "delegated_stage" },
    });
    expect(delegate({}).name).toBe("research");
  });

  it("[L-14.2] its audit does not name the worker", () => {
    const { audit, mode } = delegate({});
    expect(workerAudit(audit, { id: "worker_1", mode }, countedContext())).toMatchObject({
      worker_id: null,
      execution_kind: "delegated_stage",
      parent_session_id: "research",
    });
  });

  it("[L-14.6] a payload for the parent is without transcripts and artifacts at both levels", () => {
    const bulky = { transcript: { messages: [] }, artifacts: [{ id: "a" }] };
    expect(compactPayload({ status: "completed", ...bulky, result: { text: "done", ...bulky } })).toEqual({
      status: "completed",
      result: { text: "done" },
      payload_compacted: true,
    });
    expect(compactPayload({ result: "done" })).toEqual({ result: "done", payload_compacted: true });
    expect(compactPayload("text")).toBe("text");
  });

  const worker = workerWith({
    latest_payload: { status: "completed", mode: "stage", result: { text: "found" }, artifacts: [1], transcript: {} },
    artifacts: [{ id: "a", kind: "summary", metadata: { k: 1 } }],
  });

  it("[L-14.4] its result is the payload with the worker's handle", () => {
    expect(delegatedResult(worker)).toMatchObject({ mode: "stage", worker: { _type: "agent_handle", id: "worker_1" } });
    expect(delegatedResult({ ...worker, latest_payload: null })).toEqual({ worker: expect.anything() });
  });

  it("[L-14.5] its artifacts are marked, and the result of the worker is the last of them", () => {
    const marks = { worker_id: "worker_1", worker_name: "scout", delegated: true };
    const given = { node_id: "research", input_ids: ["brief", "noise"] };
    const [first, last, ...more] = delegatedArtifacts(worker, given, countedContext());
    expect(more).toEqual([]);
    expect(first).toMatchObject({ id: "a", metadata: { k: 1, ...marks } });
    expect(last).toMatchObject({
      _type: "artifact",
      kind: "worker_result",
      id: "research_worker_result_1",
      title: "worker result scout",
      text: null,
      source: "research",
      stage: "research",
      freshness: "fresh",
      priority: 95,
      relevance: 1,
      lineage: ["brief", "noise"],
      metadata: marks,
      data: {
        worker_id: "worker_1",
        worker_name: "scout",
        request: { task: "" },
        provenance: { worker_id: "worker_1" },
        execution: { cwd: null },
        payload: { mode: "stage", result: { text: "found" }, payload_compacted: true, worker: { id: "worker_1" } },
        produced_artifact_ids: ["a"],
      },
    });
  });

  it("[L-14.6] nor does the handle in the payload hold a conversation", () => {
    const [, last] = delegatedArtifacts(worker, { node_id: "n", input_ids: [] }, countedContext());
    expect(JSON.stringify(last)).not.toContain('transcript":{');
    expect(last?.data).toMatchObject({ payload: { worker: { result: { mode: "stage", payload_compacted: true } } } });
    expect(delegatedResult(worker)).toMatchObject({ worker: { result: { transcript: {} } } });
  });

  it.each([
    [{ result: "r", visible_text: "v" }, "r"],
    [{ visible_text: "v", text: "t" }, "v"],
    [{ text: "t" }, "t"],
    [{ result: "", visible_text: "v" }, null],
    [{ result: {}, text: "t" }, null],
    [{}, null],
  ] as const)("[L-14.6] the text of %j is %j", (payload, text) => {
    const [, result] = delegatedArtifacts(
      { ...worker, latest_payload: payload },
      { node_id: "n", input_ids: [] },
      countedContext(),
    );
    expect(result?.text).toBe(text);
  });
});

describe("the spans of a suspension", () => {
  it("[L-19] say who and why, and leave out what is not known", () => {
    const mark = { worker_id: "worker_1", reason: "idle", initiator: "self", has_conditions: false };
    expect(suspensionMetadata({ ...mark, pipeline_span_id: null, parent_worker_id: null })).toEqual({
      ...mark,
      handle: "worker_1",
    });
    expect(suspensionMetadata({ ...mark, pipeline_span_id: "77", parent_worker_id: "worker_0" })).toEqual({
      ...mark,
      handle: "worker_1",
      pipeline_span_id: "77",
      pipeline_id: "77",
      parent_worker_id: "worker_0",
    });
  });

  it("[L-19] that of a resumption says whether something was said, never what", () => {
    const mark = {
      worker_id: "worker_1",
      initiator: "operator",
      continue_transcript: true,
      had_resume_input: true,
      linked_suspension_count: 2,
    };
    expect(resumeMetadata(mark)).toEqual({ ...mark, handle: "worker_1" });
  });
});

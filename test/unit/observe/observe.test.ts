import { describe, expect, it } from "vitest";
import { childRunOf } from "../../../src/engine/observe/child-runs.ts";
import { enrichRunRecord, mergeQuestions } from "../../../src/engine/observe/enrich.ts";
import { deriveObservability } from "../../../src/engine/observe/observability.ts";
import { buildRunTree } from "../../../src/engine/observe/run-tree.ts";
import { decodeRunRecord, type RunRecord } from "../../../src/schema/record.ts";

const makeContext = () => {
  let count = 0;
  return { now: 0, nextId: (prefix: string) => `${prefix}_${++count}` };
};

const record = (fields: object): RunRecord => {
  const decoded = decodeRunRecord({ id: "r", workflow_id: "wf", status: "completed", ...fields });
  if (!decoded.ok) throw new Error(decoded.error.message);
  return decoded.value;
};

const worker = {
  id: "w1",
  name: "scout",
  task: "look",
  child_run_id: "child",
  child_run_path: "child.json",
  audit: { session_id: "s", mutation_scope: "read_only" },
};

describe("decoding a record", () => {
  it("[W-0.1] missing fields have defaults, null is refused where a value must be", () => {
    expect(record({})).toMatchObject({
      stages: [],
      artifacts: [],
      transcript: null,
      metadata: {},
      replay_fixture: null,
    });
    const bad = decodeRunRecord({ id: "r", stages: [{ id: "s", kind: null }] });
    expect(bad.ok ? "" : bad.error.message).toMatch(
      /^run_record parse error at stages\[0\]\.kind: .* \| payload=\{"id":"r"/,
    );
  });
});

describe("the action graph", () => {
  const run = record({
    workflow_name: "demo",
    stages: [
      {
        id: "r:gate:1",
        node_id: "gate",
        kind: "condition",
        status: "completed",
        outcome: "condition_true",
        branch: "true",
      },
      {
        id: "r:act:2",
        node_id: "act",
        kind: "stage",
        status: "completed",
        outcome: "success",
        metadata: { worker_id: "w1" },
      },
    ],
    transitions: [
      { id: "t", from_stage_id: "r:gate:1", from_node_id: "gate", to_node_id: "act", branch: "true" },
      { id: "u", from_node_id: "act", to_node_id: "never_run" },
    ],
    child_runs: [
      { worker_id: "w1", worker_name: "scout", parent_stage_id: "r:act:2", status: "completed", run_id: "c" },
    ],
  });

  it("[W-12.2] shows run, stages and workers and how they led to each other", () => {
    const { action_graph_nodes: nodes, action_graph_edges: edges, worker_lineage: lineage } = deriveObservability(run);
    expect(nodes.map(({ id, kind, label }) => [id, kind, label])).toEqual([
      ["run:r", "run", "demo"],
      ["stage:r:gate:1", "predicate", "gate"],
      ["stage:r:act:2", "stage", "act"],
      ["worker:w1", "worker", "scout"],
    ]);
    expect(nodes[2]?.metadata).toEqual({ stage_kind: "stage", worker_id: "w1" });
    expect(edges).toEqual([
      { from_id: "run:r", to_id: "stage:r:gate:1", kind: "entry", label: null },
      { from_id: "stage:r:gate:1", to_id: "stage:r:act:2", kind: "predicate_gate", label: "true" },
      { from_id: "stage:r:act:2", to_id: "worker:w1", kind: "delegates", label: "scout" },
    ]);
    expect(lineage).toMatchObject([{ worker_id: "w1", run_id: "c" }]);
  });

  it("[W-12.2] a trigger becomes the entry point, and a replayed event shows its original", () => {
    const event = {
      id: "e1",
      provider: "github",
      kind: "push",
      dedupe_key: "k",
      trace_id: "tr",
      signature_status: { state: "verified" },
    };
    const triggered = { ...run, metadata: { trigger_event: event, replay_of_event_id: "e0" } };
    const { action_graph_nodes: nodes, action_graph_edges: edges } = deriveObservability(triggered);
    expect(nodes.filter(({ kind }) => kind === "trigger")).toMatchObject([
      { id: "trigger:e0", label: "github:push (original e0)", status: "historical", outcome: "replayed_from" },
      { id: "trigger:e1", label: "github:push", status: "received", outcome: "verified", trace_id: "tr" },
    ]);
    expect(edges.slice(0, 3)).toEqual([
      { from_id: "run:r", to_id: "trigger:e1", kind: "entry", label: "e1" },
      { from_id: "trigger:e0", to_id: "trigger:e1", kind: "replay_chain", label: "replay chain" },
      { from_id: "trigger:e1", to_id: "stage:r:gate:1", kind: "trigger_dispatch", label: null },
    ]);
  });
});

const stage = (fields: object) => ({ id: "s", node_id: "n", kind: "stage", ...fields });

describe("what stages tell", () => {
  it("[W-12.2] agent work is counted; a stage without it has no round", () => {
    const data = {
      trace: { iterations: 2, llm_calls: 3, tool_executions: 1, tools_used: ["ignored"] },
      tools: { calls: [{ name: "read" }, { name: "read" }, "write"], successful: ["read"] },
      task_ledger: {
        root_task: "t",
        deliverables: [
          { id: "d", status: "open" },
          { id: "e", status: "done" },
        ],
        observations: ["fact"],
      },
    };
    const run = record({
      stages: [
        { id: "1", node_id: "a", kind: "stage", artifacts: [{ text: "x" }, { data }] },
        { id: "2", node_id: "b", kind: "stage", artifacts: [{ data: { text: "plain", tools: { mode: "text" } } }] },
        { id: "3", node_id: "c", kind: "stage", artifacts: [{ data: { trace: { tools_used: ["ls"] } } }] },
      ],
    });
    const observed = deriveObservability(run);
    expect(observed).toMatchObject({ schema_version: 4, research_fact_count: 1 });
    expect(observed.planner_rounds).toMatchObject([
      {
        stage_id: "1",
        iteration_count: 2,
        llm_call_count: 3,
        tools_used: ["read", "write"],
        successful_tools: ["read"],
        task_ledger: { blocking_count: 1 },
        research_facts: ["fact"],
      },
      { stage_id: "3", tools_used: ["ls"], task_ledger: null },
    ]);
  });

  it("[W-12.2] a verification passes by its own word, else by the stage's", () => {
    const run = record({
      stages: [
        stage({ verification: { pass: false } }),
        stage({ verification: { success: true } }),
        stage({ verification: { ok: true }, status: "completed", outcome: "success" }),
        stage({ kind: "verify", status: "failed", visible_text: "red" }),
        stage({ kind: "verify", status: "completed", outcome: "verified", visible_text: " " }),
        stage({}),
      ],
    });
    const outcomes = deriveObservability(run).verification_outcomes;
    expect(outcomes.map(({ passed }) => passed)).toEqual([false, true, true, false, null]);
    expect(outcomes.map(({ summary }) => summary)).toEqual([
      '{"pass":false}',
      '{"success":true}',
      '{"ok":true}',
      "red",
      null,
    ]);
  });

  it("[W-12.2] transcripts are pointed at and each compaction is told once", () => {
    const transcript = {
      id: "tr",
      assets: [{ id: "as" }],
      events: [
        {
          id: "ev",
          kind: "compaction",
          metadata: { mode: "manual", strategy: "truncate", archived_messages: 4, snapshot_asset_id: "as" },
        },
        { id: "other", kind: "message" },
        { kind: "compaction" },
      ],
    };
    const observed = deriveObservability(record({ stages: [{ id: "1", node_id: "a", transcript }], transcript }));
    expect(observed.transcript_pointers.map(({ id, location }) => [id, location])).toEqual([
      ["stage:1:transcript", "run.stages[a].transcript"],
      ["run:transcript", "run.transcript"],
    ]);
    expect(observed.compaction_events.slice(0, 1)).toMatchObject([
      {
        id: "ev",
        stage_id: "1",
        archived_messages: 4,
        snapshot_location: "run.stages[a].transcript.assets[as]",
        available: true,
      },
    ]);
    expect(observed.compaction_events.filter(({ id }) => id === "ev")).toHaveLength(1);
    expect(observed.compaction_events.slice(1)).toMatchObject([{ available: false }, { available: false }]);
  });
});

const question = (id: string, at: string, prompt = "p") => ({
  request_id: id,
  prompt,
  agent: "a",
  trace_id: null,
  asked_at: at,
});

describe("saving and loading", () => {
  it("[W-12.1] a bare record is completed, and completing it again changes nothing", () => {
    const context = makeContext();
    const given = record({ id: "", status: "", stages: [{ id: "s1", node_id: "d", metadata: { worker } }] });
    const once = enrichRunRecord(given, context, { persistedPath: "runs/x" });
    expect(once).toMatchObject({
      _type: "run_record",
      id: "run_1",
      root_run_id: "run_1",
      status: "running",
      started_at: "1970-01-01T00:00:00.000Z",
      persisted_path: "runs/x",
      child_runs: [{ worker_id: "w1", parent_stage_id: "s1", session_id: "s" }],
      replay_fixture: { source_run_id: "run_1" },
      observability: { schema_version: 4 },
    });
    expect(enrichRunRecord(once, context)).toEqual(once);
  });

  it("[W-1.16] a handle without an id is no child, and missing fields have defaults", () => {
    expect(childRunOf({ name: "x" }, null)).toBeNull();
    expect(childRunOf("x", null)).toBeNull();
    expect(childRunOf({ id: "w" }, "s")).toMatchObject({ worker_name: "worker", status: "completed", task: "" });
  });

  it("[W-12.1] known children are filled, not replaced", () => {
    const run = record({
      child_runs: [{ worker_id: "w1", worker_name: "mine", status: "failed" }, { worker_name: "unnamed" }],
      stages: [{ id: "s1", node_id: "d", metadata: { worker } }],
    });
    expect(enrichRunRecord(run, makeContext()).child_runs).toMatchObject([
      { worker_name: "unnamed" },
      { worker_id: "w1", worker_name: "mine", status: "failed", run_id: "child", parent_stage_id: "s1" },
    ]);
  });

  it("[W-12.1] questions are one per request, ordered by time and request", () => {
    const merged = mergeQuestions(
      [question("b", "2", "old")],
      [question("c", "1"), question("b", "2", "new"), question("a", "2"), question("", "0"), question("x", "0", "")],
    );
    expect(merged.map(({ request_id: id, prompt }) => [id, prompt])).toEqual([
      ["c", "p"],
      ["a", "p"],
      ["b", "new"],
    ]);
  });
});

describe("the run tree", () => {
  it("[W-12.8] follows children, recovers them from stages, keeps missing ones as leaves and never runs in a circle", () => {
    const root = record({ id: "root", stages: [{ id: "s", node_id: "d", metadata: { worker } }] });
    const child = record({
      id: "child",
      child_runs: [
        { worker_id: "gone", run_path: "gone.json" },
        { worker_id: "back", run_path: "root.json" },
      ],
    });
    const records: Record<string, RunRecord> = { "child.json": child, "root.json": root };
    const tree = buildRunTree(root, ({ run_path: path }) => records[path ?? ""] ?? null);
    expect(tree).toMatchObject({
      run: { id: "root", child_runs: [{ worker_id: "w1", parent_stage_id: "s" }] },
      children: [
        {
          worker: { worker_id: "w1" },
          run: { id: "child" },
          children: [
            { worker: { worker_id: "gone" }, run: null, children: [] },
            { worker: { worker_id: "back" }, run: null, children: [] },
          ],
        },
      ],
    });
  });
});

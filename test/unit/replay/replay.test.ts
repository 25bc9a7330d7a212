import { describe, expect, it } from "vitest";
import { diffRuns } from "../../../src/engine/replay/diff.ts";
import { evaluateFixture, normalizeQuestion } from "../../../src/engine/replay/evaluate.ts";
import { replayFixture } from "../../../src/engine/replay/fixture.ts";
import { evaluateSuite } from "../../../src/engine/replay/suite.ts";
import { decodeRunRecord, type RunRecord } from "../../../src/schema/record.ts";
import { decodeReplayFixture, type ReplayFixture } from "../../../src/schema/replay.ts";

const context = { now: 9_000, nextId: (prefix: string) => `${prefix}_1` };

const record = (fields: object): RunRecord => {
  const decoded = decodeRunRecord({ id: "r", workflow_id: "wf", status: "completed", ...fields });
  if (!decoded.ok) throw new Error(decoded.error.message);
  return decoded.value;
};

const fixture = (fields: object): ReplayFixture => {
  const decoded = decodeReplayFixture({ expected_status: "completed", ...fields });
  if (!decoded.ok) throw new Error(decoded.error.message);
  return decoded.value;
};

const asked = (...prompts: string[]): RunRecord =>
  record({ hitl_questions: prompts.map((prompt, i) => ({ request_id: `q${i}`, prompt })) });
const expecting = (spec: object): ReplayFixture =>
  fixture({ eval_kind: "clarifying_question", clarifying_question: spec });

const call = (name: string, result: string) => ({ tool_name: name, args_hash: "h", result });

const act = { id: "r:act:1", node_id: "act", status: "completed", outcome: "success", branch: "success" };
const good = record({ stages: [{ ...act, visible_text: "done", artifacts: [{ id: "a1", kind: "summary" }] }] });

describe("the fixture of a run", () => {
  it("[W-12.3] asserts status, outcome, branch, kinds and the first 80 characters of every stage", () => {
    const run = record({
      stages: [
        { ...act, visible_text: "😀".repeat(90), artifacts: [{ kind: "plan" }] },
        { ...act, visible_text: "" },
        act,
      ],
    });
    const made = replayFixture(run, context);
    expect(made).toMatchObject({
      _type: "replay_fixture",
      id: "fixture_1",
      source_run_id: "r",
      workflow_id: "wf",
      created_at: "9",
      eval_kind: "replay",
      expected_status: "completed",
      stage_assertions: [
        { node_id: "act", expected_branch: "success", required_artifact_kinds: ["plan"] },
        { visible_text_contains: null },
        { visible_text_contains: null },
      ],
    });
    expect(made.stage_assertions[0]?.visible_text_contains).toBe("😀".repeat(80));
  });

  it("[W-12.4] a run keeps to its own fixture", () => {
    expect(evaluateFixture(good, replayFixture(good, context))).toEqual({ pass: true, failures: [], stage_count: 1 });
  });

  it("[W-12.4] every violation has its text, in the order of the assertions", () => {
    const bad = record({ status: "failed", stages: [{ node_id: "act", status: "failed", outcome: "error" }] });
    const wanted = fixture({
      stage_assertions: [
        {
          node_id: "act",
          expected_status: "completed",
          expected_outcome: "success",
          expected_branch: "success",
          required_artifact_kinds: ["summary"],
          visible_text_contains: 'say "done"',
        },
        { node_id: "ghost" },
      ],
    });
    expect(evaluateFixture(bad, wanted).failures).toEqual([
      "run status mismatch: expected completed, got failed",
      "stage act status mismatch: expected completed, got failed",
      "stage act outcome mismatch: expected success, got error",
      'stage act branch mismatch: expected Some("success"), got None',
      "stage act missing artifact kind summary",
      'stage act visible text does not contain expected snippet "say \\"done\\""',
      "missing stage ghost",
    ]);
  });

  it("[W-12.4] the last record of a node stands for all, and extra stages are no failure", () => {
    const looped = record({ stages: [{ ...act, outcome: "stuck" }, act, { ...act, node_id: "extra" }] });
    const report = evaluateFixture(
      looped,
      fixture({
        stage_assertions: [
          { node_id: "act", expected_status: "completed", expected_outcome: "success", expected_branch: "success" },
        ],
      }),
    );
    expect(report).toEqual({ pass: true, failures: [], stage_count: 3 });
  });
});

describe("clarifying questions", () => {
  it("[W-12.4b] questions are compared without case and punctuation", () => {
    expect(normalizeQuestion("  Which  repo-sitory, 2?")).toBe("which repo sitory 2");
  });

  it.each([
    [{ required_terms: ["REPO,"], forbidden_terms: ["database"] }, true],
    [{ expected_question: "which repo  should i patch" }, true],
    [{ expected_question: "which branch" }, false],
    [{ accepted_questions: ["other", "Which repo should I patch"] }, true],
    [{ accepted_questions: ["other"] }, false],
    [{ required_terms: ["branch"] }, false],
    [{ forbidden_terms: ["repo"] }, false],
    [{}, true],
  ])("[W-12.4b] %j matches: %j", (spec, pass) => {
    expect(evaluateFixture(asked("Which repo should I patch?"), expecting(spec)).pass).toBe(pass);
  });

  it("[W-12.4b] too few, too many and none that match each have their text", () => {
    expect(evaluateFixture(asked(), expecting({ required_terms: ["x"] })).failures).toEqual([
      "expected at least 1 clarifying question(s), got 0",
    ]);
    expect(evaluateFixture(asked("a", "b"), expecting({ required_terms: ["x"] })).failures).toEqual([
      "expected at most 1 clarifying question(s), got 2",
      'no clarifying question matched fixture; actual questions: "a", "b"',
    ]);
    expect(evaluateFixture(asked(), fixture({ eval_kind: "clarifying_question" })).pass).toBe(false);
  });
});

describe("comparing runs", () => {
  it("[W-12.6] the same work under another run id is identical", () => {
    const verified = { ...act, kind: "verify", verification: { ok: true }, transcript: { id: "t" } };
    const left = record({ id: "one", stages: [{ ...verified, id: "one:act:1" }] });
    const right = record({ id: "two", stages: [{ ...verified, id: "two:act:1" }] });
    expect(diffRuns(left, right)).toMatchObject({ identical: true, observability_diffs: [] });
  });

  it("[W-12.6] stages that changed, came or went are listed by node", () => {
    const left = record({
      stages: [
        { ...act, produced_artifact_ids: ["x"] },
        { ...act, node_id: "old" },
      ],
    });
    const right = record({
      status: "failed",
      stages: [
        { ...act, status: "failed", outcome: "error", branch: null, artifacts: [{}] },
        { ...act, node_id: "new" },
      ],
    });
    const report = diffRuns(left, right);
    expect(report).toMatchObject({
      identical: false,
      status_changed: true,
      left_status: "completed",
      right_status: "failed",
    });
    expect(report.stage_diffs).toEqual([
      {
        node_id: "act",
        change: "changed",
        details: [
          "status: completed -> failed",
          "outcome: success -> error",
          'branch: Some("success") -> None',
          "produced_artifacts: 1 -> 0",
          "artifact_records: 0 -> 1",
        ],
      },
      { node_id: "new", change: "added", details: ["stage missing from left run"] },
      { node_id: "old", change: "removed", details: ["stage missing from right run"] },
    ]);
  });

  it("[W-12.6] counts are right minus left and make runs different", () => {
    const right = record({ transitions: [{}, {}], artifacts: [{}], checkpoints: [{}] });
    expect(diffRuns(record({ artifacts: [{}, {}] }), right)).toMatchObject({
      identical: false,
      transition_count_delta: 2,
      artifact_count_delta: -1,
      checkpoint_count_delta: 1,
    });
  });

  it("[W-12.6] tool results differ by call, also when only one run made it", () => {
    const left = record({ tool_recordings: [call("same", "1"), call("read", "1"), call("gone", "1")] });
    const right = record({ tool_recordings: [call("same", "1"), call("read", "2")] });
    expect(diffRuns(left, right).tool_diffs).toEqual([
      { tool_name: "gone", args_hash: "h", result_changed: true, left_result: "1", right_result: null },
      { tool_name: "read", args_hash: "h", result_changed: true, left_result: "1", right_result: "2" },
    ]);
  });

  it("[W-12.6] observability differs by section", () => {
    const transcript = { id: "t", events: [{ id: "e", kind: "compaction", metadata: { mode: "manual" } }] };
    const agent = { data: { trace: { iterations: 1 } } };
    const left = record({
      stages: [{ ...act, verification: { ok: true }, transcript, artifacts: [agent] }],
      child_runs: [{ worker_id: "w", worker_name: "scout", status: "completed" }],
    });
    const right = record({ stages: [{ ...act, verification: { ok: false }, artifacts: [{}] }] });
    const sections = diffRuns(left, right).observability_diffs.map(({ section, label }) => [section, label]);
    expect(sections).toEqual([
      ["worker_lineage", "/scout#0"],
      ["planner_rounds", "act:1"],
      ["transcript_pointers", "act:1:transcript"],
      ["compaction_events", "act:1#0"],
      ["verification", "act:1"],
      ["action_graph", "shape"],
    ]);
    expect(diffRuns(left, right).observability_diffs.at(-1)?.details).toEqual(["nodes/edges: 3/2 -> 2/1"]);
    expect(diffRuns(right, left).observability_diffs[0]?.details).toEqual([
      "worker_lineage entry missing from left run",
    ]);
  });
});

describe("suites", () => {
  it("[W-12.6] cases are counted; an empty suite passes", () => {
    const bad = record({ id: "bad", status: "failed" });
    const held = replayFixture(good, context);
    const report = evaluateSuite(
      [
        { run: good, fixture: held, source_path: "good.json" },
        { run: bad, fixture: held, label: "second" },
      ],
      context,
    );
    expect(report).toMatchObject({
      pass: false,
      total: 2,
      passed: 1,
      failed: 1,
      cases: [
        { run_id: "r", pass: true, source_path: "good.json", label: null, comparison: null },
        { run_id: "bad", pass: false, label: "second" },
      ],
    });
    expect(evaluateSuite([], context)).toEqual({ pass: true, total: 0, passed: 0, failed: 0, cases: [] });
  });

  it("[W-12.6] without a fixture a run is held against its own, and a baseline must be identical", () => {
    const changed = { ...good, stages: [] };
    const report = evaluateSuite(
      [
        { run: good, baseline: { path: "base.json", run: good } },
        { run: changed, baseline: { path: "base.json", run: good } },
        { run: { ...good, replay_fixture: fixture({ expected_status: "paused" }) } },
      ],
      context,
    );
    expect(report.cases.map(({ failures }) => failures)).toEqual([
      [],
      ["run differs from baseline base.json with 1 stage changes"],
      ["run status mismatch: expected paused, got completed"],
    ]);
  });
});

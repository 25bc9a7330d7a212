import { beforeAll, describe, expect, it } from "vitest";
import { clientFor, migrateDatabase, TWO_STAGES } from "./http-setup.ts";
import { driveByHand, outsideRun, refusedWith } from "./replay-setup.ts";

const client = clientFor();

beforeAll(migrateDatabase);

const twoStages = async (texts: Readonly<Record<string, string>> = {}): Promise<string> => {
  const { run_id: runId } = await client.createRun({ graph: TWO_STAGES, task: "t", drive: "manual" });
  const given = Object.fromEntries(
    ["a", "b"].map((node) => [
      node,
      { status: "completed", text: texts[node] ?? node, visible_text: texts[node] ?? node },
    ]),
  );
  await driveByHand(client, runId, given);
  return runId;
};

const bad = (body: object) => refusedWith(client.evaluateRuns(body));

/** The handle of a worker that made a run, as a stage's result shows it. */
const worker = (id: string, child: string) => ({ id, name: id, status: "completed", child_run_id: child });

describe("comparing runs", () => {
  it("[W-12.6] two runs that did the same do not differ, one that answered otherwise does from there on", async () => {
    const [left, same, other] = [await twoStages(), await twoStages(), await twoStages({ b: "not b" })];
    expect(await client.diffRuns(left, same)).toMatchObject({ identical: true, first_divergence: null });
    expect(await client.diffRuns(left, other)).toMatchObject({
      left_run_id: left,
      right_run_id: other,
      first_divergence: {
        position: 1,
        left_stage_id: `${left}:b:2`,
        right_stage_id: `${other}:b:2`,
        node_id: "b",
        what: expect.arrayContaining(["outputs.text"]) as unknown,
      },
      inputs_changed: false,
      outputs_changed: true,
      left_path: ["a", "b"],
      right_path: ["a", "b"],
    });
    expect(await refusedWith(client.diffRuns(left, "nobody"))).toMatchObject({ status: 404, code: "run_not_found" });
    expect(await refusedWith(client.diffRuns("nobody", left))).toMatchObject({ status: 404, code: "run_not_found" });
  });

  it("[W-12.3] a run's fixture holds for another run that did the same, and tells where one did not", async () => {
    const [run, other] = [await twoStages(), await twoStages({ b: "not the same" })];
    const fixture = await client.getFixture(run);
    expect(fixture).toMatchObject({ source_run_id: run, expected_status: "completed", stage_assertions: [{}, {}] });
    const report = await client.evaluateRuns({
      cases: [
        { run_id: run, fixture, label: "itself" },
        { run_id: other, fixture: { ...fixture, expected_status: "paused" }, compare_to: run },
      ],
    });
    expect(report).toMatchObject({ pass: false, total: 2, passed: 1, failed: 1 });
    expect(report.cases[0]).toMatchObject({ label: "itself", pass: true, comparison: null });
    expect(report.cases[1]?.failures).toEqual([
      "run status mismatch: expected paused, got completed",
      'stage b visible text does not contain expected snippet "b"',
    ]);
    expect(report.cases[1]?.comparison?.first_divergence).toMatchObject({ position: 1 });
    expect(await refusedWith(client.getFixture("nobody"))).toMatchObject({ code: "run_not_found" });
  });

  it("[W-12.7] a pack weighs its cases", async () => {
    const run = await outsideRun(client);
    const pack = {
      id: "pack",
      rubrics: [
        { id: "ended", kind: "deterministic", assertions: [{ kind: "run-status", expected: "completed" }] },
        { id: "said", kind: "", assertions: [{ kind: "visible_text_contains", stage: "ask", contains: "no" }] },
        { id: "judge", kind: "llm-judge" },
      ],
      cases: [
        { id: "good", run, rubrics: ["ended"] },
        { id: "short", run, severity: "warn", thresholds: { "max-stage-count": 2 } },
        { id: "words", run, severity: "info", rubrics: ["said"] },
        { id: "judged", run, rubrics: ["judge", "unknown"] },
        { id: "lost" },
      ],
    };
    const report = await client.evaluateRuns({ pack });
    expect(report).toMatchObject({
      pack_id: "pack",
      pass: false,
      total: 5,
      blocking_failed: 2,
      warning_failed: 1,
      informational_failed: 1,
    });
    expect(report.cases.map(({ pass, failures }) => [pass, failures])).toEqual([
      [true, []],
      [true, []],
      [true, []],
      [
        false,
        [
          "rubric 'judge' requires an external LLM judge and was not run locally",
          "case references unknown rubric 'unknown'",
        ],
      ],
      [false, ["eval pack case is missing run or run_path"]],
    ]);
    expect(report.cases[1]).toMatchObject({ severity: "warning", warnings: ["stage count 6 exceeds threshold 2"] });
    expect(report.cases[2]).toMatchObject({
      informational: [`rubric 'said': stage ask visible text does not contain "no"`],
    });
  });

  it("[api] evaluation needs cases or a pack, fixtures that can be read and runs that exist", async () => {
    const run = await twoStages();
    expect(await bad({})).toMatchObject({ status: 400, code: "invalid_request" });
    expect(await bad({ cases: [{ run_id: run, fixture: { stage_assertions: 1 } }] })).toMatchObject({ status: 400 });
    expect(await bad({ cases: [{ run_id: "nobody" }] })).toMatchObject({ status: 404 });
    expect(await bad({ cases: [{ run_id: run, compare_to: "nobody" }] })).toMatchObject({ status: 404 });
    expect(await bad({ pack: { cases: [{ run, fixture_path: "a.json" }] } })).toMatchObject({ status: 400 });
    expect(await bad({ pack: { cases: [{ run, fixture: "gone" }] } })).toMatchObject({ status: 400 });
    expect(await bad({ pack: { cases: 3 } })).toMatchObject({ status: 400 });
  });
});

describe("the tree of a run", () => {
  it("[W-12.8] holds the runs that its workers made, down to the bounds", async () => {
    const grandchild = await twoStages();
    const parentOf = async (id: string, child: string): Promise<string> => {
      const { run_id: runId } = await client.createRun({ graph: TWO_STAGES, task: "t", drive: "manual" });
      await driveByHand(client, runId, { a: { status: "completed", text: "a", worker: worker(id, child) } });
      return runId;
    };
    const child = await parentOf("w2", grandchild);
    const root = await parentOf("w1", child);
    const tree = await client.getTree(root);
    expect(tree).toMatchObject({
      run: { id: root },
      truncated: false,
      children: [
        { worker: { worker_id: "w1" }, run: { id: child }, children: [{ run: { id: grandchild }, children: [] }] },
      ],
    });
    const shallow = await client.getTree(root, { depth: 1 });
    expect(shallow).toMatchObject({ truncated: true, children: [{ run: { id: child }, children: [{ run: null }] }] });
    expect(await client.getTree(root, { limit: 1 })).toMatchObject({ truncated: true, children: [{ run: null }] });
    expect(await refusedWith(client.getTree("nobody"))).toMatchObject({ status: 404, code: "run_not_found" });
    expect(await refusedWith(client.getTree(root, { depth: 99 }))).toMatchObject({ status: 400 });
  });
});

import type { ReplayEvalCaseReport, ReplayEvalSuiteReport, ReplayFixture } from "../../schema/replay.ts";
import type { RunRecord } from "../../schema/record.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";
import { diffRuns } from "./diff.ts";
import { evaluateFixture } from "./evaluate.ts";
import { replayFixture } from "./fixture.ts";

/** One run of a suite, with what it is held against. */
export interface SuiteCase {
  readonly run: RunRecord;
  /** Without one the run's own fixture is taken, or one derived from the run. */
  readonly fixture?: ReplayFixture | null;
  readonly label?: string | null;
  readonly source_path?: string | null;
  /** A run this one must be identical to. */
  readonly baseline?: { readonly path: string; readonly run: RunRecord } | null;
}

const evaluateCase = (entry: SuiteCase, context: ArtifactContext): ReplayEvalCaseReport => {
  const { run, baseline } = entry;
  const fixture = entry.fixture ?? run.replay_fixture ?? replayFixture(run, context);
  const report = evaluateFixture(run, fixture);
  const comparison = baseline ? diffRuns(baseline.run, run) : null;
  const differs = baseline && comparison !== null && !comparison.identical;
  const failures = differs
    ? [
        ...report.failures,
        `run differs from baseline ${baseline.path} with ${comparison.stage_diffs.length} stage changes`,
      ]
    : report.failures;
  return {
    run_id: run.id,
    workflow_id: run.workflow_id,
    label: entry.label ?? null,
    pass: failures.length === 0,
    failures,
    stage_count: report.stage_count,
    source_path: entry.source_path ?? null,
    comparison,
  };
};

/** Holds each run of a suite against its fixture and baseline; an empty suite passes (spec/workflow 12.6). */
export const evaluateSuite = (cases: readonly SuiteCase[], context: ArtifactContext): ReplayEvalSuiteReport => {
  const reports = cases.map((entry) => evaluateCase(entry, context));
  const passed = reports.filter((report) => report.pass).length;
  return {
    pass: passed === reports.length,
    total: reports.length,
    passed,
    failed: reports.length - passed,
    cases: reports,
  };
};

import type { EvalPack, EvalPackCase, EvalRubric, EvalThresholds } from "../../schema/eval-pack.ts";
import type { ReplayEvalCaseReport, ReplayFixture } from "../../schema/replay.ts";
import type { RunRecord } from "../../schema/record.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";
import { assertionFailure, type PackSeverity } from "./rubric.ts";
import { evaluateSuite } from "./suite.ts";

/** A case of a pack with what it names. */
export interface PackCase {
  readonly entry: EvalPackCase;
  /** Null when the case names no run. */
  readonly run: RunRecord | null;
  readonly fixture: ReplayFixture | null;
  readonly baseline: { readonly path: string; readonly run: RunRecord } | null;
}

/** The verdict on one case of a pack. */
export interface PackCaseReport extends ReplayEvalCaseReport {
  readonly id: string;
  readonly severity: PackSeverity;
  readonly warnings: readonly string[];
  readonly informational: readonly string[];
}

/** The verdict on a pack (spec/workflow 12.7). */
export interface PackReport {
  readonly pack_id: string;
  /** Whether no blocking case failed. */
  readonly pass: boolean;
  readonly total: number;
  readonly passed: number;
  readonly failed: number;
  readonly blocking_failed: number;
  readonly warning_failed: number;
  readonly informational_failed: number;
  readonly cases: readonly PackCaseReport[];
}

const severityOf = (pack: EvalPack, entry: EvalPackCase): PackSeverity => {
  const { defaults } = pack;
  const named =
    entry.severity ?? entry.thresholds.severity ?? defaults.severity ?? defaults.thresholds.severity ?? "blocking";
  if (named === "warn" || named === "warning") return "warning";
  return named === "info" || named === "informational" ? "informational" : "blocking";
};

const latencyOf = (run: RunRecord): number => {
  const [from, to] = [Date.parse(run.started_at), Date.parse(run.finished_at ?? "")];
  if (Number.isFinite(from) && Number.isFinite(to)) return Math.max(0, to - from);
  return run.usage?.total_duration_ms ?? 0;
};

const exceeded = (actual: number, bound: number | null, text: (bound: number) => string): readonly string[] =>
  bound !== null && actual > bound ? [text(bound)] : [];

/** Where a run goes beyond its bounds, with the texts of spec/workflow 12.7. */
const thresholdFailures = (run: RunRecord, bounds: EvalThresholds): readonly string[] => {
  const [stages, latency] = [run.stages.length, latencyOf(run)];
  const cost = run.usage?.total_cost ?? 0;
  const tokens = (run.usage?.input_tokens ?? 0) + (run.usage?.output_tokens ?? 0);
  return [
    ...exceeded(stages, bounds.max_stage_count, (most) => `stage count ${stages} exceeds threshold ${most}`),
    ...exceeded(latency, bounds.max_latency_ms, (most) => `latency ${latency}ms exceeds threshold ${most}ms`),
    ...exceeded(cost, bounds.max_cost_usd, (most) => `cost $${cost.toFixed(6)} exceeds threshold $${most.toFixed(6)}`),
    ...exceeded(tokens, bounds.max_tokens, (most) => `token count ${tokens} exceeds threshold ${most}`),
  ];
};

/** The bounds of a case, with those of the pack where it says nothing. */
const boundsOf = (pack: EvalPack, entry: EvalPackCase): EvalThresholds => {
  const own = Object.entries(entry.thresholds).filter(([, bound]) => bound !== null);
  return { ...pack.defaults.thresholds, ...Object.fromEntries(own) };
};

interface Findings {
  readonly failures: readonly string[];
  readonly warnings: readonly string[];
}

const DETERMINISTIC = new Set(["", "deterministic", "replay", "budget", "hitl", "side_effect"]);

const JUDGES = new Set(["llm_judge", "llm_as_judge", "judge"]);

const rubricFindings = (rubric: EvalRubric, run: RunRecord, isBlocking: boolean): Findings => {
  const kind = rubric.kind.replaceAll("-", "_");
  if (JUDGES.has(kind)) {
    const text = `rubric '${rubric.id}' requires an external LLM judge and was not run locally`;
    return isBlocking ? { failures: [text], warnings: [] } : { failures: [], warnings: [text] };
  }
  if (!DETERMINISTIC.has(kind))
    return { failures: [], warnings: [`rubric '${rubric.id}' has unknown kind '${rubric.kind}' and was not run`] };
  const failures = rubric.assertions.flatMap((assertion) => assertionFailure(rubric.id, assertion, run) ?? []);
  return { failures: [...failures, ...thresholdFailures(run, rubric.thresholds)], warnings: [] };
};

const rubricsOf = (pack: EvalPack, entry: EvalPackCase, run: RunRecord, isBlocking: boolean): Findings => {
  const found = entry.rubrics.map((id): Findings => {
    const rubric = pack.rubrics.find((candidate) => candidate.id === id);
    return rubric === undefined
      ? { failures: [`case references unknown rubric '${id}'`], warnings: [] }
      : rubricFindings(rubric, run, isBlocking);
  });
  return { failures: found.flatMap(({ failures }) => failures), warnings: found.flatMap(({ warnings }) => warnings) };
};

const NO_RUN: ReplayEvalCaseReport = {
  run_id: "",
  workflow_id: "",
  label: null,
  pass: false,
  failures: ["eval pack case is missing run or run_path"],
  stage_count: 0,
  source_path: null,
  comparison: null,
};

interface Judged {
  readonly report: PackCaseReport;
  /** Whether anything was found wrong, whatever it weighs. */
  readonly failed: boolean;
}

const judge = (pack: EvalPack, packCase: PackCase, index: number, context: ArtifactContext): Judged => {
  const { entry, run, fixture, baseline } = packCase;
  const severity = severityOf(pack, entry);
  const isBlocking = severity === "blocking";
  const suite =
    run === null
      ? NO_RUN
      : (evaluateSuite([{ run, fixture, baseline, label: entry.name }], context).cases[0] ?? NO_RUN);
  const rubrics: Findings = run === null ? { failures: [], warnings: [] } : rubricsOf(pack, entry, run, isBlocking);
  const bounds = run === null ? [] : thresholdFailures(run, boundsOf(pack, entry));
  const failures = [...suite.failures, ...bounds, ...rubrics.failures];
  const report: PackCaseReport = {
    ...suite,
    id: entry.id ?? entry.name ?? `case_${index + 1}`,
    severity,
    pass: failures.length === 0 || !isBlocking,
    failures: isBlocking ? failures : [],
    warnings: severity === "warning" ? [...rubrics.warnings, ...failures] : rubrics.warnings,
    informational: severity === "informational" ? failures : [],
  };
  return { report, failed: failures.length > 0 };
};

/**
 * Judges each run of a pack by its fixture, bounds, baseline and rubrics; only blocking cases can fail the pack
 * (spec/workflow 12.7).
 */
export const evaluatePack = (pack: EvalPack, cases: readonly PackCase[], context: ArtifactContext): PackReport => {
  const judged = cases.map((entry, index) => judge(pack, entry, index, context));
  const reports = judged.map(({ report }) => report);
  const failedOf = (severity: PackSeverity): number =>
    judged.filter(({ report, failed }) => report.severity === severity && failed).length;
  const blocking = failedOf("blocking");
  const passed = reports.filter(({ pass }) => pass).length;
  return {
    pack_id: pack.id || (pack.name ?? context.nextId("eval_pack")),
    pass: blocking === 0,
    total: reports.length,
    passed,
    failed: reports.length - passed,
    blocking_failed: blocking,
    warning_failed: failedOf("warning"),
    informational_failed: failedOf("informational"),
    cases: reports,
  };
};

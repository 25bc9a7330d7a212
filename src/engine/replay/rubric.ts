import { canonicalJson, type Json } from "../../lib/json.ts";
import type { EvalAssertion } from "../../schema/eval-pack.ts";
import type { RunRecord } from "../../schema/record.ts";

/** How much a failed case of a pack weighs (spec/workflow 12.7). */
export type PackSeverity = "blocking" | "warning" | "informational";

const textOf = (value: Json): string => (typeof value === "string" ? value : canonicalJson(value));

/** The text an assertion looks for: `contains`, else `expected`. */
const wantedText = ({ contains, expected }: EvalAssertion): string => contains ?? textOf(expected);

const stageTexts = (run: RunRecord, stage: string | null): readonly string[] =>
  run.stages.filter(({ node_id }) => stage === null || node_id === stage).map(({ visible_text }) => visible_text ?? "");

const stageStatus = (assertion: EvalAssertion, run: RunRecord): string | null => {
  const stage = run.stages.findLast(({ node_id }) => node_id === assertion.stage);
  if (stage === undefined) return `missing stage ${assertion.stage ?? ""}`;
  const expected = textOf(assertion.expected);
  return stage.status === expected
    ? null
    : `stage ${stage.node_id} status mismatch: expected ${expected}, got ${stage.status}`;
};

const failure = (assertion: EvalAssertion, run: RunRecord): string | null => {
  const wanted = wantedText(assertion);
  const place =
    assertion.stage === null
      ? "no stage's visible text contains"
      : `stage ${assertion.stage} visible text does not contain`;
  switch (assertion.kind.replaceAll("-", "_")) {
    case "run_status":
      return run.status === wanted ? null : `run status mismatch: expected ${wanted}, got ${run.status}`;
    case "stage_status":
      return stageStatus(assertion, run);
    case "visible_text_contains":
      return stageTexts(run, assertion.stage).some((text) => text.includes(wanted))
        ? null
        : `${place} ${JSON.stringify(wanted)}`;
    case "hitl_question_contains":
      return run.hitl_questions.some(({ prompt }) => prompt.includes(wanted))
        ? null
        : `no question contains ${JSON.stringify(wanted)}`;
    default:
      return `unknown assertion '${assertion.kind}'`;
  }
};

/** What a rubric's assertion finds wrong with a run, or null (spec/workflow 12.7). */
export const assertionFailure = (rubric: string, assertion: EvalAssertion, run: RunRecord): string | null => {
  const found = failure(assertion, run);
  return found === null ? null : `rubric '${rubric}': ${found}`;
};

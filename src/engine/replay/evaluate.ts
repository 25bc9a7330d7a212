import type {
  ClarifyingQuestionSpec,
  ReplayEvalReport,
  ReplayFixture,
  ReplayStageAssertion,
} from "../../schema/replay.ts";
import type { RunRecord, RunStageRecord } from "../../schema/record.ts";
import { optionText } from "./option-text.ts";

/** What of a run is compared with a fixture. */
export type EvaluatedRun = Pick<RunRecord, "status" | "stages" | "hitl_questions">;

const statusFailures = (run: EvaluatedRun, fixture: ReplayFixture): readonly string[] =>
  run.status === fixture.expected_status
    ? []
    : [`run status mismatch: expected ${fixture.expected_status}, got ${run.status}`];

const stageFailures = (assertion: ReplayStageAssertion, stage: RunStageRecord): readonly string[] => {
  const failures: string[] = [];
  const name = `stage ${assertion.node_id}`;
  if (stage.status !== assertion.expected_status) {
    failures.push(`${name} status mismatch: expected ${assertion.expected_status}, got ${stage.status}`);
  }
  if (stage.outcome !== assertion.expected_outcome) {
    failures.push(`${name} outcome mismatch: expected ${assertion.expected_outcome}, got ${stage.outcome}`);
  }
  if (stage.branch !== assertion.expected_branch) {
    const [expected, actual] = [optionText(assertion.expected_branch), optionText(stage.branch)];
    failures.push(`${name} branch mismatch: expected ${expected}, got ${actual}`);
  }
  const kinds = new Set(stage.artifacts.map((artifact) => artifact.kind));
  for (const kind of assertion.required_artifact_kinds) {
    if (!kinds.has(kind)) failures.push(`${name} missing artifact kind ${kind}`);
  }
  const snippet = assertion.visible_text_contains;
  if (snippet !== null && !(stage.visible_text ?? "").includes(snippet)) {
    failures.push(`${name} visible text does not contain expected snippet ${JSON.stringify(snippet)}`);
  }
  return failures;
};

const replayFailures = (run: EvaluatedRun, fixture: ReplayFixture): readonly string[] => {
  // The last record of a node stands for all of them, so of a loop only the last pass is checked.
  const stages = new Map(run.stages.map((stage) => [stage.node_id, stage]));
  return fixture.stage_assertions.flatMap((assertion) => {
    const stage = stages.get(assertion.node_id);
    return stage === undefined ? [`missing stage ${assertion.node_id}`] : stageFailures(assertion, stage);
  });
};

/** A question as questions are compared: lower-case ASCII letters and digits, single spaces (spec/workflow 12.4b). */
export const normalizeQuestion = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, " ")
    .trim();

const matcherOf = (spec: ClarifyingQuestionSpec): ((question: string) => boolean) => {
  const expected = spec.expected_question === null ? null : normalizeQuestion(spec.expected_question);
  const accepted = new Set(spec.accepted_questions.map(normalizeQuestion));
  const required = spec.required_terms.map(normalizeQuestion);
  const forbidden = spec.forbidden_terms.map(normalizeQuestion).filter((term) => term !== "");
  return (question) => {
    const text = normalizeQuestion(question);
    if (expected !== null && text !== expected) return false;
    if (accepted.size > 0 && !accepted.has(text)) return false;
    return required.every((term) => text.includes(term)) && !forbidden.some((term) => text.includes(term));
  };
};

const hasCriterion = (spec: ClarifyingQuestionSpec): boolean =>
  spec.expected_question !== null ||
  spec.accepted_questions.length + spec.required_terms.length + spec.forbidden_terms.length > 0;

const NO_CRITERIA: ClarifyingQuestionSpec = {
  expected_question: null,
  accepted_questions: [],
  required_terms: [],
  forbidden_terms: [],
  min_questions: 0,
  max_questions: null,
};

const questionFailures = (run: EvaluatedRun, fixture: ReplayFixture): readonly string[] => {
  const spec = fixture.clarifying_question ?? NO_CRITERIA;
  const prompts = run.hitl_questions.map((question) => question.prompt);
  const [least, most] = [Math.max(spec.min_questions, 1), Math.max(spec.max_questions ?? 1, 1)];
  const failures: string[] = [];
  if (prompts.length < least) {
    failures.push(`expected at least ${least} clarifying question(s), got ${prompts.length}`);
  }
  if (prompts.length > most) failures.push(`expected at most ${most} clarifying question(s), got ${prompts.length}`);
  if (prompts.length > 0 && hasCriterion(spec) && !prompts.some(matcherOf(spec))) {
    const actual = prompts.map((prompt) => JSON.stringify(prompt)).join(", ");
    failures.push(`no clarifying question matched fixture; actual questions: ${actual}`);
  }
  return failures;
};

/** Whether a run keeps to a fixture, and every point where it does not, in the fixture's order (spec/workflow 12.4). */
export const evaluateFixture = (run: EvaluatedRun, fixture: ReplayFixture): ReplayEvalReport => {
  const own =
    fixture.eval_kind === "clarifying_question" ? questionFailures(run, fixture) : replayFailures(run, fixture);
  const failures = [...statusFailures(run, fixture), ...own];
  return { pass: failures.length === 0, failures, stage_count: run.stages.length };
};

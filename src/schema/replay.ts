import * as z from "zod";
import type { Result } from "../lib/result.ts";
import { decodeDocument, type DecodeError } from "./decode.ts";
import { listOf, optionalText, optionalUint, text, texts, uint } from "./lenient.ts";

const stageAssertionSchema = z
  .object({
    node_id: text,
    expected_status: text,
    expected_outcome: text,
    expected_branch: optionalText,
    required_artifact_kinds: texts,
    visible_text_contains: optionalText,
  })
  .readonly();

const clarifyingQuestionSchema = z
  .object({
    expected_question: optionalText,
    accepted_questions: texts,
    required_terms: texts,
    forbidden_terms: texts,
    min_questions: uint,
    max_questions: optionalUint,
  })
  .readonly();

/** A replay fixture as it is given or stored (spec/workflow 1.19). */
export const replayFixtureSchema = z
  .object({
    _type: text,
    id: text,
    source_run_id: text,
    workflow_id: text,
    workflow_name: optionalText,
    created_at: text,
    eval_kind: optionalText,
    clarifying_question: clarifyingQuestionSchema.nullable().default(null),
    expected_status: text,
    stage_assertions: listOf(stageAssertionSchema),
  })
  .readonly();

/** What a run is expected to look like (spec/workflow 1.19). */
export type ReplayFixture = z.output<typeof replayFixtureSchema>;

/** What one stage is expected to look like. */
export type ReplayStageAssertion = z.output<typeof stageAssertionSchema>;

/** Which questions a run is expected to ask a person (spec/workflow 12.4b). */
export type ClarifyingQuestionSpec = z.output<typeof clarifyingQuestionSchema>;

/** A fixture; the error names the first bad field (spec/workflow 0.1). */
export const decodeReplayFixture = (value: unknown): Result<ReplayFixture, DecodeError> =>
  decodeDocument(replayFixtureSchema, "orchestration", value);

/** Whether a run kept to its fixture, and each point where it did not (spec/workflow 12.4). */
export interface ReplayEvalReport {
  readonly pass: boolean;
  readonly failures: readonly string[];
  readonly stage_count: number;
}

/** The verdict on one run of a suite. */
export interface ReplayEvalCaseReport extends ReplayEvalReport {
  readonly run_id: string;
  readonly workflow_id: string;
  readonly label: string | null;
  readonly source_path: string | null;
  readonly comparison: RunDiffReport | null;
}

/** The verdict on a suite (spec/workflow 12.6). */
export interface ReplayEvalSuiteReport {
  readonly pass: boolean;
  readonly total: number;
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly ReplayEvalCaseReport[];
}

/** How one node differs between two runs. */
export interface RunStageDiff {
  readonly node_id: string;
  readonly change: "removed" | "added" | "changed";
  readonly details: readonly string[];
}

/** How the recorded results of one tool call differ between two runs. */
export interface ToolCallDiff {
  readonly tool_name: string;
  readonly args_hash: string;
  readonly result_changed: boolean;
  readonly left_result: string | null;
  readonly right_result: string | null;
}

/** How one entry of the observability records differs between two runs. */
export interface RunObservabilityDiff {
  readonly section: string;
  readonly label: string;
  readonly details: readonly string[];
}

/** A position of two runs' stages at which they are not the same. */
export interface RunPositionDiff {
  readonly position: number;
  readonly left_stage_id: string | null;
  readonly right_stage_id: string | null;
  readonly node_id: string;
  /** The paths within the stage that differ. */
  readonly what: readonly string[];
}

/** What the right run used more than the left one, counted over their stages. */
export type UsageDelta = Readonly<
  Record<"input_tokens" | "output_tokens" | "total_duration_ms" | "call_count" | "total_cost", number>
>;

/** How two runs differ stage by stage, in the order of execution. Ids and times are no differences. */
export interface RunDivergence {
  readonly first_divergence: RunPositionDiff | null;
  readonly positions: readonly RunPositionDiff[];
  /** The nodes in the order of their execution. */
  readonly left_path: readonly string[];
  readonly right_path: readonly string[];
  readonly inputs_changed: boolean;
  readonly outputs_changed: boolean;
  readonly usage_delta: UsageDelta;
  readonly left_state_hash: string;
  readonly right_state_hash: string;
}

/** All differences between two runs; deltas are right minus left (spec/workflow 12.6). */
export interface RunDiffReport extends RunDivergence {
  readonly left_run_id: string;
  readonly right_run_id: string;
  readonly identical: boolean;
  readonly status_changed: boolean;
  readonly left_status: string;
  readonly right_status: string;
  readonly stage_diffs: readonly RunStageDiff[];
  readonly tool_diffs: readonly ToolCallDiff[];
  readonly observability_diffs: readonly RunObservabilityDiff[];
  readonly transition_count_delta: number;
  readonly artifact_count_delta: number;
  readonly checkpoint_count_delta: number;
}

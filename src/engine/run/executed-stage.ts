import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { LlmUsage } from "../../schema/plan.ts";
import { redactTranscript } from "../prompt/visibility.ts";
import { conditionBranch } from "../node/condition.ts";
import { reducedByFunction } from "../node/reduce.ts";
import { outputArtifact } from "../node/stage-output.ts";
import { takeEvidence } from "../verification/body-evidence.ts";
import { classifyOutcome } from "../verification/outcome.ts";
import type { Draft } from "./draft.ts";
import { verifyStage } from "./stage-verification.ts";
import { sessionExists } from "../transcript/session.ts";
import { unitNode } from "./stage-node.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";
import type { ExecutedStage, PreparedStage, Run, StageWork } from "./state.ts";

/** A stage that ended with an error (spec/workflow 4.6). */
export const failedStage = (error: string, usage: LlmUsage | null = null): ExecutedStage => ({
  status: "failed",
  outcome: "error",
  branch: "error",
  result: { status: "failed", text: "", visible_text: "", error },
  artifacts: [],
  verification: null,
  usage,
  error,
});

/** True for the result of a call that failed (spec/workflow 5): the marker must be the boolean true. */
export const isCallError = (result: JsonObject): boolean => result["__workflow_stage_error"] === true;

/** The error text of a failed call. */
export const callError = (result: JsonObject): string =>
  typeof result["error"] === "string" && result["error"] !== "" ? result["error"] : "workflow stage call failed";

const count = (value: Json | undefined): number =>
  typeof value === "number" && Number.isFinite(value) && value > 0 ? value : 0;

/** The usage a result reports; null when it reports none. Fields of the wrong type count as zero. */
export const usageOf = (result: JsonObject): LlmUsage | null => {
  const usage = result["usage"];
  if (!isObject(usage)) return null;
  const models = Array.isArray(usage["models"])
    ? usage["models"].filter((m): m is string => typeof m === "string")
    : [];
  return {
    input_tokens: count(usage["input_tokens"]),
    output_tokens: count(usage["output_tokens"]),
    total_duration_ms: count(usage["total_duration_ms"]),
    call_count: count(usage["call_count"]),
    total_cost: count(usage["total_cost"]),
    models,
  };
};

const CALLS: ReadonlySet<string> = new Set(["http", "function", "sleep", "wait", "person"]);

/** A stage that talks replaces the run's transcript, also by none (spec/workflow 14.2); a mere call leaves it alone. */
const transcriptAfter = (
  { run, unit, node }: Judged,
  result: JsonObject,
): Pick<ExecutedStage, "transcript" | "transcript_from"> => {
  const { transcript } = result;
  const visibility = node.output_visibility;
  if (transcript !== undefined && transcript !== null) return { transcript: redactTranscript(transcript, visibility) };
  if (CALLS.has(unit.work.type)) return transcript === undefined ? {} : { transcript };
  if (unit.session_id === null || !sessionExists(run.sessions, unit.session_id)) return { transcript: null };
  return { transcript_from: { session_id: unit.session_id, visibility } };
};

/** A condition that was decided outside; its text is the branch (spec/workflow 6.1). */
const decidedCondition = (given: JsonObject): ExecutedStage => {
  const execution = conditionBranch(given["text"] === "true");
  return { status: "completed", verification: null, usage: null, error: null, ...execution };
};

/** What of a stage judging its result needs. */
export type JudgedUnit = Pick<PreparedStage, "selected_artifact_ids" | "session_id"> & {
  readonly work: Pick<StageWork, "type">;
};

/** A stage whose result is to be judged, and what of its run that depends on. */
export interface Judged {
  readonly run: Pick<Run, "contracts" | "artifacts" | "sessions">;
  readonly node: WorkflowNode;
  readonly unit: JudgedUnit;
  readonly context: ArtifactContext;
}

/** What the result of a call makes of an open stage (spec/workflow 4.6, HarnCall). */
export const executedStage = (draft: Draft, unit: PreparedStage, given: JsonObject): ExecutedStage =>
  judgeResult({ run: draft.run, node: unitNode(draft.run, unit), unit, context: draft.context }, given);

/** What the result of a model, http, function, command or external call makes of a stage (spec/workflow 4.6, HarnCall). */
export const judgeResult = ({ run, node, unit, context }: Judged, given: JsonObject): ExecutedStage => {
  if (unit.work.type === "condition" && !isCallError(given)) return decidedCondition(given);
  const { result, evidence } = takeEvidence(given);
  if (isCallError(result)) return failedStage(callError(result), usageOf(result));
  if (unit.work.type === "reduce") {
    const reduced = reducedByFunction(node, { result, lineage: unit.selected_artifact_ids }, context);
    return { status: "completed", verification: null, usage: usageOf(result), error: null, ...reduced };
  }
  const verification = verifyStage(run, node, { unit, evidence }, result);
  const { outcome, branch } = classifyOutcome(node.kind, result, verification as unknown as Json);
  const succeeded = branch !== "failed";
  return {
    status: succeeded ? "completed" : "failed",
    outcome,
    branch,
    result,
    artifacts: [outputArtifact({ node, result, selectedIds: unit.selected_artifact_ids, context })],
    verification: verification as unknown as Json,
    usage: usageOf(result),
    error: succeeded ? null : "verification failed",
    ...transcriptAfter({ run, node, unit, context }, result),
  };
};

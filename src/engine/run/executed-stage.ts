import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { LlmUsage } from "../../schema/plan.ts";
import type { Context } from "../machine.ts";
import { outputArtifact } from "../node/stage-output.ts";
import { evaluateVerification } from "../verification/evaluate.ts";
import { classifyOutcome } from "../verification/outcome.ts";
import type { ExecutedStage, PreparedStage, StageWork } from "./state.ts";

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

/** What of a prepared stage judging its result needs. */
type Judged = Pick<PreparedStage, "selected_artifact_ids"> & { readonly work: Pick<StageWork, "type"> };

/** A stage that talks replaces the run's transcript, also by none (spec/workflow 14.2); a mere call leaves it alone. */
const transcriptAfter = (prepared: Judged, result: JsonObject): { readonly transcript?: Json } =>
  prepared.work.type === "http" || prepared.work.type === "function"
    ? result["transcript"] === undefined
      ? {}
      : { transcript: result["transcript"] }
    : { transcript: result["transcript"] ?? null };

/** What the result of a model, http, function, command or external call makes of a stage (spec/workflow 4.6, HarnCall). */
export const executedStage = (
  node: WorkflowNode,
  prepared: Judged,
  result: JsonObject,
  context: Context,
): ExecutedStage => {
  if (isCallError(result)) return failedStage(callError(result), usageOf(result));
  const verification = evaluateVerification(node.verify as Json, result);
  const { outcome, branch } = classifyOutcome(node.kind, result, verification);
  const succeeded = branch !== "failed";
  return {
    status: succeeded ? "completed" : "failed",
    outcome,
    branch,
    result,
    artifacts: [outputArtifact({ node, result, selectedIds: prepared.selected_artifact_ids, context })],
    verification: verification as unknown as Json,
    usage: usageOf(result),
    error: succeeded ? null : "verification failed",
    ...transcriptAfter(prepared, result),
  };
};

import { rfc3339 } from "../../lib/time.ts";
import { canonicalJson, type JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import { type Rejection, reject } from "../machine.ts";
import type { Draft } from "./draft.ts";
import type { JournaledArtifact } from "./event.ts";
import { callError, executedStage, isCallError } from "./executed-stage.ts";
import { stageNode } from "./stage-node.ts";
import { type Completion, type ExecutedStage, isTerminal, type PreparedStage, type Run } from "./state.ts";

/** What became of a completion. */
export type Completed =
  | { readonly type: "completed"; readonly completion: Completion }
  /** The same completion came before; this is what it was answered (I5). */
  | { readonly type: "repeated"; readonly completion: Completion }
  | { readonly type: "rejected"; readonly rejection: Rejection };

const rejected = (code: string, detail: string): Completed => ({
  type: "rejected",
  rejection: reject(code, detail).rejection,
});

export interface CompletionRequest {
  readonly node_id?: string;
  readonly attempt_token: string | null;
  readonly result: JsonObject;
}

/** The prepared stage this completion may close, or why it may not (spec/workflow 4.6, I5, I6). */
const admit = (run: Run, request: CompletionRequest): Completed | PreparedStage => {
  const { prepared } = run;
  const earlier = request.attempt_token === null ? undefined : run.completions.get(request.attempt_token);
  if (earlier !== undefined) {
    if (canonicalJson(earlier.handed_in) === canonicalJson(request.result))
      return { type: "repeated", completion: earlier };
    return rejected("stale_attempt", `stage ${earlier.stage_id} was completed by this attempt with another result`);
  }
  if (isTerminal(run.status))
    return rejected("invalid_transition", `run ${run.run_id} is ${run.status}: it takes no more completions`);
  if (prepared === null) return rejected("no_prepared_stage", "__host_workflow_stage_complete: no prepared stage");
  if (request.node_id !== undefined && request.node_id !== prepared.node_id)
    return rejected(
      "node_mismatch",
      `__host_workflow_stage_complete: prepared node ${prepared.node_id} but completed ${request.node_id}`,
    );
  if (
    request.attempt_token !== null &&
    (request.attempt_token !== prepared.attempt_token || prepared.retry_at_ms !== null)
  )
    return rejected(
      "stale_attempt",
      `the attempt token is not the current one of stage ${prepared.stage_id}; prepare the stage again`,
    );
  return prepared;
};

/** Closes the open stage with the result of its call (spec/workflow 4.6). */
export const completeStage = (draft: Draft, request: CompletionRequest): Completed => {
  const admitted = admit(draft.run, request);
  if ("type" in admitted) return admitted;
  return { type: "completed", completion: recordCompletion(draft, admitted, request.result) };
};

/**
 * Ends only the attempt when its call failed in a way that may pass and the node's retry policy allows another one.
 * Returns whether it did; a caller that completes by hand repeats its calls itself.
 */
export const retryStage = (draft: Draft, request: CompletionRequest): boolean => {
  if (!isCallError(request.result)) return false;
  const admitted = admit(draft.run, request);
  if ("type" in admitted) return false;
  const retryAt = retryTime(draft, admitted, request.result);
  if (retryAt === null) return false;
  endAttempt(draft, admitted, { reason: "failed", error: callError(request.result), retry_at_ms: retryAt });
  return true;
};

const recordCompletion = (draft: Draft, prepared: PreparedStage, result: JsonObject): Completion => {
  const node = stageNode(draft.run, prepared.node_id, prepared.options) as WorkflowNode;
  // What was computed when the stage was prepared stands, whatever is handed back (spec/workflow 4.6).
  const executed =
    prepared.work.type === "precomputed"
      ? prepared.work.executed
      : executedStage(node, prepared, prepared.work.type === "given" ? prepared.work.result : result, draft.context);
  recordExecuted(draft, prepared, executed, result);
  return draft.run.untransitioned as Completion;
};

const recordExecuted = (draft: Draft, prepared: PreparedStage, executed: ExecutedStage, handedIn: JsonObject): void => {
  const { transcript } = executed;
  draft.emit({
    type: "stage_completed",
    stage_id: prepared.stage_id,
    node_id: prepared.node_id,
    status: executed.status,
    outcome: executed.outcome,
    branch: executed.branch,
    result: executed.result,
    artifacts: executed.artifacts.map((artifact) => journaled(artifact, executed.result)),
    verification: executed.verification,
    usage: executed.usage,
    error: executed.error,
    ...(transcript === undefined ? {} : { transcript }),
    ...(executed.attempts === undefined ? {} : { attempts: executed.attempts }),
    ...(executed.result === handedIn ? {} : { handed_in: handedIn }),
  });
};

/** A stage's output without what its stage says already. */
const journaled = (artifact: ArtifactRecord, result: JsonObject): JournaledArtifact => {
  if (artifact.data !== result) return artifact;
  const { id, kind, priority, estimated_tokens, metadata } = artifact;
  const { input_artifact_ids: _ids, node_kind: _kind, ...own } = metadata;
  const header = { id, kind, priority, estimated_tokens, from_result: true } as const;
  return Object.keys(own).length === 0 ? header : { ...header, metadata: own };
};

/** Records that an attempt ended without completing its stage; the next one may start at `retry_at_ms`. */
export const endAttempt = (
  draft: Draft,
  prepared: PreparedStage,
  end: { readonly reason: "lease_expired" | "failed"; readonly error: string; readonly retry_at_ms: number },
): void => {
  draft.emit({
    type: "attempt_ended",
    reason: end.reason,
    record: {
      attempt: prepared.attempt,
      status: "failed",
      outcome: end.reason === "lease_expired" ? "lost" : "error",
      branch: null,
      error: end.error,
      verification: null,
      started_at: prepared.attempt_started_at,
      finished_at: rfc3339(draft.context.now),
    },
    retry_at_ms: end.retry_at_ms,
  });
};

const MAX_RETRY_DELAY_MS = 24 * 3600_000;

/** When a failed call is tried again under the node's retry policy, or null when it is not (spec/workflow 6.9, architecture 7). */
const retryTime = (draft: Draft, prepared: PreparedStage, result: JsonObject): number | null => {
  if (result["retryable"] !== true) return null;
  const policy = stageNode(draft.run, prepared.node_id, prepared.options)?.retry_policy;
  const failed = prepared.ended_attempts.length - prepared.lost_attempts + 1;
  if (policy === undefined || failed >= policy.max_attempts) return null;
  const backoff = (policy.backoff_ms ?? 0) * (policy.backoff_multiplier ?? 2) ** (failed - 1);
  const asked = typeof result["retry_after_ms"] === "number" ? result["retry_after_ms"] : 0;
  return draft.context.now + Math.min(Math.max(backoff, asked, 0), MAX_RETRY_DELAY_MS);
};

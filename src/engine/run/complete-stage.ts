import { canonicalJson, type JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import { type Rejection, reject } from "../machine.ts";
import { isParkedResult, parkedFlaw, parkStage } from "./agent.ts";
import { endAttempt, retryTime } from "./attempts.ts";
import { delegatedStage } from "./delegate.ts";
import type { Draft } from "./draft.ts";
import type { JournaledArtifact } from "./event.ts";
import { callError, executedStage, isCallError } from "./executed-stage.ts";
import { executedMap } from "./execute-map.ts";
import { openById, openByToken } from "./open.ts";
import { executedAfterApproval } from "./person-result.ts";
import { tellRequest } from "./request-log.ts";
import { mustWait } from "./schedule.ts";
import { completionExcess } from "./stage-policy.ts";
import { type Completion, type ExecutedStage, isTerminal, type PreparedStage, type Run } from "./state.ts";

/** What became of a completion. */
export type Completed =
  | { readonly type: "completed"; readonly completion: Completion }
  /** The same completion came before; this is what it was answered (I5). */
  | { readonly type: "repeated"; readonly completion: Completion }
  /** The stage goes on once somebody has answered its calls. */
  | { readonly type: "parked" }
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

/** The open unit a completion means: that of its token, else that of its node, else the first. */
const unitOf = (run: Run, { attempt_token: token, node_id: nodeId }: CompletionRequest): PreparedStage | undefined =>
  (token === null ? undefined : openByToken(run, token)) ??
  run.open.find((unit) => unit.node_id === nodeId) ??
  run.open[0];

/** True for a branch whose map has as many as it waits for; a paused run closes it only when it goes on. */
const isUnwanted = (run: Run, { branch_of }: PreparedStage): boolean => {
  const map = branch_of === null ? undefined : openById(run, branch_of.map_stage_id);
  return map?.work.type === "map" && map.map !== null && map.map.settled.length >= map.work.map.target;
};

/** The open unit this completion may close, or why it may not (spec/workflow 4.6, I5, I6). */
const admit = (run: Run, request: CompletionRequest): Completed | PreparedStage => {
  const earlier = request.attempt_token === null ? undefined : run.completions.get(request.attempt_token);
  const parked = request.attempt_token === null ? undefined : run.parked.get(request.attempt_token);
  if (parked !== undefined)
    return canonicalJson(parked) === canonicalJson(request.result)
      ? { type: "parked" }
      : rejected("stale_attempt", "this attempt has ended in waiting for answers to its tool calls");
  if (earlier !== undefined) {
    if (canonicalJson(earlier.handed_in) === canonicalJson(request.result))
      return { type: "repeated", completion: earlier };
    return rejected("stale_attempt", `stage ${earlier.stage_id} was completed by this attempt with another result`);
  }
  if (isTerminal(run.status))
    return rejected("invalid_transition", `run ${run.run_id} is ${run.status}: it takes no more completions`);
  const unit = unitOf(run, request);
  if (unit === undefined) return rejected("no_prepared_stage", "__host_workflow_stage_complete: no prepared stage");
  if (request.node_id !== undefined && request.node_id !== unit.node_id)
    return rejected(
      "node_mismatch",
      `__host_workflow_stage_complete: prepared node ${unit.node_id} but completed ${request.node_id}`,
    );
  if (isUnwanted(run, unit))
    return rejected("stale_attempt", `the map of branch ${unit.stage_id} waits for no more branches`);
  if (unit.work.type === "person" && unit.work.approved !== true)
    return rejected(
      "invalid_transition",
      `stage ${unit.stage_id} waits for people: answer their request ${unit.work.request_id}`,
    );
  if (request.attempt_token === null) return unit;
  if (request.attempt_token !== unit.attempt_token || unit.retry_at_ms !== null)
    return rejected(
      "stale_attempt",
      `the attempt token is not the current one of stage ${unit.stage_id}; prepare the stage again`,
    );
  return unit;
};

/** Closes an open stage or branch with the result of its call (spec/workflow 4.6). */
export const completeStage = (draft: Draft, request: CompletionRequest): Completed => {
  const admitted = admit(draft.run, request);
  if ("type" in admitted) return admitted;
  // What a worker did was judged where it did it.
  const excess = admitted.work.type === "delegate" ? null : completionExcess(draft.run, admitted, request.result);
  if (excess !== null) return { type: "rejected", rejection: excess };
  if (admitted.mode === "agent" && admitted.loop !== null && isParkedResult(request.result)) {
    const flaw = parkedFlaw(request.result);
    if (flaw !== null) return rejected("invalid_request", flaw);
    parkStage(draft, admitted, request.result);
    return { type: "parked" };
  }
  return { type: "completed", completion: recordResult(draft, admitted, request.result) };
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

/** Records what an open unit came to, from the result that was handed in or that the engine has itself. */
export const recordResult = (draft: Draft, unit: PreparedStage, result: JsonObject): Completion => {
  const { work } = unit;
  // What was computed when the stage was prepared stands, whatever is handed back (spec/workflow 4.6).
  if (work.type === "precomputed") return recordExecuted(draft, unit, { executed: work.executed, handed_in: result });
  if (work.type === "map") {
    const executed = executedMap(result, draft.context);
    return recordExecuted(draft, unit, { executed, handed_in: result });
  }
  if (work.type === "delegate")
    return recordExecuted(draft, unit, { executed: delegatedStage(draft, unit, result), handed_in: result });
  if (work.type === "person") {
    const executed = executedAfterApproval(draft, unit, { work, result });
    if (executed.status === "completed")
      tellRequest(draft, { request_id: work.request_id, stage_id: unit.stage_id }, { type: "executed" });
    return recordExecuted(draft, unit, { executed, handed_in: result });
  }
  const executed = executedStage(draft, unit, work.type === "given" ? work.result : result);
  return recordExecuted(draft, unit, { executed, handed_in: result });
};

interface Recorded {
  readonly executed: ExecutedStage;
  readonly handed_in: JsonObject;
  /** Result and artifacts follow from the branches that have settled. */
  readonly from_branches?: true;
}

/** Records an executed unit: a branch for its map, a stage for the run. */
export const recordExecuted = (draft: Draft, unit: PreparedStage, recorded: Recorded): Completion => {
  if (unit.branch_of === null) return recordStage(draft, unit, recorded);
  const { executed, handed_in: handedIn } = recorded;
  const { map_stage_id, index } = unit.branch_of;
  draft.emit({
    type: "branch_settled",
    stage_id: unit.stage_id,
    map_stage_id,
    index,
    status: executed.status,
    branch: executed.branch,
    result: executed.result,
    artifacts: executed.artifacts.map((artifact) => journaled(artifact, executed.result)),
    usage: executed.usage,
    error: executed.error,
    ...(executed.result === handedIn ? {} : { handed_in: handedIn }),
  });
  return draft.run.completions.get(unit.attempt_token) as Completion;
};

const recordStage = (draft: Draft, unit: PreparedStage, recorded: Recorded): Completion => {
  const { executed, handed_in: handedIn, from_branches: fromBranches } = recorded;
  const { transcript, transcript_from } = executed;
  draft.emit({
    type: "stage_completed",
    stage_id: unit.stage_id,
    node_id: unit.node_id,
    status: executed.status,
    outcome: executed.outcome,
    branch: executed.branch,
    result: executed.result,
    artifacts: executed.artifacts.map((artifact) => journaled(artifact, executed.result)),
    verification: executed.verification,
    usage: executed.usage,
    error: executed.error,
    ...(transcript === undefined ? {} : { transcript }),
    ...(transcript_from === undefined ? {} : { transcript_from }),
    ...(mustWait(draft.run, unit) ? { deferred: true } : {}),
    ...(fromBranches === undefined ? {} : { from_branches: fromBranches }),
    ...(executed.attempts === undefined ? {} : { attempts: executed.attempts }),
    ...(executed.tool_recordings === undefined ? {} : { tool_recordings: executed.tool_recordings }),
    ...(executed.result === handedIn ? {} : { handed_in: handedIn }),
  });
  return draft.run.completions.get(unit.attempt_token) as Completion;
};

/** A stage's output without what its stage says already. */
const journaled = (artifact: ArtifactRecord, result: JsonObject): JournaledArtifact => {
  if (artifact.data !== result) return artifact;
  const { id, kind, priority, estimated_tokens, metadata } = artifact;
  const { input_artifact_ids: _ids, node_kind: _kind, ...own } = metadata;
  const header = { id, kind, priority, estimated_tokens, from_result: true } as const;
  return Object.keys(own).length === 0 ? header : { ...header, metadata: own };
};

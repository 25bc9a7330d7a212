import type { JsonObject } from "../../lib/json.ts";
import { rfc3339 } from "../../lib/time.ts";
import { joinIsReady, nextEdges } from "../graph/edges.ts";
import type { Rejection } from "../machine.ts";
import { recordingWanted, replayOrder } from "../replay/next-stage.ts";
import type { Advance, AdvanceReply, CompletedReply } from "./command.ts";
import { completeStage, endAttempt, retryStage } from "./complete-stage.ts";
import type { Draft } from "./draft.ts";
import { planOf } from "./plan.ts";
import { defaultLease, prepareStage, type Raised } from "./prepare-stage.ts";
import type { Completion, PreparedStage } from "./state.ts";
import { recordTransitions } from "./transitions.ts";

/** Nodes one command walks at most, so that no commit grows without bound. */
const MAX_NODES_PER_COMMAND = 200;

/** A stage whose driver was lost so often fails: it may be what kills its drivers. */
const MAX_LOST_ATTEMPTS = 5;

/** The answer to a completion, with the edges that follow. */
export const completedReply = (draft: Draft, completion: Completion): CompletedReply => {
  const { handed_in: _, ...stage } = completion;
  return { ...stage, next_edges: nextEdges(draft.run.graph, stage.node_id, stage.branch) };
};

/** Records where a completed stage leads. */
export const finishStage = (draft: Draft, completion: Completion): void => {
  const { node_id, branch } = completion;
  recordTransitions(draft, completion, nextEdges(draft.run.graph, node_id, branch));
};

/** Ends a run whose queue is empty, or pauses one that has used up its steps (spec/workflow 4.9). */
export const finalize = (draft: Draft, ready?: readonly string[]): void => {
  const left = ready ?? draft.run.ready;
  draft.emit({
    type: "run_finalized",
    status: left.length === 0 ? "completed" : "paused",
    ...(ready === undefined ? {} : { ready }),
  });
  draft.checkpoint("finalize", null);
  draft.index();
};

/** Stores an operation that raised: the run has failed with this error. */
export const failRun = (draft: Draft, raised: Raised): void => {
  draft.emit({ type: "run_failed", error: raised.detail });
  draft.index();
};

/**
 * One step of the driver's loop in one commit: complete, transitions, checkpoint, next prepare (architecture 3).
 *
 * A refused completion refuses the whole step.
 */
export const advance = (draft: Draft, command: Advance): AdvanceReply | Rejection => {
  if (command.complete === undefined) return nextWork(draft, command);
  if (retryStage(draft, command.complete)) return nextWork(draft, command);
  const completed = completeStage(draft, command.complete);
  if (completed.type === "rejected") return completed.rejection;
  const { completion } = completed;
  if (completed.type === "completed") finishStage(draft, completion);
  const stage = command.report === true ? { stage: completedReply(draft, completion) } : {};
  return { ...(regranted(draft, command.complete.attempt_token) ?? nextWork(draft, command)), ...stage };
};

/** The plan that this very completion has led to before, for a driver that lost the answer (I5). */
const regranted = (draft: Draft, attemptToken: string): AdvanceReply | null => {
  const { prepared } = draft.run;
  if (prepared?.granted_by !== attemptToken || prepared.attempt !== 1 || prepared.retry_at_ms !== null) return null;
  return granted(draft, prepared);
};

/** The plan of the prepared stage, for the driver that now holds it. */
const granted = (draft: Draft, prepared: PreparedStage): AdvanceReply => ({
  next: planOf(draft.run, prepared, draft.context.now),
  status: draft.run.status,
});

const idle = (draft: Draft, waiting?: AdvanceReply["waiting"]): AdvanceReply => ({
  next: null,
  status: draft.run.status,
  ...(waiting === undefined ? {} : { waiting }),
});

/** The next thing to execute, after walking through all that needs no executor. */
export const nextWork = (draft: Draft, command: Advance): AdvanceReply => {
  for (let walked = 0; walked < MAX_NODES_PER_COMMAND; walked++) {
    const { run } = draft;
    if (run.status !== "running") return idle(draft);
    if (run.prepared !== null) {
      const answer = resumePrepared(draft, run.prepared, command);
      if (answer !== null) return answer;
      continue;
    }
    // A stage that was completed by hand and left there: its transitions come first.
    if (run.untransitioned !== null) finishStage(draft, run.untransitioned);
    else if (run.ready.length === 0 || run.steps >= run.max_steps) finalize(draft);
    else {
      const recording = recordingWanted(run.replay, command.recorded);
      if (recording !== null) return { ...idle(draft, "recording"), recording };
      openNext(draft, command);
    }
  }
  return { ...idle(draft), more: true };
};

/** Takes the first ready node: requeues a join that has to wait, prepares any other (spec/workflow 5). */
const openNext = (draft: Draft, command: Advance): void => {
  const { run } = draft;
  const nodeId = run.ready[0] as string;
  const node = run.graph.nodes[nodeId];
  if (node?.kind === "join" && !joinIsReady(run.graph, nodeId, run.completed)) {
    draft.emit({ type: "node_requeued", node_id: nodeId });
    return;
  }
  const raised = prepareStage(draft, {
    node_id: replayOrder(run, nodeId, command.recorded),
    options: {},
    holder: command.holder ?? "driver",
    lease_ms: command.lease_ms ?? defaultLease(command.holder ?? "driver"),
    ...(command.complete === undefined ? {} : { granted_by: command.complete.attempt_token }),
    ...(command.recorded === undefined ? {} : { recorded: command.recorded }),
  });
  if (raised !== null) failRun(draft, raised);
};

/** What there is to do about a prepared stage; null when it was closed and the walk goes on. */
const resumePrepared = (draft: Draft, prepared: PreparedStage, command: Advance): AdvanceReply | null => {
  const { now } = draft.context;
  if (prepared.work.type === "precomputed" || prepared.work.type === "given") {
    closeStage(draft, prepared, NO_RESULT);
    return null;
  }
  // An external stage is taken by a caller; no driver can do anything about it, also when its caller is lost.
  if (prepared.holder === "nobody" || (prepared.mode === "external" && command.holder !== "caller"))
    return idle(draft, "external");
  if (prepared.retry_at_ms !== null && prepared.retry_at_ms > now)
    return { ...idle(draft, "retry"), retry_at: rfc3339(prepared.retry_at_ms) };
  const preparedNow = draft.events.some(
    (event) => event.type === "stage_prepared" && event.stage_id === prepared.stage_id,
  );
  if (preparedNow) return granted(draft, prepared);
  if (command.adopt === prepared.attempt_token && prepared.retry_at_ms === null) {
    const { attempt } = prepared;
    draft.emit({ type: "attempt_handed_over", attempt, attempt_token: draft.context.nextId("attempt") });
    return granted(draft, draft.run.prepared as PreparedStage);
  }
  if (prepared.retry_at_ms === null) {
    if (command.lease_is_live) return idle(draft, "other_driver");
    if (loseAttempt(draft, prepared)) return null;
  }
  startAttempt(draft, prepared, command);
  return granted(draft, draft.run.prepared as PreparedStage);
};

const NO_RESULT: JsonObject = {};

/** Completes and finishes a prepared stage that no driver hands in. */
const closeStage = (draft: Draft, prepared: PreparedStage, result: JsonObject): void => {
  const completed = completeStage(draft, { attempt_token: prepared.attempt_token, result });
  if (completed.type === "completed") finishStage(draft, completed.completion);
};

/** Records a lost attempt. After too many the stage fails, and true is returned. */
const loseAttempt = (draft: Draft, prepared: PreparedStage): boolean => {
  const error = `the driver of attempt ${prepared.attempt} gave no sign of life`;
  if (prepared.lost_attempts + 1 >= MAX_LOST_ATTEMPTS) {
    const text = `${error}; gave up after ${prepared.lost_attempts + 1} lost attempts`;
    const failed = { __workflow_stage_error: true, status: "failed", text: "", visible_text: "", error: text };
    closeStage(draft, prepared, failed);
    return true;
  }
  endAttempt(draft, prepared, { reason: "lease_expired", error, retry_at_ms: draft.context.now });
  return false;
};

/** Gives the prepared stage to a new holder as a new, visible attempt with the same idempotency key. */
export const startAttempt = (
  draft: Draft,
  prepared: PreparedStage,
  to: { readonly holder?: "driver" | "caller"; readonly lease_ms?: number },
): void => {
  draft.emit({
    type: "attempt_started",
    attempt: prepared.attempt + 1,
    attempt_token: draft.context.nextId("attempt"),
    holder: to.holder ?? "driver",
    lease_ms: to.lease_ms ?? defaultLease(to.holder ?? "driver"),
  });
};

/** True when nobody works on the run though somebody should: the watchdog then orders a driver (I7). */
export const needsDriver = (draft: Draft, leaseIsLive: boolean): boolean => {
  const { run } = draft;
  if (run.drive !== "auto" || run.status !== "running") return false;
  if (run.prepared === null) return true;
  const { prepared } = run;
  if (prepared.holder === "nobody" || prepared.mode === "external") return false;
  if (prepared.retry_at_ms !== null) return prepared.retry_at_ms <= draft.context.now;
  return !leaseIsLive;
};

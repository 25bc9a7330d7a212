import type { Json, JsonObject } from "../../lib/json.ts";
import { rfc3339, type Timestamp } from "../../lib/time.ts";
import { isRecordedNext, queueWanted, recordedQueue, recordingWanted, replayOrder } from "../replay/next-stage.ts";
import { executesStage, joinBranches } from "../node/map.ts";
import { expireRequest } from "./answer-request.ts";
import { budgetExcess } from "./budget.ts";
import type { Advance, AdvanceReply } from "./command.ts";
import { endAttempt, defaultLease, startAttempt } from "./attempts.ts";
import { recordExecuted, recordResult } from "./complete-stage.ts";
import { closeAwaited } from "./delegate.ts";
import type { Draft } from "./draft.ts";
import { dataMap } from "./execute-map.ts";
import { failRun, finalize, finishStage } from "./finish.ts";
import { branchesOf, openById, openByToken } from "./open.ts";
import { planOf } from "./plan.ts";
import { prepareBranch } from "./prepare-branch.ts";
import { prepareStage } from "./prepare-stage.ts";
import { isUnreadyJoin, nextMap, nextNode, nextToRetire, spareWork } from "./schedule.ts";
import { NO_USAGE, type PreparedStage, type Run } from "./state.ts";
import { restAdopted } from "./suspend.ts";
import { isExecutable } from "./unit.ts";
import { addUsage } from "./usage.ts";
import { executedAtDeadline } from "./waits.ts";
import { deadlineError } from "./wake.ts";

/** Nodes one command walks at most, so that no commit grows without bound. */
const MAX_NODES_PER_COMMAND = 200;

/** A unit whose driver was lost so often fails: it may be what kills its drivers. */
const MAX_LOST_ATTEMPTS = 5;

/**
 * The next thing to execute, after walking through all that needs no executor.
 *
 * What can be opened is opened before anything more enters the record; see `mustWait`.
 */
export const nextWork = (draft: Draft, command: Advance): AdvanceReply => {
  for (let walked = 0; walked < MAX_NODES_PER_COMMAND; walked++) {
    const { run } = draft;
    if (run.status !== "running") {
      restAdopted(draft, command.adopt);
      return idle(draft);
    }
    const late = deadlineError(run, draft.context.now);
    if (late !== null) failRun(draft, { detail: late });
    // A stage that was completed by hand and left there: its transitions come first.
    else if (run.untransitioned !== null) {
      const recording = queueWanted(run.replay, command.recorded);
      if (recording !== null) return { ...idle(draft), waiting: "recording", recording };
      finishStage(draft, run.untransitioned, recordedQueue(run.replay, command.recorded));
    } else if (!closeOne(draft)) {
      const unit = grantable(draft, command);
      if (unit === "gave_up") continue;
      if (unit !== null) return granted(draft, unit);
      const recording = nextNode(run) === null ? null : recordingWanted(run.replay, command.recorded);
      if (recording !== null) return { ...idle(draft), waiting: "recording", recording };
      if (pauseForBudget(draft)) return idle(draft);
      if (!openOne(draft, command) && !retireOne(draft)) {
        if (draft.run.open.length > 0) return waiting(draft, command);
        finalize(draft);
        if (draft.run.lifecycle.finishing !== null) return { ...idle(draft), waiting: "finish" };
      }
    }
  }
  return { ...idle(draft), more: true };
};

const idle = (draft: Draft): AdvanceReply => ({ next: null, status: draft.run.status });

/** The plan of an open unit, for the driver that now holds it. */
export const granted = (draft: Draft, unit: PreparedStage): AdvanceReply => {
  const current = openById(draft.run, unit.stage_id) as PreparedStage;
  const spare = spareWork(draft.run);
  return {
    next: planOf(draft.run, current, draft.context.now),
    status: draft.run.status,
    ...(spare === 0 ? {} : { spare }),
  };
};

/** Takes everything that is over into the record of what was completed: what the engine computed, and what waited for a time. */
const closeOne = (draft: Draft): boolean => {
  const { run, context } = draft;
  for (const unit of run.open) {
    if (unit.settled !== null) continue;
    const { work } = unit;
    if (work.type === "precomputed" || work.type === "given") {
      recordResult(draft, unit, NO_RESULT);
      return true;
    }
    if (unit.deadline_ms !== null && unit.deadline_ms <= context.now) {
      if (work.type === "person") {
        expireRequest(draft, work.request_id);
        return true;
      }
      if (work.type === "wait") draft.unsubscribe(unit.stage_id);
      closeAwaited(draft, unit);
      recordExecuted(draft, unit, { executed: executedAtDeadline(unit, unit.deadline_ms), handed_in: NO_RESULT });
      return true;
    }
    if (closeMap(draft, unit)) return true;
  }
  return false;
};

const NO_RESULT: JsonObject = {};

/** Closes a map that only wraps its items, or that has as many settled branches as it waits for. */
const closeMap = (draft: Draft, unit: PreparedStage): boolean => {
  const { map, work } = unit;
  if (map === null || work.type !== "map") return false;
  const node = draft.run.graph.nodes[unit.node_id];
  if (node !== undefined && !executesStage(node)) {
    recordExecuted(draft, unit, { executed: dataMap(draft, unit, node), handed_in: NO_RESULT });
    return true;
  }
  if (map.settled.length < work.map.target) return false;
  for (const rest of branchesOf(draft.run, unit.stage_id)) closeAwaited(draft, rest);
  const { status, branch, result } = joinBranches(work.map, map.settled.toArray());
  const { status: joined, text, join_strategy } = result;
  const executed = {
    status,
    outcome: "mapped",
    branch,
    result: { status: joined, text, join_strategy } as JsonObject,
    artifacts: [],
    verification: null,
    // Branches that are cancelled now have used what they have recorded.
    usage: branchesOf(draft.run, unit.stage_id).reduce(
      (total, { loop }) => addUsage(total, loop?.usage ?? null),
      map.usage,
    ),
    error: status === "failed" ? "verification failed" : null,
  };
  recordExecuted(draft, unit, { executed, handed_in: NO_RESULT, from_branches: true });
  return true;
};

/** True when a unit was prepared in this very command and is to be given out with it. */
const preparedNow = (draft: Draft, unit: PreparedStage): boolean =>
  draft.events.some(
    (event) =>
      (event.type === "stage_prepared" || event.type === "branch_prepared") && event.stage_id === unit.stage_id,
  );

/** The unit whose attempt another driver handed over, under a new token; null when it is not there any more. */
const adopt = (draft: Draft, command: Advance): PreparedStage | null => {
  const unit = command.adopt === undefined ? undefined : openByToken(draft.run, command.adopt);
  if (unit === undefined || !isExecutable(unit) || unit.retry_at_ms !== null) return null;
  const attempt_token = draft.context.nextId("attempt");
  draft.emit({ type: "attempt_handed_over", stage_id: unit.stage_id, attempt: unit.attempt, attempt_token });
  return unit;
};

/**
 * The open unit this driver gets, with its new attempt recorded; null when there is none it may have, `gave_up` when one has
 * failed for its lost attempts.
 */
const grantable = (draft: Draft, command: Advance): PreparedStage | "gave_up" | null => {
  const { now } = draft.context;
  const adopted = adopt(draft, command);
  if (adopted !== null) return adopted;
  for (const unit of draft.run.open) {
    if (!isExecutable(unit)) continue;
    // An external stage is taken by a caller; no driver can do anything about it, also when its caller is lost.
    if (unit.mode === "external" && command.holder !== "caller") continue;
    if (unit.retry_at_ms !== null && unit.retry_at_ms > now) continue;
    if (preparedNow(draft, unit)) return unit;
    if (unit.retry_at_ms === null) {
      if (command.live_attempts.includes(unit.attempt_token)) continue;
      if (loseAttempt(draft, unit)) return "gave_up";
    }
    startAttempt(draft, unit, command);
    return unit;
  }
  return null;
};

/** Records a lost attempt. After too many the unit fails, and true is returned. */
const loseAttempt = (draft: Draft, unit: PreparedStage): boolean => {
  const error = `the driver of attempt ${unit.attempt} gave no sign of life`;
  if (unit.lost_attempts + 1 >= MAX_LOST_ATTEMPTS) {
    const text = `${error}; gave up after ${unit.lost_attempts + 1} lost attempts`;
    const failed = { __workflow_stage_error: true, status: "failed", text: "", visible_text: "", error: text };
    // What a loop has recorded was used, whoever recorded it.
    const usage = unit.loop?.usage ?? NO_USAGE;
    recordResult(draft, unit, usage.call_count === 0 ? failed : { ...failed, usage: usage as unknown as Json });
    return true;
  }
  endAttempt(draft, unit, { reason: "lease_expired", error, retry_at_ms: draft.context.now });
  return false;
};

/** Pauses a run that has something to start and no budget left for it; whoever resumes it gives a higher one. */
const pauseForBudget = (draft: Draft): boolean => {
  const { run } = draft;
  if (run.budget === null || run.reopen.length > 0 || (nextNode(run) === null && nextMap(run) === null)) return false;
  const excess = budgetExcess(run, run.budget);
  if (excess === null) return false;
  draft.emit({ type: "run_paused", reason: excess });
  draft.index();
  return true;
};

/** Opens the next branch or the next node; requeues a join that has to wait (spec/workflow 5). */
const openOne = (draft: Draft, command: Advance): boolean => {
  const { run } = draft;
  const holder = command.holder ?? "driver";
  const grant = {
    holder,
    lease_ms: command.lease_ms ?? defaultLease(holder),
    ...(command.complete === undefined ? {} : { granted_by: command.complete.attempt_token }),
  };
  const map = nextMap(run);
  if (map !== null) {
    prepareBranch(draft, map, grant);
    return true;
  }
  const nodeId = nextNode(run);
  if (nodeId === null) return false;
  const next = replayOrder(run, nodeId, command.recorded);
  const isDue = run.reopen.length > 0 || isRecordedNext(run, next, command.recorded);
  if (!isDue && isUnreadyJoin(run, nodeId)) {
    draft.emit({ type: "node_requeued", node_id: nodeId });
    return true;
  }
  const raised = prepareStage(draft, {
    node_id: next,
    options: {},
    ...(command.recorded === undefined ? {} : { recorded: command.recorded }),
    ...grant,
  });
  if (raised !== null) failRun(draft, raised);
  return true;
};

/** Takes the completed stage whose turn it is into the record, and follows its edges. */
const retireOne = (draft: Draft): boolean => {
  const unit = nextToRetire(draft.run);
  if (unit === null) return false;
  draft.emit({ type: "stage_retired", stage_id: unit.stage_id });
  return true;
};

const earliest = (times: readonly (number | null)[]): Timestamp | null => {
  const known = times.filter((time): time is number => time !== null);
  return known.length === 0 ? null : Math.min(...known);
};

const REASONS = { sleep: "sleep", wait: "message", subagent: "worker", person: "person" } as const;

const reasonOf = (run: Run): NonNullable<AdvanceReply["waiting"]> => {
  const parked = run.open.find((unit) => unit.holder === "nobody" && unit.map === null && unit.settled === null);
  // What workers alone are to answer is nobody else's business.
  if (parked?.loop != null)
    return parked.loop.pending.every(({ reason }) => reason === "worker") ? "worker" : "tool_call";
  const mode = parked?.mode;
  return mode === "sleep" || mode === "wait" || mode === "subagent" || mode === "person" ? REASONS[mode] : "external";
};

/** Why there is nothing to execute although stages are open. */
const waiting = (draft: Draft, command: Advance): AdvanceReply => {
  const { run } = draft;
  const isLive = run.open.some(
    (unit) =>
      isExecutable(unit) &&
      unit.retry_at_ms === null &&
      unit.mode !== "external" &&
      command.live_attempts.includes(unit.attempt_token),
  );
  if (isLive) return { ...idle(draft), waiting: "other_driver" };
  const open = run.open.filter((unit) => unit.settled === null);
  // Only its caller can try an external stage again.
  const isMine = (unit: PreparedStage): boolean => unit.mode !== "external" || command.holder === "caller";
  const retry = earliest(open.map((unit) => (isExecutable(unit) && isMine(unit) ? unit.retry_at_ms : null)));
  if (retry !== null) return { ...idle(draft), waiting: "retry", retry_at: rfc3339(retry) };
  const reason = reasonOf(run);
  const due = earliest(open.map((unit) => unit.deadline_ms));
  return { ...idle(draft), waiting: reason, ...(due === null ? {} : { retry_at: rfc3339(due) }) };
};

import type { Context, Decision, Machine, Rejection } from "../machine.ts";
import { reject } from "../machine.ts";
import {
  advance,
  completedReply,
  failRun,
  finalize,
  finishStage,
  needsDriver,
  nextWork,
  startAttempt,
} from "./advance.ts";
import {
  type CompleteStage,
  type CreateRun,
  controlOf,
  type FinalizeRun,
  type PrepareStage,
  type RecordTransitions,
  type RunCommand,
  type RunEffect,
  type RunReply,
} from "./command.ts";
import { completeStage, endAttempt } from "./complete-stage.ts";
import { controlRun } from "./control.ts";
import { Draft } from "./draft.ts";
import type { RunEvent } from "./event.ts";
import { evolve } from "./evolve.ts";
import { planOf } from "./plan.ts";
import { prepareRun } from "./prepare-run.ts";
import { defaultLease, prepareStage, type Raised } from "./prepare-stage.ts";
import { isTerminal, type PreparedStage, type Run, type RunState } from "./state.ts";
import { splitOptions } from "../policy/narrow.ts";
import { stageOptions } from "./stage-policy.ts";
import { checkTransitions, recordTransitions } from "./transitions.ts";

/*
 * A workflow run.
 *
 *   (none) --create_run--> RUNNING --advance / prepare_stage--> RUNNING, stage prepared --complete--> RUNNING
 *   RUNNING --pause_run--> PAUSED --resume_run--> RUNNING
 *   RUNNING --queue empty--> COMPLETED     --steps used up--> PAUSED
 *   RUNNING --an operation raised--> FAILED     RUNNING | PAUSED --cancel_run--> CANCELLED
 *
 * 1. COMPLETED, FAILED and CANCELLED are final (I6).
 * 2. At most one stage is prepared; only the holder of its current attempt token can complete it (I6).
 * 3. A repeated completion gets the first answer; the same token with another result is refused (I5).
 * 4. A node is in the queue at most once; steps never exceed max_steps.
 * 5. A running run that Godwit drives has a prepared stage or a queue, and `wake` orders a driver when nobody works (I7).
 */

type RunDecision = Decision<RunEvent, RunEffect, RunReply, RunState>;

const decided = (draft: Draft, reply: RunReply): RunDecision => ({
  ok: true,
  events: draft.events,
  effects: draft.effects,
  reply,
  state: draft.run,
});

const controlReply = (draft: Draft): RunDecision => decided(draft, { type: "control", control: controlOf(draft.run) });

const refused = (rejection: Rejection): RunDecision => ({ ok: false, rejection });

/** The error is stored with the run and answered: the events count although the operation failed. */
const raisedReply = (draft: Draft, raised: Raised): RunDecision => {
  failRun(draft, raised);
  return decided(draft, { type: "raised", code: raised.code, detail: raised.detail });
};

const FIRST_STEP = { type: "advance", lease_is_live: false } as const;

const createRun = (state: RunState, command: CreateRun, context: Context): RunDecision => {
  if (state !== null) return reject("run_already_exists", `run ${state.run_id} exists already`);
  const prepared = prepareRun(command, context);
  if (!prepared.ok) return prepared;
  const draft = new Draft(null, context);
  draft.emit(prepared.event);
  draft.checkpoint("start", null);
  draft.index();
  // The answer is that of preparing the run, whatever its first step leads to (spec/workflow 4.1).
  const control = controlOf(draft.run);
  const step = command.start === true && command.drive === "auto" ? nextWork(draft, FIRST_STEP) : null;
  return decided(draft, { type: "created", control, advance: step });
};

/** Gives an external stage, or one whose attempt was lost, to a caller of the API. */
const takePrepared = (draft: Draft, prepared: PreparedStage, command: PrepareStage): RunDecision => {
  const mine = prepared.node_id === command.node_id;
  const isOver = prepared.retry_at_ms !== null || !command.lease_is_live;
  const free = prepared.holder === "nobody" || (prepared.holder === "caller" && isOver);
  if (!mine || !free)
    return reject("stage_already_prepared", `workflow_execute: stage ${prepared.node_id} is already prepared`, {
      stage_id: prepared.stage_id,
      node_id: prepared.node_id,
    });
  const { asked } = splitOptions(command.options ?? {});
  const options = stageOptions(draft.run, prepared, asked);
  if (!options.ok) return refused(options.error);
  const now = draft.context.now;
  if (prepared.holder === "caller" && prepared.retry_at_ms === null)
    endAttempt(draft, prepared, {
      reason: "lease_expired",
      error: "the lease of the attempt expired",
      retry_at_ms: now,
    });
  startAttempt(draft, prepared, {
    holder: "caller",
    lease_ms: command.lease_ms ?? defaultLease("caller"),
    ...(Object.keys(asked).length === 0 ? {} : { options: options.value }),
  });
  return decided(draft, { type: "plan", plan: planOf(draft.run, draft.run.prepared as PreparedStage, now) });
};

const openStage = (draft: Draft, command: PrepareStage): RunDecision => {
  const { run } = draft;
  if (run.status !== "running")
    return reject("invalid_transition", `run ${run.run_id} is ${run.status}: no stage can be prepared`);
  if (run.prepared !== null) return takePrepared(draft, run.prepared, command);
  if (!Object.hasOwn(run.graph.nodes, command.node_id))
    return reject("node_not_found", `workflow_execute: missing node ${command.node_id}`);
  const order = command.ready === undefined ? orderError(run, command.node_id) : null;
  if (order !== null) return reject("invalid_transition", order, { ready_nodes: run.ready });
  const options = stageOptions(run, { node_id: command.node_id, options: {} }, command.options ?? {});
  if (!options.ok) return refused(options.error);
  const raised = prepareStage(draft, {
    node_id: command.node_id,
    options: options.value,
    holder: "caller",
    lease_ms: command.lease_ms ?? defaultLease("caller"),
    ...(command.ready === undefined ? {} : { ready: command.ready }),
  });
  if (raised !== null) return raisedReply(draft, raised);
  const plan = planOf(draft.run, draft.run.prepared as PreparedStage, draft.context.now);
  return decided(draft, { type: "plan", plan });
};

/** Why a caller without a queue of its own may not prepare this node now. */
const orderError = (run: Run, nodeId: string): string | null => {
  if (run.drive === "auto") return `run ${run.run_id} drives itself: only external stages can be taken by hand`;
  if (run.untransitioned !== null)
    return `the transitions of stage ${run.untransitioned.stage_id} are to be recorded first`;
  if (run.steps >= run.max_steps) return `run ${run.run_id} has used up its ${run.max_steps} steps: finalize it`;
  if (run.ready.includes(nodeId)) return null;
  return `node ${nodeId} is not ready; ready are: ${run.ready.length === 0 ? "none" : run.ready.join(", ")}`;
};

const closeStage = (draft: Draft, command: CompleteStage): RunDecision => {
  const completed = completeStage(draft, command);
  if (completed.type === "rejected") return refused(completed.rejection);
  if (completed.type === "completed" && draft.run.drive === "auto") {
    finishStage(draft, completed.completion);
    const stage = completedReply(draft, completed.completion);
    if (draft.run.status === "running") draft.drive();
    return decided(draft, { type: "completed", stage, control: controlOf(draft.run) });
  }
  const stage = completedReply(draft, completed.completion);
  return decided(draft, { type: "completed", stage, control: controlOf(draft.run) });
};

const transition = (draft: Draft, command: RecordTransitions): RunDecision => {
  const rejection = command.ready === undefined ? checkTransitions(draft, command) : null;
  if (rejection !== null) return refused(rejection);
  recordTransitions(draft, command.stage, command.edges, command.ready);
  return controlReply(draft);
};

const end = (draft: Draft, command: FinalizeRun): RunDecision => {
  const { run } = draft;
  if (command.ready === undefined) {
    if (isTerminal(run.status)) return controlReply(draft);
    if (run.prepared !== null)
      return reject(
        "invalid_transition",
        `stage ${run.prepared.stage_id} is prepared: complete it before the run is finalized`,
      );
    if (run.untransitioned !== null)
      return reject(
        "invalid_transition",
        `the transitions of stage ${run.untransitioned.stage_id} are to be recorded first`,
      );
  }
  finalize(draft, command.ready);
  return controlReply(draft);
};

const decideExisting = (run: Run, command: Exclude<RunCommand, CreateRun>, context: Context): RunDecision => {
  const draft = new Draft(run, context);
  switch (command.type) {
    case "prepare_stage":
      return openStage(draft, command);
    case "complete_stage":
      return closeStage(draft, command);
    case "record_transitions":
      return transition(draft, command);
    case "finalize_run":
      return end(draft, command);
    case "advance": {
      const answer = advance(draft, command);
      return "code" in answer ? refused(answer) : decided(draft, { type: "advance", advance: answer });
    }
    case "wake":
      if (needsDriver(draft, command.lease_is_live)) draft.drive();
      return controlReply(draft);
    default: {
      const rejection = controlRun(draft, command);
      return rejection === null ? controlReply(draft) : refused(rejection);
    }
  }
};

/** The machine of a workflow run (spec/workflow 4 and 5). */
export const runMachine: Machine<RunState, RunCommand, RunEvent, RunEffect, RunReply> = {
  initial: null,
  evolve,
  decide: (state, command, context) => {
    if (command.type === "create_run") return createRun(state, command, context);
    return state === null ? reject("run_not_found", "there is no such run") : decideExisting(state, command, context);
  },
};

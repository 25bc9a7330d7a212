import { reject } from "../machine.ts";
import { defaultLease, endAttempt, startAttempt } from "./attempts.ts";
import {
  type CompleteStage,
  controlOf,
  type FinalizeRun,
  type PrepareStage,
  type RecordTransitions,
} from "./command.ts";
import { completeStage } from "./complete-stage.ts";
import { controlReply, decided, raisedReply, refused, type RunDecision } from "./decision.ts";
import type { Draft } from "./draft.ts";
import { completedReply, finalize, goOn } from "./finish.ts";
import { openById } from "./open.ts";
import { planOf } from "./plan.ts";
import { prepareStage } from "./prepare-stage.ts";
import { splitOptions } from "../policy/narrow.ts";
import { stageOptions } from "./stage-policy.ts";
import { isTerminal, type PreparedStage, type Run } from "./state.ts";
import { checkTransitions, recordTransitions } from "./transitions.ts";

const planReply = (draft: Draft, stageId: string): RunDecision => {
  const unit = openById(draft.run, stageId) as PreparedStage;
  return decided(draft, { type: "plan", plan: planOf(draft.run, unit, draft.context.now) });
};

/** Gives an external stage, or one whose attempt was lost, to a caller of the API. */
const takePrepared = (draft: Draft, prepared: PreparedStage, command: PrepareStage): RunDecision => {
  const mine = prepared.node_id === command.node_id;
  const isOver = prepared.retry_at_ms !== null || !command.live_attempts.includes(prepared.attempt_token);
  const isOffered = prepared.holder === "nobody" && prepared.mode === "external";
  const free = prepared.settled === null && (isOffered || (prepared.holder === "caller" && isOver));
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
  return planReply(draft, prepared.stage_id);
};

/** Gives the plan of a stage to a caller of the API (spec/workflow 4.5). */
export const openStage = (draft: Draft, command: PrepareStage): RunDecision => {
  const { run } = draft;
  if (run.status !== "running")
    return reject("invalid_transition", `run ${run.run_id} is ${run.status}: no stage can be prepared`);
  const open = run.open.find((unit) => unit.node_id === command.node_id) ?? run.open[0];
  if (open !== undefined) return takePrepared(draft, open, command);
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
    whole: true,
    lease_ms: command.lease_ms ?? defaultLease("caller"),
    ...(command.ready === undefined ? {} : { ready: command.ready }),
  });
  if (raised !== null) return raisedReply(draft, raised);
  return planReply(draft, (draft.run.open.at(-1) as PreparedStage).stage_id);
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

/** Completes a stage for a caller of the API (spec/workflow 4.6). */
export const closeStage = (draft: Draft, command: CompleteStage): RunDecision => {
  const completed = completeStage(draft, command);
  if (completed.type === "rejected") return refused(completed.rejection);
  if (completed.type === "parked") return controlReply(draft);
  if (completed.type === "completed" && draft.run.drive === "auto") goOn(draft);
  const stage = completedReply(draft, completed.completion);
  return decided(draft, { type: "completed", stage, control: controlOf(draft.run) });
};

/** Records the transitions that a caller followed (spec/workflow 4.7). */
export const transition = (draft: Draft, command: RecordTransitions): RunDecision => {
  const rejection = command.ready === undefined ? checkTransitions(draft, command) : null;
  if (rejection !== null) return refused(rejection);
  recordTransitions(draft, command.stage, command.edges, command.ready);
  return controlReply(draft);
};

/** Ends a run that is driven by hand (spec/workflow 4.9). */
export const end = (draft: Draft, command: FinalizeRun): RunDecision => {
  const { run } = draft;
  if (command.ready === undefined) {
    if (isTerminal(run.status)) return controlReply(draft);
    const [open] = run.open;
    if (open !== undefined)
      return reject(
        "invalid_transition",
        `stage ${open.stage_id} is prepared: complete it before the run is finalized`,
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

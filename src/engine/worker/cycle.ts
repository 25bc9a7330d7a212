import type { CycleResult, WorkerCommand } from "./command.ts";
import type { Draft, WorkerDecision } from "./draft.ts";
import type { CycleOutcome } from "./event.ts";
import type { Worker } from "./state.ts";
import { park } from "./suspend.ts";
import { compactedTranscript } from "./transcript-carry.ts";

type Report<Type> = Extract<WorkerCommand, { readonly type: Type }>;

/** Where a cycle that went well leaves its worker (spec/workers 8.2). */
export const settledStatus = ({ carry_policy }: Worker): "awaiting" | "completed" =>
  carry_policy.retriggerable ? "awaiting" : "completed";

/** Whether a report is about the cycle the worker is in, and the worker still waits for it (spec/workers 32.2). */
const isCurrent = ({ cycle, status, run }: Worker, of: number): boolean =>
  of === cycle && (status === "running" || status === "suspended") && run?.ended === undefined;

/** Whether a run that shows up is that of a cycle which ended without it: nobody would ever end it (W2). */
const isOrphan = (worker: Worker, { cycle, run_id }: Report<"cycle_began">): boolean => {
  const { run, child_run_id, status } = worker;
  if (run_id === run?.run_id) return false;
  return cycle === worker.cycle ? status !== "completed" && status !== "awaiting" : run_id !== child_run_id;
};

/** The run of a cycle exists; where nobody wants it any more it is ended at once (W2). */
export const decideBegan = (draft: Draft, command: Report<"cycle_began">): WorkerDecision => {
  const { worker } = draft;
  const { cycle, run_id } = command;
  if (!isCurrent(worker, cycle)) {
    const reason = "the worker does not want it any more";
    if (isOrphan(worker, command)) draft.effects.push({ type: "cancel_run", run_id, reason });
    return draft.decided();
  }
  if (worker.run !== null) return draft.decided();
  draft.emit({ type: "cycle_began", run_id });
  if (worker.status === "suspended") draft.effects.push({ type: "pause_run", cycle, run_id });
  return draft.decided();
};

const outcomeOf = (worker: Worker, result: Extract<CycleResult, { readonly ok: true }>): CycleOutcome => {
  const { payload, transcript, artifacts, execution } = result;
  if (worker.carry_policy.transcript_mode !== "compact" || transcript === null)
    return { payload, transcript, artifacts, execution };
  const compacted = compactedTranscript(transcript);
  return { payload: { ...payload, transcript: compacted }, transcript: compacted, artifacts, execution };
};

/** The run of a cycle has ended: a running worker is settled by it, a suspended one keeps what it left (spec/workers 9.9). */
export const decideEnded = (draft: Draft, { cycle, result }: Report<"cycle_ended">): WorkerDecision => {
  const { worker } = draft;
  if (!isCurrent(worker, cycle)) return draft.decided();
  const outcome = result.ok ? outcomeOf(worker, result) : null;
  const error = result.ok ? null : result.error;
  const usage = result.usage === undefined ? {} : { usage: result.usage };
  const failed = !result.ok && result.cancelled ? "cancelled" : "failed";
  if (worker.status === "suspended")
    draft.emit({ type: "cycle_captured", ended: result.ok ? "completed" : failed, error, outcome, ...usage });
  else
    draft.emit({ type: "cycle_settled", status: result.ok ? settledStatus(worker) : failed, error, outcome, ...usage });
  return draft.decided();
};

/** The agent of the current cycle parks its own worker; one that is suspended already stays as it is (spec/workers 17.7). */
const parkItself = (draft: Draft, { cycle, asked }: Report<"cycle_paused">): void => {
  const { worker } = draft;
  if (asked === undefined || !isCurrent(worker, cycle)) return;
  const { run_id, reason, conditions } = asked;
  // A run that rests before the worker has heard of it says so once.
  if (worker.run === null) draft.emit({ type: "cycle_began", run_id });
  if (worker.status === "running") park(draft, { reason, initiator: "self", conditions });
};

/**
 * The run has come to rest where the suspension asked it to, or because its agent asks for one; from here on the worker can be
 * resumed (spec/workers 17.7, 32.4).
 */
export const decidePaused = (draft: Draft, command: Report<"cycle_paused">): WorkerDecision => {
  const { cycle, turn, transcript } = command;
  parkItself(draft, command);
  const { worker } = draft;
  const { run, status } = worker;
  const isAwaited = status === "suspended" && run !== null && !run.paused && isCurrent(worker, cycle);
  if (isAwaited) draft.emit({ type: "cycle_paused", turn, transcript });
  return draft.decided();
};

/** A worker started another one; one that was closed or stopped meanwhile does not keep it (spec/workers 17.8). */
export const decideAdopt = (draft: Draft, { worker_id }: Report<"adopt_child">): WorkerDecision => {
  const { children, status } = draft.worker;
  if (!children.includes(worker_id)) draft.emit({ type: "child_adopted", worker_id });
  if (status === "cancelled" || status === "stopped") draft.effects.push({ type: "close_child", worker_id });
  return draft.decided();
};

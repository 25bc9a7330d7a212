import type { ClaimedTask, ReportedOutcome } from "../../durable-objects/shell/pool-shell.ts";
import type { Answer, Rejection } from "../engine/machine.ts";
import type { HandlerOutcome } from "../engine/trigger/handler.ts";
import { runTask, type TaskCall } from "../executor/handlers/pool-task.ts";
import { functions } from "../functions.ts";

/** What carrying out a task needs of its pool. */
export interface TaskHolder {
  readonly claim: (taskId: string) => Promise<Answer<ClaimedTask | null>>;
  readonly renew: (taskId: string, token: string) => Promise<Answer<null>>;
  readonly end: (taskId: string, token: string, outcome: ReportedOutcome) => Promise<Answer<unknown>>;
}

/** What carrying out a task needs around it. */
export interface TaskPorts {
  /** Asked anew for each call: a stub of a reset object stays broken. */
  readonly pool: () => TaskHolder;
  readonly perform: (call: TaskCall, signal: AbortSignal) => Promise<HandlerOutcome>;
  readonly wait: (ms: number) => Promise<void>;
}

/** How often the end of a task is reported before its claim is left to run out. */
const REPORTS = 3;

const REPORT_PAUSE_MS = 500;

/** Carries out a task of a pool with what this deployment has registered. */
export const performTask = (env: object, call: TaskCall, signal: AbortSignal): Promise<HandlerOutcome> =>
  runTask(call, { env: env as never, functions }, signal);

/** Keeps the claim on a task while it is carried out; the call is aborted when the claim is somebody else's. */
const performed = async ({ pool, perform }: TaskPorts, claimed: ClaimedTask): Promise<HandlerOutcome> => {
  const controller = new AbortController();
  const renew = async (): Promise<void> => {
    const answer = await pool().renew(claimed.task_id, claimed.token);
    if (!answer.ok) controller.abort(answer.rejection.code);
  };
  const timer = setInterval(() => {
    // A pool that cannot be reached now is asked again before the claim has run out, or takes the task back.
    renew().catch(() => undefined);
  }, claimed.lease_ms / 2);
  try {
    return await perform(claimed, controller.signal);
  } finally {
    clearInterval(timer);
  }
};

const reported = (outcome: HandlerOutcome): ReportedOutcome =>
  outcome.type === "succeeded" ? outcome : { type: "failed", error: outcome.error, retryable: outcome.retryable };

const settled = async ({ pool, wait }: TaskPorts, claimed: ClaimedTask, outcome: ReportedOutcome) => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await pool().end(claimed.task_id, claimed.token, outcome);
    } catch (error) {
      if (attempt === REPORTS) throw error;
      await wait(REPORT_PAUSE_MS * attempt);
    }
  }
};

/**
 * Claims a task that was offered, carries it out, keeps the claim meanwhile and reports (spec/workers 26.3, 26.4). Answers
 * with why the pool did not take the end, or null; throws when the pool cannot be reached, which then offers the task again.
 */
export const carryOutTask = async (ports: TaskPorts, taskId: string): Promise<Rejection | null> => {
  const answer = await ports.pool().claim(taskId);
  // A pool that was removed has no tasks; a task that is not to be had is somebody else's, or over.
  if (!answer.ok || answer.reply === null) return null;
  const outcome = await performed(ports, answer.reply);
  const end = await settled(ports, answer.reply, reported(outcome));
  return end.ok ? null : end.rejection;
};

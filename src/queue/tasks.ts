import * as z from "zod";
import type { ClaimedTask, ReportedOutcome, TaskOffer } from "../../durable-objects/shell/pool-shell.ts";
import { performTask } from "../driver/pool-task.ts";
import type { HandlerOutcome } from "../engine/trigger/handler.ts";
import type { Bindings } from "../http/call.ts";
import { type PoolObject, poolObject } from "../http/pool-object.ts";
import type { Consumer } from "./consumer.ts";
import { report, textOf } from "./report.ts";

const taskOffer = z.object({
  v: z.literal(1),
  tenant: z.string().min(1),
  scope: z.enum(["session", "pipeline", "tenant", "org"]),
  scope_id: z.string().min(1).nullable(),
  name: z.string().min(1),
  task_id: z.string().min(1),
});

/** How often the end of a task is reported before its claim is left to run out. */
const REPORTS = 3;

const REPORT_PAUSE_MS = 500;

const reported = (outcome: HandlerOutcome): ReportedOutcome =>
  outcome.type === "succeeded" ? outcome : { type: "failed", error: outcome.error, retryable: outcome.retryable };

/** Carries out a task and keeps the claim on it meanwhile; the call is aborted when the claim is somebody else's. */
const performed = async (env: Bindings, pool: () => PoolObject, claimed: ClaimedTask): Promise<HandlerOutcome> => {
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
    return await performTask(env, claimed, controller.signal);
  } finally {
    clearInterval(timer);
  }
};

const settle = async (pool: () => PoolObject, claimed: ClaimedTask, outcome: ReportedOutcome): Promise<void> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await pool().end(claimed.task_id, claimed.token, outcome);
      if (!answer.ok) report("a task's end was not taken", { task_id: claimed.task_id, code: answer.rejection.code });
      return;
    } catch (error) {
      if (attempt === REPORTS) throw error;
      await scheduler.wait(REPORT_PAUSE_MS * attempt);
    }
  }
};

const run = async (env: Bindings, { tenant, task_id, ...address }: TaskOffer): Promise<void> => {
  const pool = (): PoolObject => poolObject(env, tenant, address);
  const answer = await pool().claim(task_id);
  // A pool that was removed has no tasks; a task that is not to be had is somebody else's, or over.
  if (!answer.ok || answer.reply === null) return;
  const outcome = await performed(env, pool, answer.reply);
  await settle(pool, answer.reply, reported(outcome));
};

const attempted = async (env: Bindings, offer: TaskOffer): Promise<void> => {
  try {
    await run(env, offer);
  } catch (error) {
    // The claim runs out, or the offer does: the pool makes another.
    report("a task was left", { task_id: offer.task_id, error: textOf(error) });
  }
};

/**
 * Carries out the tasks that a batch offers and acknowledges each message when its task has ended. Where queues live in
 * memory, as in the local server, the messages are acknowledged at once, so that no task holds up others.
 */
export const runTasks: Consumer = async (batch, env, ctx) => {
  const tasks: Promise<void>[] = [];
  for (const message of batch.messages) {
    const decoded = taskOffer.safeParse(message.body);
    if (decoded.success) tasks.push(attempted(env, decoded.data).then(() => message.ack()));
    else {
      report("not an offer of a task", { message_id: message.id });
      message.ack();
    }
  }
  if (env.GODWIT_QUEUES !== "memory") await Promise.all(tasks);
  else {
    batch.ackAll();
    ctx.waitUntil(Promise.all(tasks));
  }
};

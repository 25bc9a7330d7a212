import type { MailboxReply, MailboxRequest } from "../../src/engine/mailbox/command.ts";
import type { MailboxAddress } from "../../src/engine/mailbox/state.ts";
import type { Answer } from "../../src/engine/machine.ts";
import type { RunEffect } from "../../src/engine/run/command.ts";
import type { SettleDispatch } from "../../src/engine/trigger/event.ts";
import { runOutcome } from "../../src/engine/trigger/run-outcome.ts";
import type { RunRequest } from "../workflow-run.ts";
import { enqueueJob } from "./command-jobs.ts";
import type { RunShell } from "../projections/run-record.ts";
import { closeWorker, reportCycle, reportRest, spawnWorker } from "./run-workers.ts";
import { workerPorts } from "./worker-ports.ts";

/** What a run needs of its workflow's mailbox. */
interface RunMailbox {
  readonly request: (mailbox: MailboxAddress, request: MailboxRequest) => Promise<Answer<MailboxReply>>;
}

/** The mailbox did not take a subscription now; the outbox asks again. */
class MailboxRefusal extends Error {
  override readonly name = "MailboxRefusal";
}

/** Performs an effect of a run. Throws when the world misbehaved: the outbox then tries again. */
export const performRunEffect = async (
  env: Env,
  { shell, tell }: { readonly shell: RunShell; readonly tell: (request: RunRequest) => unknown },
  effect: RunEffect,
): Promise<void> => {
  const run = shell.state;
  if (run === null) return;
  const { tenant, run_id } = run;
  if (effect.type === "drive") await env.DRIVE_QUEUE.send({ v: 1, tenant, run_id });
  else if (effect.type === "finish") await env.DRIVE_QUEUE.send({ v: 1, tenant, run_id, finish: effect.attempt_token });
  else if (effect.type === "enqueue_job") await enqueueJob(env, tenant, effect, tell);
  else if (effect.type === "index_run") await env.INDEX_QUEUE.send({ v: 1, seq: shell.seq, tenant, run: effect.row });
  else if (effect.type === "index_request")
    await env.INDEX_QUEUE.send({ v: 1, seq: shell.seq, tenant, request: effect.row });
  else if (effect.type === "report_end") await reportEnd(env, shell, effect);
  else if (effect.type === "report_rest") await reportRest(workerPorts(env, tenant), shell, effect);
  else if (effect.type === "spawn_worker") await spawnWorker(workerPorts(env, tenant), { run, tell }, effect);
  else if (effect.type === "close_worker") await closeWorker(workerPorts(env, tenant), effect.worker_id);
  else await tellMailbox(env, { tenant, run_id }, effect);
};

/** The trigger did not take the end of a run now; the outbox reports it again. */
class TriggerRefusal extends Error {
  override readonly name = "TriggerRefusal";
}

/** What a run needs of the trigger that started it. */
interface RunTrigger {
  readonly settle: (key: string, report: Omit<SettleDispatch, "type">) => Promise<Answer<unknown>>;
}

const reportEnd = async (
  env: Env,
  shell: RunShell,
  { to, end }: Extract<RunEffect, { readonly type: "report_end" }>,
): Promise<void> => {
  const tenant = shell.state?.tenant ?? "";
  if ("worker_id" in to) return reportCycle(workerPorts(env, tenant), shell, { to, end });
  if (end.status === "paused") return;
  const of = to.shard === undefined ? to.trigger_id : `${to.trigger_id}/${to.shard}`;
  const trigger = env.TRIGGER.getByName(`${tenant}/${of}`) as unknown as RunTrigger;
  const { dispatch_id, attempt } = to;
  const answer = await trigger.settle(to.key, {
    dispatch_id,
    attempt,
    outcome: runOutcome({ ...end, status: end.status }),
  });
  // Whatever is settled already, or belongs to a later attempt, needs no report.
  if (!answer.ok && answer.rejection.code === "unavailable") throw new TriggerRefusal(answer.rejection.detail);
};

const tellMailbox = async (
  env: Env,
  { tenant, run_id }: { readonly tenant: string; readonly run_id: string },
  effect: Extract<RunEffect, { readonly type: "subscribe" | "unsubscribe" }>,
): Promise<void> => {
  const { workflow_id, stage_id } = effect;
  const mailbox = env.MAILBOX.getByName(`${tenant}/${workflow_id}`) as unknown as RunMailbox;
  const request: MailboxRequest =
    effect.type === "subscribe"
      ? { type: "subscribe", run_id, stage_id, name: effect.message }
      : { type: "unsubscribe", run_id, stage_id };
  const answer = await mailbox.request({ tenant, workflow_id }, request);
  if (!answer.ok) throw new MailboxRefusal(answer.rejection.detail);
};

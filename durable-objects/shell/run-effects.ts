import type { MailboxReply, MailboxRequest } from "../../src/engine/mailbox/command.ts";
import type { MailboxAddress } from "../../src/engine/mailbox/state.ts";
import type { Answer } from "../../src/engine/machine.ts";
import type { RunEffect } from "../../src/engine/run/command.ts";
import type { RunRequest } from "../workflow-run.ts";
import { enqueueJob } from "./command-jobs.ts";
import type { RunShell } from "../projections/run-record.ts";

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
  else if (effect.type === "enqueue_job") await enqueueJob(env, tenant, effect, tell);
  else if (effect.type === "index_run") await env.INDEX_QUEUE.send({ v: 1, seq: shell.seq, tenant, run: effect.row });
  else await tellMailbox(env, { tenant, run_id }, effect);
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

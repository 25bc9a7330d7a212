import * as z from "zod";
import type { PauseState } from "../../durable-objects/mailbox.ts";
import type { RunRequest } from "../../durable-objects/workflow-run.ts";
import type { MailboxAddress } from "../engine/mailbox/state.ts";
import type { Bindings } from "../http/call.ts";
import { mailboxObject } from "../http/mailbox-object.ts";
import { runObject } from "../http/run-object.ts";
import type { Consumer } from "./consumer.ts";
import { workOnMessage } from "./operations.ts";
import { listenOnMessage } from "./listen.ts";
import { report, textOf } from "./report.ts";

const controlMessage = z.object({
  v: z.literal(1),
  tenant: z.string().min(1),
  workflow_id: z.string().min(1),
  verb: z.enum(["pause", "resume"]),
  at_ms: z.number(),
});

/** Why a run was paused, so that only such runs are resumed. */
const REASON = "mailbox";

const PAGE = 100;

/** Runs that are told at the same time. */
const CONCURRENCY = 6;

interface Row {
  readonly run_id: string;
  readonly created_at: string;
}

/** After every moment that can be written. */
const LAST_MOMENT = "9999-12-31T23:59:59.999Z";

/** How often a mailbox may change its mind before the message waits for its next turn. */
const MAX_ROUNDS = 5;

/** The workflow's runs that have not ended, as the list shows them, newest first, page by page. */
const openRuns = async function* (db: D1Database, mailbox: MailboxAddress): AsyncGenerator<readonly string[]> {
  const { tenant, workflow_id } = mailbox;
  const sql =
    "SELECT run_id, created_at FROM runs WHERE tenant = ? AND workflow_id = ? AND status IN ('running', 'paused') " +
    "AND (created_at, run_id) < (?, ?) ORDER BY created_at DESC, run_id DESC LIMIT ?";
  let before: Row = { created_at: LAST_MOMENT, run_id: "" };
  for (;;) {
    const { created_at, run_id } = before;
    const page = db.prepare(sql).bind(tenant, workflow_id, created_at, run_id, PAGE);
    const { results } = await page.all<Row>();
    const last = results.at(-1);
    if (last === undefined) return;
    before = last;
    yield results.map((row) => row.run_id);
  }
};

/** Tells every run; a run that has ended refuses, which is as good. Whether a run needs it only the run knows. */
const tellRuns = async (env: Bindings, mailbox: MailboxAddress, request: RunRequest): Promise<void> => {
  for await (const runIds of openRuns(env.DB, mailbox)) {
    const waiting = [...runIds];
    const work = async (): Promise<void> => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift())
        await runObject(env, mailbox.tenant, id).request(request);
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
  }
};

const requestFor = ({ paused }: PauseState): RunRequest =>
  paused ? { type: "pause_run", reason: REASON } : { type: "resume_run", only_if_paused_by: REASON };

/**
 * Brings the runs to what their mailbox says now, whatever the message said: messages come late, twice and in any order.
 * Ends when the mailbox still says the same after all runs were told. Throws when a run or the list cannot be reached.
 */
const controlWorkflow = async (env: Bindings, mailbox: MailboxAddress): Promise<void> => {
  let told = await mailboxObject(env, mailbox).pauseState();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    await tellRuns(env, mailbox, requestFor(told));
    const { paused, control_seq } = await mailboxObject(env, mailbox).pauseState();
    if (paused === told.paused && control_seq === told.control_seq) {
      if (control_seq !== null) await mailboxObject(env, mailbox).settleControl(control_seq);
      return;
    }
    told = { paused, control_seq };
  }
  throw new Error("the mailbox is paused and resumed faster than its runs can be told");
};

/**
 * Pauses or resumes the runs of workflows, has operations on many events go on, and sets up what wakes suspended workers. A message is acknowledged when all runs
 * of its workflow were told.
 */
export const controlRuns: Consumer = async (batch, env) => {
  for (const message of batch.messages) {
    if ((await workOnMessage(message, env)) || (await listenOnMessage(message, env))) continue;
    const decoded = controlMessage.safeParse(message.body);
    if (!decoded.success) {
      report("not a control message", { message_id: message.id });
      message.ack();
      continue;
    }
    const { tenant, workflow_id } = decoded.data;
    try {
      await controlWorkflow(env, { tenant, workflow_id });
      message.ack();
    } catch (error) {
      report("the runs of a workflow could not be told", { tenant, workflow_id, error: textOf(error) });
      message.retry();
    }
  }
};

import type { PauseState } from "../../durable-objects/mailbox.ts";
import type { IdempotencyKey } from "../../durable-objects/shell/idempotency.ts";
import type { Answer } from "../engine/machine.ts";
import type { MailboxReply, MailboxRequest } from "../engine/mailbox/command.ts";
import type { MailboxAddress } from "../engine/mailbox/state.ts";
import type { MailboxStatus, ShownResponse } from "../engine/mailbox/view.ts";
import type { Json } from "../lib/json.ts";
import type { Bindings } from "./call.ts";
import { fromRejection, problem, type Problem } from "./problem.ts";

/** What the API and the consumers need of a mailbox's object. */
export interface MailboxObject {
  readonly request: (
    mailbox: MailboxAddress,
    request: MailboxRequest,
    key?: IdempotencyKey,
  ) => Promise<Answer<MailboxReply>>;
  readonly status: (workflowId: string) => Promise<MailboxStatus>;
  readonly query: (name: string) => Promise<{ readonly value: Json; readonly published_at: string } | null>;
  readonly response: (requestId: string) => Promise<ShownResponse | null>;
  readonly pauseState: () => Promise<PauseState>;
  readonly settleControl: (seq: number) => Promise<void>;
}

/** A stub of a mailbox; ask again after every fault, a stub of a reset object stays broken. */
export const mailboxObject = (env: Pick<Bindings, "MAILBOX">, { tenant, workflow_id }: MailboxAddress): MailboxObject =>
  env.MAILBOX.getByName(`${tenant}/${workflow_id}`) as unknown as MailboxObject;

/** The reply of one type, or the refusal. */
export const mailboxReply = <Type extends MailboxReply["type"]>(
  answer: Answer<MailboxReply>,
  type: Type,
):
  | { readonly ok: true; readonly reply: Extract<MailboxReply, { type: Type }> }
  | { readonly ok: false; readonly problem: Problem } => {
  if (!answer.ok) return { ok: false, problem: fromRejection(answer.rejection) };
  const { reply } = answer;
  if (reply.type === type) return { ok: true, reply: reply as Extract<MailboxReply, { type: Type }> };
  return { ok: false, problem: problem("internal_error", `the mailbox answered ${reply.type} instead of ${type}`) };
};

import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import type { Mailbox } from "../../durable-objects/mailbox.ts";
import { mailboxObject, type MailboxObject } from "../../src/http/mailbox-object.ts";
import type { MailboxRequest } from "../../src/engine/mailbox/command.ts";
import type { Message } from "../../src/engine/mailbox/state.ts";

const TENANT = "default";

/** The stub of a mailbox of the default tenant. */
export const mailbox = (id: string): DurableObjectStub & MailboxObject =>
  mailboxObject(env, { tenant: TENANT, workflow_id: id }) as unknown as DurableObjectStub & MailboxObject;

/** Gives a command as a run or the API does; throws where it is refused. */
export const tell = async (id: string, request: MailboxRequest): Promise<void> => {
  const answer = await mailbox(id).request({ tenant: TENANT, workflow_id: id }, request);
  if (!answer.ok) throw new Error(answer.rejection.detail);
};

/** A message that was offered to a run. */
export interface Heard {
  readonly run: string;
  readonly stage_id: string;
  readonly message: Message;
}

interface Inside {
  env: object;
}

/** What stands in for the run's object: it says whether the stage still waits, or throws. */
export type Hear = (heard: Heard) => boolean;

/** Lets the mailbox reach these stages in place of the runs' objects, which answer as told. */
export const withRuns = (id: string, hear: Hear): Promise<void> =>
  runInDurableObject(mailbox(id), (object) => {
    const inside = object as unknown as Inside;
    const runs = {
      getByName: (run: string) => ({
        hear: (heard: Omit<Heard, "run">) =>
          Promise.resolve({ ok: true, reply: { accepted: hear({ run, ...heard }) } }),
      }),
    };
    inside.env = { ...inside.env, WORKFLOW_RUN: runs };
  });

/** Runs the mailbox's alarm in the object, as the platform does when it is due. */
export const ringAlarm = (id: string): Promise<void> =>
  runInDurableObject(mailbox(id), (object) => (object as unknown as Mailbox).alarm());

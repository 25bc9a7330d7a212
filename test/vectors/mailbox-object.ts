import { RUN } from "../../durable-objects/migrations/journaled.ts";
import { MachineShell } from "../../durable-objects/shell/machine-shell.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import type { MailboxCommand, MailboxEffect, MailboxReply, MailboxRequest } from "../../src/engine/mailbox/command.ts";
import type { MailboxEvent } from "../../src/engine/mailbox/event.ts";
import { mailboxMachine, mailboxWake } from "../../src/engine/mailbox/machine.ts";
import type { MailboxState } from "../../src/engine/mailbox/state.ts";
import { mailboxHead } from "../../src/engine/mailbox/view.ts";
import type { VirtualClock } from "./clock.ts";
import { OperationFailure } from "./operation.ts";

type Shell = MachineShell<MailboxState, MailboxCommand, MailboxEvent, MailboxEffect, MailboxReply>;

/** One mailbox's object: the product's machine in its shell on its storage, with virtual time. */
export class MailboxObject {
  readonly #clock: VirtualClock;
  readonly #store = sqliteStore();
  readonly #workflowId: string;
  #shell: Shell;

  constructor(clock: VirtualClock, workflowId: string) {
    this.#clock = clock;
    this.#workflowId = workflowId;
    this.#shell = this.#load();
  }

  /** Throws away everything in memory; what is stored is loaded again. */
  restart(): void {
    this.#shell = this.#load();
    const { quarantine } = this.#shell;
    if (quarantine !== null) throw new Error(`a mailbox did not survive a restart: ${quarantine}`);
  }

  get state(): MailboxState {
    return this.#shell.state;
  }

  /** Gives a command; throws an `OperationFailure` where it is refused. */
  request(request: MailboxRequest): MailboxReply {
    const mailbox = { tenant: "default", workflow_id: this.#workflowId };
    const answer = this.#shell.execute({ ...request, mailbox });
    if (!answer.ok) throw new OperationFailure(answer.rejection.detail);
    return answer.reply;
  }

  close(): void {
    this.#store.close();
  }

  #load(): Shell {
    return new MachineShell(
      {
        machine: mailboxMachine,
        store: this.#store,
        migrations: RUN,
        reducerVersion: 1,
        headOf: mailboxHead,
        wakeAt: mailboxWake,
        context: () => this.#clock.context,
        objectId: this.#workflowId,
      },
      () => {},
    );
  }
}

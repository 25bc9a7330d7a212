import type { MailboxCommand, MailboxEffect, MailboxReply, MailboxRequest } from "../../src/engine/mailbox/command.ts";
import type { MailboxEvent } from "../../src/engine/mailbox/event.ts";
import { mailboxMachine } from "../../src/engine/mailbox/machine.ts";
import { EMPTY_MAILBOX, type MailboxState } from "../../src/engine/mailbox/state.ts";
import { fold, type Rejection } from "../../src/engine/machine.ts";

const ADDRESS = { tenant: "t", workflow_id: "wf" } as const;

/** One mailbox in memory, with all that has happened to it. */
export class MailboxFixture {
  state: MailboxState = EMPTY_MAILBOX;
  /** The state that deciding has made on its way; the fold is to be the same. */
  decided: MailboxState | null = null;
  now = Date.parse("2026-04-19T12:00:00.000Z");
  readonly events: MailboxEvent[] = [];
  readonly effects: MailboxEffect[] = [];
  #ids = 0;

  /** Gives a request; throws where it is refused. */
  ask(request: MailboxRequest): MailboxReply {
    return this.#accepted({ ...request, mailbox: ADDRESS });
  }

  /** Gives a report of an effect or the alarm. */
  report(command: Exclude<MailboxCommand, { readonly mailbox: unknown }>): MailboxReply {
    return this.#accepted(command);
  }

  /** Why a request is refused; throws where it is not. */
  refusal(request: MailboxRequest): Rejection {
    const decision = this.#decide({ ...request, mailbox: ADDRESS });
    if (decision.ok) throw new Error(`${request.type} was not refused`);
    return decision.rejection;
  }

  /** The deliveries that were ordered and not looked at yet. */
  takeDeliveries(): readonly Extract<MailboxEffect, { readonly type: "deliver" }>[] {
    return this.effects.splice(0).filter((effect) => effect.type === "deliver");
  }

  #decide(command: MailboxCommand): ReturnType<typeof mailboxMachine.decide> {
    return mailboxMachine.decide(this.state, command, {
      now: this.now,
      nextId: (prefix) => `${prefix}id-${(this.#ids += 1)}`,
    });
  }

  #accepted(command: MailboxCommand): MailboxReply {
    const decision = this.#decide(command);
    if (!decision.ok) throw new Error(`${command.type}: ${decision.rejection.detail}`);
    this.state = fold(mailboxMachine, this.state, decision.events);
    this.decided = decision.state ?? null;
    this.events.push(...decision.events);
    this.effects.push(...decision.effects);
    return decision.reply;
  }
}

/** A signal of this name; its payload says which one it is. */
export const signal = (name: string, payload: string | number = name): MailboxRequest => ({
  type: "signal",
  name,
  payload,
});

/** A stage that waits for a message of a name, or of any. */
export const waits = (stage: string, name: string | null = null): Extract<MailboxRequest, { type: "subscribe" }> => ({
  type: "subscribe",
  run_id: `run-${stage}`,
  stage_id: stage,
  name,
});

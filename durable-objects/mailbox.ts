import type { MailboxCommand, MailboxEffect, MailboxReply, MailboxRequest } from "../src/engine/mailbox/command.ts";
import type { MailboxEvent } from "../src/engine/mailbox/event.ts";
import { deliveryOf } from "../src/engine/mailbox/evolve.ts";
import { mailboxMachine, mailboxWake } from "../src/engine/mailbox/machine.ts";
import type { MailboxAddress, MailboxState, Message } from "../src/engine/mailbox/state.ts";
import {
  mailboxHead,
  messageView,
  queryOf,
  responseOf,
  type ShownResponse,
  statusOf,
} from "../src/engine/mailbox/view.ts";
import type { MailboxStatus } from "../src/engine/mailbox/view.ts";
import type { Json } from "../src/lib/json.ts";
import { RUN } from "./migrations/journaled.ts";
import { compactJournal } from "./shell/compact.ts";
import type { IdempotencyKey } from "./shell/idempotency.ts";
import { MachineObject, type ObjectParts } from "./shell/machine-object.ts";
import type { Answer } from "../src/engine/machine.ts";

/** What the mailbox needs of a run's object: whether one of its stages still waited, and has now heard the message. */
interface HearingRun {
  readonly hear: (heard: {
    readonly stage_id: string;
    readonly message: Message;
  }) => Promise<Answer<{ readonly accepted: boolean }>>;
}

/** A hint that the runs of a workflow are to be paused or resumed; what holds is what the mailbox says. */
export interface ControlMessage {
  readonly v: 1;
  readonly tenant: string;
  readonly workflow_id: string;
  readonly verb: "pause" | "resume";
  readonly at_ms: number;
}

/** Whether the runs are to be paused, and the order that says so while it is not known to have reached them. */
export interface PauseState {
  readonly paused: boolean;
  readonly control_seq: number | null;
}

type Effect<Type extends MailboxEffect["type"]> = Extract<MailboxEffect, { readonly type: Type }>;
type Parts = ObjectParts<MailboxState, MailboxCommand, MailboxEvent, MailboxEffect, MailboxReply>;

/** The list of runs may lag: what it did not show the first time is told a little later. */
const SECOND_LOOK_SECONDS = 15;

/** A mailbox lives as long as its workflow: its journal is cut when the object is loaded. */
const LONG_JOURNAL = 1_000;

/** The mailbox of one workflow id (architecture 2): signals, queries, updates, pause and generation. */
export class Mailbox extends MachineObject<MailboxState, MailboxCommand, MailboxEvent, MailboxEffect, MailboxReply> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    compactJournal<MailboxState, MailboxEvent>(this.store, {
      machine: mailboxMachine,
      migrations: RUN,
      snapshot: (state) => ({ type: "mailbox_restored", state }),
      above: LONG_JOURNAL,
    });
  }

  protected parts(): Parts {
    return {
      machine: mailboxMachine,
      migrations: RUN,
      reducerVersion: 1,
      headOf: mailboxHead,
      wakeAt: mailboxWake,
      perform: (effect) => (effect.type === "deliver" ? this.#deliver(effect) : this.#control(effect)),
      onAlarm: (state) => (state.control === null ? null : { type: "wake" }),
    };
  }

  /** Executes a command of the API or of a run; see `mailboxMachine` for what each does. */
  request(mailbox: MailboxAddress, request: MailboxRequest, key?: IdempotencyKey): Answer<MailboxReply> {
    return this.execute({ ...request, mailbox }, key);
  }

  /** Where the mailbox stands, also when nobody has written to it. */
  status(workflowId: string): MailboxStatus {
    return statusOf(this.shell.state, workflowId);
  }

  /** The last value published under a name; null when there is none. */
  query(name: string): { readonly value: Json; readonly published_at: string } | null {
    return queryOf(this.shell.state, name);
  }

  /** The response to an update; null while there is none. */
  response(requestId: string): ShownResponse | null {
    return responseOf(this.shell.state, requestId);
  }

  /** Whether the runs are to be paused. */
  pauseState(): PauseState {
    const { paused, control } = this.shell.state;
    return { paused, control_seq: control?.seq ?? null };
  }

  /** Notes that every run was told of an order. */
  settleControl(seq: number): void {
    this.execute({ type: "settle_control", seq });
  }

  /** Tells the mailbox that queues may have lost their messages: what is pending is sent again at once. */
  recover(): void {
    this.execute({ type: "wake", lost: true });
    this.ctx.waitUntil(this.alarm());
  }

  async #deliver({ seq, run_id, stage_id }: Effect<"deliver">): Promise<void> {
    const { address } = this.shell.state;
    const delivery = deliveryOf(this.shell.state, { seq, run_id, stage_id });
    // An effect may be performed twice; what was settled before needs nothing more (M5).
    if (delivery === undefined || address === null) return;
    const stub = this.env.WORKFLOW_RUN.getByName(`${address.tenant}/${run_id}`) as unknown as HearingRun;
    const heard = await stub.hear({ stage_id, message: messageView(delivery.message) });
    const isHeard = heard.ok && heard.reply.accepted;
    this.execute({ type: isHeard ? "confirm_delivery" : "return_message", seq, run_id, stage_id });
  }

  async #control({ tenant, workflow_id, verb, at_ms }: Effect<"control_runs">): Promise<void> {
    const body: ControlMessage = { v: 1, tenant, workflow_id, verb, at_ms };
    await this.env.CONTROL_QUEUE.sendBatch([{ body }, { body, delaySeconds: SECOND_LOOK_SECONDS }]);
  }
}

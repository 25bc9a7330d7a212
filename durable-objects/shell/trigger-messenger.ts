import type { EventRow } from "../../src/schema/trigger-event.ts";
import { deadLetterChange, eventRow } from "../../src/engine/trigger/view.ts";
import type { EventChange } from "./event-commits.ts";
import { type DispatchMessage, type HeldMessage, isOpen } from "./trigger-messages.ts";
import type { TriggerShell } from "./trigger-shell.ts";

/** Queues take a hundred messages at a time. */
const BATCH = 100;

/** What a shard needs of the object that coordinates it. */
interface Coordinator {
  readonly leave: (ticket: string) => Promise<void>;
}

interface Messaging {
  readonly env: Env;
  readonly shell: () => TriggerShell;
  readonly report: (error: unknown) => void;
}

/** A row of a shard names it: whoever looks for the event asks the object that has it. */
const listedRow = ({ record }: EventChange, shard: number | null): EventRow => ({ ...eventRow(record), shard });

/** Sends what a trigger has to say to the outside. Nothing of it throws: the outbox says it again. */
export class TriggerMessenger {
  readonly #messaging: Messaging;

  constructor(messaging: Messaging) {
    this.#messaging = messaging;
  }

  /** Sends messages that have come due. */
  async sendHeld(messages: readonly HeldMessage[]): Promise<void> {
    const { shell } = this.#messaging;
    await this.send(messages.filter(isOpen));
    for (const message of messages) {
      if (isOpen(message)) continue;
      const found = message.listed === undefined ? null : shell().latest(message.listed);
      if (found !== null) await this.tellList([found]);
      if (message.left === undefined || (await this.tellLeft(message.left))) shell().forget(message.id);
    }
  }

  /** Has events dispatched. */
  async send(messages: readonly DispatchMessage[]): Promise<void> {
    const { env } = this.#messaging;
    await this.#try(async () => {
      for (let start = 0; start < messages.length; start += BATCH)
        await env.DISPATCH_QUEUE.sendBatch(messages.slice(start, start + BATCH).map((body) => ({ body })));
    });
  }

  /** Tells the list of events what has changed. */
  async tellList(changes: readonly EventChange[]): Promise<void> {
    const { env, shell } = this.#messaging;
    // A replay has no row of its own: its original's says how it went.
    const bodies = changes.flatMap((change) => {
      const { record, seq } = change;
      if (record.replay !== null) return [];
      const dead = deadLetterChange(record, seq);
      const about = { v: 1, seq, tenant: record.event.tenant_id ?? "", event: listedRow(change, shell().place.shard) };
      return [dead === null ? about : { ...about, dead_letter: dead }];
    });
    await this.#try(async () => {
      for (let start = 0; start < bodies.length; start += BATCH)
        await env.INDEX_QUEUE.sendBatch(bodies.slice(start, start + BATCH).map((body) => ({ body })));
    });
  }

  /** Tells the coordinating object at once that an event of this shard is over; what is lost is told again. */
  async leave(id: string, ticket: string): Promise<void> {
    const { env, shell } = this.#messaging;
    const isTold = await this.tellLeft(ticket);
    // Where queues forget, the list is still to be told once more.
    if (isTold && env.GODWIT_QUEUES !== "memory") shell().forget(id);
  }

  /** Tells the coordinating object that an event of this shard is over; whether it has heard it. */
  async tellLeft(ticket: string): Promise<boolean> {
    const { env, shell } = this.#messaging;
    const { state, place } = shell();
    if (state.status === "absent") return false;
    const { trigger_id } = state;
    return this.#try(async () => {
      const main = env.TRIGGER.getByName(`${place.tenant ?? ""}/${trigger_id}`) as unknown as Coordinator;
      await main.leave(ticket);
    });
  }

  async #try(body: () => Promise<void>): Promise<boolean> {
    try {
      await body();
      return true;
    } catch (error) {
      this.#messaging.report(error);
      return false;
    }
  }
}

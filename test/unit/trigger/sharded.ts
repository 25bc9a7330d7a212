import type { DispatchGiven, EventAnswer, Order } from "../../../durable-objects/shell/trigger-requests.ts";
import type { DispatchMessage } from "../../../durable-objects/shell/trigger-messages.ts";
import { TriggerShell } from "../../../durable-objects/shell/trigger-shell.ts";
import { sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import type { EventRecord, HandlerReport } from "../../../src/engine/trigger/event.ts";
import type { PredicateOutcome } from "../../../src/engine/trigger/predicate/predicate.ts";
import { opened } from "./fixture.ts";
import { given, HostedTrigger } from "./hosted.ts";

/** One shard of a trigger; the clock is that of the trigger. */
export class HostedShard {
  readonly store = sqliteStore();
  readonly shell: TriggerShell;
  readonly sent: DispatchMessage[] = [];
  /** The tickets of events that are over, as they are told. */
  left: { readonly id: string; readonly ticket: string }[] = [];
  readonly #main: HostedTrigger;
  #ids = 0;

  constructor(main: HostedTrigger, number: number) {
    this.#main = main;
    this.shell = new TriggerShell({
      store: this.store,
      context: () => ({ now: main.now, nextId: (prefix) => `${prefix}_${number}_${(this.#ids += 1)}` }),
      objectId: `shard ${number}`,
      queuesForget: false,
      send: (messages) => this.sent.push(...messages),
      changed: () => undefined,
      left: (id, ticket) => this.left.push({ id, ticket }),
    });
    this.update(number);
  }

  /** Tells the shard of the binding as it is now. */
  update(number: number): void {
    const copy = this.#main.shell.copyFor(number, "t1");
    if (copy !== null) this.shell.adopt(copy);
  }

  deliver(key: string, raw: Readonly<Record<string, string>> = {}): EventAnswer {
    const event = { ...opened, dedupe_key: key, provider_payload: { ...opened.provider_payload, ...raw } };
    return given(this.shell.acceptInShard({ tenant: "t1", version: this.#main.version, event }) as never);
  }

  record(key: string): EventRecord {
    const found = this.shell.latest(key);
    if (found === null) throw new Error(`there is no event ${key}`);
    return found.record;
  }

  /** Dispatches with a destination that is well, as far as something is to be done outside. */
  begin(key: string, judged?: PredicateOutcome): Order | null {
    let brought: DispatchGiven = { circuit: { type: "closed" } };
    for (;;) {
      const { order } = given(this.shell.dispatch(key, brought));
      if (order?.type !== "coordinate") return order;
      const admission = this.ask(order, judged);
      if (admission === null) return order;
      brought = { ...brought, admission };
    }
  }

  /** Asks the coordinating object about an event; null while it waits for a model. */
  ask(
    { ticket, record }: Extract<Order, { type: "coordinate" }>,
    judged?: PredicateOutcome,
  ): DispatchGiven["admission"] | null {
    const said = this.#main.shell.shards.coordinate(ticket, record);
    if (said.type === "asked" || (said.type === "ask" && judged === undefined)) return null;
    if (said.type !== "ask") return said;
    const again = this.#main.shell.shards.coordinate(ticket, record, {
      id: said.question.id,
      outcome: judged as PredicateOutcome,
    });
    return again.type === "ask" || again.type === "asked" ? null : again;
  }

  settle(key: string, outcome: HandlerReport = { type: "succeeded", result: null }): EventRecord {
    const { dispatch_id, attempts } = this.record(key);
    return given(this.shell.settle(key, { dispatch_id: dispatch_id ?? "", attempt: attempts.length, outcome })).record;
  }

  /** The coordinating object is told of what is over. */
  tellLeft(): void {
    for (const { id, ticket } of this.left) {
      this.#main.shell.shards.leave(ticket);
      this.shell.forget({ id });
    }
    this.left = [];
  }
}

/** A trigger with two shards. */
export const sharded = (
  definition: Readonly<Record<string, unknown>>,
): { readonly main: HostedTrigger; readonly one: HostedShard; readonly two: HostedShard } => {
  const main = new HostedTrigger({ shards: 2, ...definition });
  return { main, one: new HostedShard(main, 0), two: new HostedShard(main, 1) };
};

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JOURNALED, RUN } from "../../durable-objects/migrations/journaled.ts";
import { migrate } from "../../durable-objects/migrations/migration.ts";
import { compactJournal } from "../../durable-objects/shell/compact.ts";
import { appendEntry, readEntries } from "../../durable-objects/shell/journal.ts";
import { enqueueEffect } from "../../durable-objects/shell/outbox.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import { fold } from "../../src/engine/machine.ts";
import type { MailboxEvent } from "../../src/engine/mailbox/event.ts";
import { isSameStage } from "../../src/engine/mailbox/evolve.ts";
import { mailboxMachine } from "../../src/engine/mailbox/machine.ts";
import { EMPTY_MAILBOX, type MailboxState } from "../../src/engine/mailbox/state.ts";
import { MailboxFixture, signal, waits } from "../support/mailbox-fixture.ts";

type Step =
  | { readonly do: "signal" | "update"; readonly name: string }
  | { readonly do: "subscribe"; readonly stage: string; readonly name: string | null; readonly updates: boolean }
  | { readonly do: "unsubscribe"; readonly stage: string }
  /** A delivery is performed, by its place among those that were ordered; performed again if `twice`. */
  | { readonly do: "perform"; readonly which: number; readonly heard: boolean; readonly twice: boolean }
  | { readonly do: "receive" | "pause" | "resume" | "continue_as_new" | "wake" };

const name = fc.constantFrom("a", "b", "c");
const stage = fc.constantFrom("s", "t", "u", "v");

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("signal", "update"), name }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("subscribe"), stage, name: fc.option(name), updates: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("unsubscribe"), stage }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("perform"), which: fc.nat(20), heard: fc.boolean(), twice: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("receive", "pause", "resume", "continue_as_new", "wake") }),
  },
) as fc.Arbitrary<Step>;

/** A mailbox with all that its messages have come to. */
class Walk {
  readonly box = new MailboxFixture();
  readonly ordered: ReturnType<MailboxFixture["takeDeliveries"]>[number][] = [];
  readonly sent: number[] = [];
  /** Messages that somebody has, received or heard. */
  readonly had: number[] = [];

  take(step: Step): void {
    const { box } = this;
    switch (step.do) {
      case "signal":
      case "update": {
        const reply = box.ask(
          step.do === "signal" ? signal(step.name) : { type: "update", name: step.name, payload: null },
        );
        if (reply.type === "enqueued") this.sent.push(reply.message.seq);
        break;
      }
      case "subscribe":
        box.ask({ ...waits(step.stage, step.name), ...(step.updates ? { kinds: ["update"] as const } : {}) });
        break;
      case "unsubscribe":
        box.ask({ type: "unsubscribe", run_id: `run-${step.stage}`, stage_id: step.stage });
        break;
      case "perform":
        this.#perform(step);
        break;
      case "receive": {
        const reply = box.ask({ type: "receive" });
        if (reply.type === "received" && reply.message !== null) this.had.push(reply.message.seq);
        break;
      }
      case "pause":
      case "resume":
        box.ask({ type: step.do });
        this.sent.push(box.state.next_seq);
        break;
      case "continue_as_new":
        box.ask({ type: "continue_as_new" });
        break;
      case "wake":
        box.now += 45_000;
        box.report({ type: "wake" });
        break;
    }
    this.ordered.push(...box.takeDeliveries());
  }

  #perform({ which, heard, twice }: Extract<Step, { readonly do: "perform" }>): void {
    const delivery = this.ordered[which % Math.max(1, this.ordered.length)];
    if (delivery === undefined) return;
    const { seq, run_id, stage_id } = delivery;
    const isOpen = this.box.state.deliveries.some((open) => open.message.seq === seq && isSameStage(open, delivery));
    // What the object does: only an open delivery is heard, and what was settled is settled again without effect.
    if (isOpen && heard) this.had.push(seq);
    const report = { type: heard ? "confirm_delivery" : "return_message", seq, run_id, stage_id } as const;
    if (isOpen) this.box.report(report);
    if (isOpen && twice) this.box.report(report);
  }
}

const inside = ({ messages, deliveries }: MailboxState): readonly number[] => [
  ...messages.map((message) => message.seq),
  ...deliveries.map((delivery) => delivery.message.seq),
];

const byNumber = (a: number, b: number): number => a - b;

const steps = fc.array(step, { maxLength: 60, size: "max" });

const isWaitedFor = ({ messages, subscribers }: MailboxState): boolean =>
  messages.some((message) =>
    subscribers.some(
      (subscriber) =>
        (subscriber.name ?? message.name) === message.name && subscriber.kinds.some((kind) => kind === message.kind),
    ),
  );

describe("a mailbox", () => {
  it("[M1] loses no message and gives none away twice, whatever stages and callers do", () => {
    let deliveries = 0;
    fc.assert(
      fc.property(steps, (moves) => {
        const walk = new Walk();
        for (const move of moves) {
          walk.take(move);
          expect([...inside(walk.box.state), ...walk.had].toSorted(byNumber)).toEqual(walk.sent);
        }
        deliveries += walk.ordered.length;
      }),
      { numRuns: 200 },
    );
    expect(deliveries).toBeGreaterThan(200);
  });

  it("[M2] [M3] [M4] keeps the queue in order, no message that a stage waits for, and no stage twice", () => {
    fc.assert(
      fc.property(steps, (moves) => {
        const walk = new Walk();
        for (const move of moves) {
          walk.take(move);
          const { state } = walk.box;
          const queue = state.messages.map((message) => message.seq);
          expect(queue).toEqual(queue.toSorted(byNumber));
          expect(isWaitedFor(state)).toBe(false);
          const stages = [...state.subscribers, ...state.deliveries].map((one) => one.stage_id);
          expect(new Set(stages).size).toBe(stages.length);
          const messages = [...state.messages, ...state.deliveries.map((delivery) => delivery.message)];
          expect(state.message_bytes).toBe(messages.reduce((sum, message) => sum + message.bytes, 0));
        }
      }),
    );
  });

  it("[I2] is the fold of its events, and the same commands lead to the same events", () => {
    fc.assert(
      fc.property(steps, (moves) => {
        const walk = new Walk();
        for (const move of moves) walk.take(move);
        const { events, state, decided } = walk.box;
        expect(fold(mailboxMachine, EMPTY_MAILBOX, events)).toEqual(state);
        if (moves.length > 0 && decided !== null) expect(decided).toEqual(state);
        const again = new Walk();
        for (const move of moves) again.take(move);
        expect(again.box.events).toEqual(events);
      }),
    );
  });
});

const snapshot = (state: MailboxState): MailboxEvent => ({ type: "mailbox_restored", state });

describe("cutting a journal", () => {
  it("[I2] leads to the same state, in one entry", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 60, size: "max" }), (moves) => {
        const walk = new Walk();
        for (const move of moves) walk.take(move);
        const store = sqliteStore();
        store.transaction(() => migrate(store, RUN));
        for (const [index, event] of walk.box.events.entries())
          appendEntry(store, { seq: index + 1, at_ms: index, events: [event] });
        compactJournal(store, { machine: mailboxMachine, migrations: RUN, snapshot, above: 3 });
        const entries = readEntries<MailboxEvent>(store);
        if (walk.box.events.length > 3) expect(entries).toHaveLength(1);
        expect(
          fold(
            mailboxMachine,
            EMPTY_MAILBOX,
            entries.flatMap(({ events }) => events),
          ),
        ).toEqual(walk.box.state);
        store.close();
      }),
      { numRuns: 30 },
    );
  });

  it("[I4] waits until no effect is outstanding, and leaves a short journal and one with a gap alone", () => {
    const store = sqliteStore();
    const compact = (above: number): number => {
      compactJournal(store, { machine: mailboxMachine, migrations: JOURNALED, snapshot, above });
      return readEntries(store).length;
    };
    compactJournal(store, { machine: mailboxMachine, migrations: JOURNALED, snapshot, above: 0 });
    store.transaction(() => migrate(store, JOURNALED));
    expect(compact(0)).toBe(0);
    for (const seq of [1, 2, 3]) appendEntry(store, { seq, at_ms: seq, events: [] });
    expect(compact(3)).toBe(3);
    enqueueEffect(store, "e", {}, 0);
    expect(compact(2)).toBe(3);
    store.write("DELETE FROM outbox");
    store.write("DELETE FROM journal WHERE seq = 2");
    expect(compact(1)).toBe(2);
    appendEntry(store, { seq: 2, at_ms: 2, events: [] });
    expect(compact(2)).toBe(1);
    store.close();
  });
});

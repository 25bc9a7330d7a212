import { readEntries } from "../../durable-objects/shell/journal.ts";
import { nextEffectAt } from "../../durable-objects/shell/outbox.ts";
import type { MailboxEvent } from "../../src/engine/mailbox/event.ts";
import { evolve } from "../../src/engine/mailbox/evolve.ts";
import { EMPTY_MAILBOX, type MailboxState } from "../../src/engine/mailbox/state.ts";
import type { Watch } from "./host.ts";
import { type Invariant, Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** How late an alarm may be, beyond what it looks after. */
const WATCH_MS = 10_000;

/** Watches the mailbox's disk from outside: no message is lost, none is heard twice, none waits beside a stage that wants it. */
export class MailboxChecker implements Watch {
  readonly #world: World;
  state: MailboxState = EMPTY_MAILBOX;
  /** Messages whose sender was told that they were taken. */
  readonly acknowledged = new Set<number>();
  readonly #enqueued = new Set<number>();
  readonly #received = new Set<number>();
  readonly #accepted = new Map<number, string>();
  #seq = 0;

  constructor(world: World) {
    this.#world = world;
  }

  diskSeq(): number {
    const { store } = this.#world.mailbox;
    if (store.query("SELECT 1 AS found FROM sqlite_master WHERE name = 'journal'").length === 0) return 0;
    return Number(store.query("SELECT max(seq) AS seq FROM journal")[0]?.["seq"] ?? 0);
  }

  entered(name: string, before: number): void {
    const after = this.diskSeq();
    if (after < before || after > before + 1) fail("I3 commit", `${name} made ${after - before} commits`);
  }

  check(): void {
    if (this.diskSeq() !== this.#seq) {
      for (const entry of readEntries<MailboxEvent>(this.#world.mailbox.store, this.#seq)) {
        this.#seq = entry.seq;
        for (const event of entry.events) this.#take(event);
      }
      this.#checkQueue();
      this.#checkMemory();
    }
    this.#checkAlarm();
  }

  #take(event: MailboxEvent): void {
    const { counters, trace } = this.#world;
    trace(`mailbox #${this.#seq} ${event.type}${"seq" in event ? ` ${event.seq}` : ""}`);
    if (event.type === "message_enqueued") {
      if (this.#enqueued.has(event.message.seq)) fail("message", `message ${event.message.seq} was sent twice`);
      this.#enqueued.add(event.message.seq);
    } else if (event.type === "message_received") this.#received.add(event.seq);
    else if (event.type === "delivery_returned") {
      counters.returned += 1;
      // The run has told what it heard before it answered: its journal is read first.
      this.#checkRuns();
      if (this.#world.heardBy(event.seq) !== undefined) fail("message", `message ${event.seq} was heard and came back`);
    } else if (event.type === "delivery_accepted") {
      counters.heard += 1;
      this.#checkRuns();
      if (this.#accepted.has(event.seq) || this.#received.has(event.seq))
        fail("message", `message ${event.seq} was taken twice`);
      if (this.#world.heardBy(event.seq) !== event.stage_id)
        fail("message", `message ${event.seq} was not heard by ${event.stage_id}`);
      this.#accepted.set(event.seq, event.stage_id);
    }
    this.state = evolve(this.state, event);
  }

  #checkRuns(): void {
    for (const { checker } of this.#world.runs) checker.check();
  }

  #checkQueue(): void {
    const { messages, subscribers, deliveries } = this.state;
    for (const { name, stage_id } of subscribers)
      if (messages.some((message) => message.name === name && message.kind !== "control"))
        fail("message", `${stage_id} waits for a message that is there`);
    const all = [...messages, ...deliveries.map(({ message }) => message)].map(({ seq }) => seq);
    if (new Set(all).size !== all.length) fail("message", `a message is in the mailbox twice: ${all.join()}`);
    for (const seq of this.#enqueued)
      if (!all.includes(seq) && !this.#received.has(seq) && !this.#accepted.has(seq))
        fail("message", `message ${seq} is lost`);
  }

  #checkMemory(): void {
    const { mailbox } = this.#world;
    if (!mailbox.isLoaded) return;
    const { shell } = mailbox.object() as unknown as {
      shell: { readonly state: MailboxState; readonly quarantine: string | null };
    };
    if (shell.quarantine !== null) fail("I2 fold", `quarantine: ${shell.quarantine}`);
    if (JSON.stringify(shell.state) !== JSON.stringify(this.state))
      fail("I2 fold", `the mailbox in memory differs from the fold of its journal at ${this.#seq}`);
  }

  #checkAlarm(): void {
    const { mailbox, faults, counters } = this.#world;
    if (!mailbox.isLoaded && faults.counts.alarm_lost > 0) return;
    const effectAt = nextEffectAt(mailbox.store);
    if (effectAt === null) return;
    const alarm = mailbox.store.alarmAt();
    const now = this.#world.clock();
    if (alarm === null || alarm > Math.max(effectAt, now) + WATCH_MS + counters.ms_set_back)
      fail("I1 alarm", `a message is due at ${effectAt}, the alarm at ${alarm}, it is ${now}`);
  }

  /** Once the run has ended and time has passed. */
  finish(): void {
    const { mailbox, runs } = this.#world;
    if (nextEffectAt(mailbox.store) !== null) fail("liveness", "a message was never delivered");
    if (this.state.deliveries.length > 0) fail("liveness", "a delivery has no end");
    for (const seq of this.acknowledged)
      if (!this.#enqueued.has(seq)) fail("message", `message ${seq} was acknowledged and is not in the journal`);
    for (const [seq, stage] of runs.flatMap(({ checker }) => [...checker.units.heard]))
      if (this.#accepted.get(seq) !== stage) fail("message", `the mailbox does not know that ${stage} heard ${seq}`);
    if (mailbox.store.alarmAt() !== null) fail("idle", "a mailbox at rest still has an alarm");
  }
}

const fail = (invariant: Invariant, detail: string): never => {
  throw new Violation(invariant, detail);
};

import type { EventRow } from "../../../src/schema/trigger-event.ts";
import { Random } from "../../support/random.ts";
import { Faults } from "../faults.ts";
import { type Caller, ObjectHost } from "../host.ts";
import type { Platform } from "../platform.ts";
import { Process } from "../process.ts";
import { Queue } from "../queue.ts";
import { HostedCircuit, Trigger, type TriggerClass } from "../real-object.ts";
import { Scheduler } from "../scheduler.ts";
import { Violation } from "../violation.ts";
import { CircuitModel } from "./circuit-model.ts";
import { randomRules } from "./definitions.ts";
import { startDispatcher } from "./dispatcher.ts";
import { TRIGGER_FAULTS, type TriggerFaultName } from "./faults.ts";
import { Ledger } from "./ledger.ts";
import { WatchedTrigger } from "./watched-trigger.ts";

const START = Date.UTC(2030, 0, 1, 9, 5);
const TRACE_LENGTH = 60;

/** No world has more to do. */
const MAX_STEPS = 60_000;

/** Messages that no dispatcher could take come again a few times. */
const REDELIVERIES = 3;

interface Message {
  readonly trigger_id: string;
  readonly dedupe_key: string;
}

interface Listed {
  readonly trigger_id: string;
  readonly row: EventRow;
  readonly seq: number;
}

interface WatchedCircuit {
  readonly host: ObjectHost<HostedCircuit>;
  readonly model: CircuitModel;
}

export interface TriggerWorldOptions {
  readonly seed: number;
  readonly variant?: TriggerClass;
  readonly without?: ReadonlySet<TriggerFaultName>;
}

const batchOf =
  (take: (body: never) => Promise<void> | void) =>
  async (messages: readonly { readonly body: unknown }[]): Promise<void> => {
    await Promise.all(messages.map(({ body }) => take(body as never)));
  };

/** Everything around some triggers: clock, queue, circuits, handlers, faults, and the eyes that watch them. */
export class TriggerWorld implements Platform {
  readonly scheduler = new Scheduler(START);
  readonly random: Random;
  readonly faults: Faults<TriggerFaultName>;
  readonly triggers: WatchedTrigger[] = [];
  readonly circuits = new Map<string, WatchedCircuit>();
  readonly ledger: Ledger;
  readonly queue: Queue;
  readonly mortals = new Set<Process>();
  /** The newest row of each event that the list was told of. */
  readonly list = new Map<string, Listed>();
  readonly counters = {
    alarms_set: 0,
    dispatchers: 0,
    deliveries: 0,
    duplicates: 0,
    stale: 0,
    refused: 0,
    runs: 0,
    questions: 0,
    late_reports: 0,
    answers_of_people: 0,
    cancelled: 0,
    replayed: 0,
    retried_letters: 0,
    discarded_letters: 0,
    configured: 0,
    probes: 0,
    openings: 0,
    most_permits: 0,
    redelivered: 0,
    restarts: 0,
    ms_set_back: 0,
  };
  hasEnded = false;
  violation: unknown = null;
  /** When an object reported a fault last. */
  reportedAt = -Infinity;
  /** Queues lose everything when the machine is switched off, as on the local server. */
  readonly queuesForget: boolean;
  readonly #trace: string[] = [];
  readonly #downUntil = new Map<string, number>();
  #offset = 0;
  #boot = 0;

  constructor({ seed, variant = Trigger as unknown as TriggerClass, without = new Set() }: TriggerWorldOptions) {
    this.random = Random.named(seed, "world");
    this.faults = new Faults(seed, without, TRIGGER_FAULTS);
    this.queuesForget = this.random.chance(0.3);
    this.ledger = new Ledger(this);
    this.queue = new Queue(this, "dispatch", true, (message) => this.#consume(message as never, REDELIVERIES));
    const count = this.random.int(1, 3);
    const env = (caller: Caller, isAlive: () => boolean): Env => this.#env(caller, isAlive);
    for (let index = 1; index <= count; index += 1) {
      const rules = randomRules(this.random);
      this.triggers.push(new WatchedTrigger(this, { id: `trigger-${index}`, rules, variant, env }));
    }
  }

  trigger(id: string): WatchedTrigger {
    const found = this.triggers.find((one) => one.id === id);
    if (found === undefined) throw new Violation("stray fault", `there is no trigger ${id}`);
    return found;
  }

  circuit(destination: string): WatchedCircuit {
    const known = this.circuits.get(destination);
    if (known !== undefined) return known;
    const watch = { diskSeq: () => 0, entered: () => {} };
    const host = new ObjectHost<HostedCircuit>(this, {
      name: `circuit of ${destination}`,
      variant: HostedCircuit,
      watch: () => watch,
      env: () => ({}) as Env,
    });
    const made = { host, model: new CircuitModel() };
    this.circuits.set(destination, made);
    return made;
  }

  clock(): number {
    return this.scheduler.now + this.#offset;
  }

  latency(): number {
    return this.random.int(1, 15);
  }

  spared(): number {
    return this.faults.hits("later_commit") ? 1 : 0;
  }

  setClock(by: number): void {
    this.trace(`the clock jumps by ${by} ms`);
    this.#offset += by;
    if (by < 0) this.counters.ms_set_back -= by;
    for (const { host } of this.triggers) host.clockJumped();
  }

  /** Whether everything that a destination is asked for fails just now. */
  isDown(target: string): boolean {
    return (this.#downUntil.get(target) ?? 0) > this.scheduler.now;
  }

  /** Takes down what was called lately. */
  outage(ms: number): void {
    for (const destination of this.circuits.keys())
      this.#downUntil.set(destination.slice(destination.indexOf(":") + 1), this.scheduler.now + ms);
  }

  /** The list of events takes what is newer. */
  listed(triggerId: string, row: EventRow, seq: number): void {
    const known = this.list.get(row.event_id);
    if (row.replay_of === null && seq > (known?.seq ?? 0))
      this.list.set(row.event_id, { trigger_id: triggerId, row, seq });
  }

  /** The machine is switched off and on again. */
  restart(): void {
    this.counters.restarts += 1;
    for (const process of this.mortals) process.kill();
    for (const { host } of this.triggers) host.reset("restarted");
    for (const { host } of this.circuits.values()) host.reset("restarted");
    if (this.queuesForget) this.#boot += 1;
    this.scheduler.after(500, () => {
      for (const { host } of this.triggers) host.enter("recover", (object) => object.recover());
    });
  }

  readonly trace = (line: string): void => {
    this.#trace.push(`${String(this.scheduler.now - START).padStart(8)} ${line}`);
  };

  get history(): readonly string[] {
    return this.#trace;
  }

  get lastEvents(): readonly string[] {
    return this.#trace.slice(-TRACE_LENGTH);
  }

  readonly stray = (fault: unknown): void => {
    this.violation ??=
      fault instanceof Violation
        ? fault
        : new Violation("stray fault", fault instanceof Error ? String(fault.stack) : "?");
  };

  /** Runs steps until something is true, or until a moment of simulated time; says whether it was true. */
  async runUntil(isTrue: () => boolean, until: number): Promise<boolean> {
    let steps = 0;
    while (!isTrue()) {
      if ((steps += 1) > MAX_STEPS)
        throw new Violation("liveness", `it goes on without an end: ${this.lastEvents.slice(-6).join("; ")}`);
      if (this.scheduler.now >= until || !(await this.scheduler.step())) return isTrue();
      if (this.violation !== null) throw this.violation;
      for (const { host } of this.triggers) host.scheduleAlarm();
    }
    return true;
  }

  #env(_caller: Caller, isAlive: () => boolean): Env {
    const env = {
      ...(this.queuesForget ? { GODWIT_QUEUES: "memory" } : {}),
      DISPATCH_QUEUE: {
        sendBatch: batchOf((body: Message) => this.queue.send({ boot: this.#boot, body }, isAlive)),
      },
      INDEX_QUEUE: {
        sendBatch: batchOf(({ event, seq }: { readonly event: EventRow; readonly seq: number }) => {
          this.listed(event.trigger_id, event, seq);
        }),
      },
    };
    return env as unknown as Env;
  }

  #consume(message: { readonly boot: number; readonly body: Message }, left: number): void {
    const { boot, body } = message;
    if (boot !== this.#boot && this.queuesForget) return;
    const { trigger_id, dedupe_key: key } = body;
    startDispatcher(this, { trigger: this.trigger(trigger_id), key }, () => {
      if (left === 0) return;
      this.counters.redelivered += 1;
      this.scheduler.after(this.random.int(1_000, 10_000), () => this.#consume(message, left - 1));
    });
  }
}

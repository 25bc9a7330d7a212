import type { DispatchMessage } from "../../../durable-objects/shell/trigger-messages.ts";
import type { TriggerShell } from "../../../durable-objects/shell/trigger-shell.ts";
import { dispatchEvent, type DispatchPorts } from "../../../src/driver/dispatch.ts";
import { storedDefinition } from "../../../src/engine/trigger/binding.ts";
import type { EventReply } from "../../../src/engine/trigger/event.ts";
import type { NormalisedEvent } from "../../../src/schema/trigger.ts";
import { shardFor } from "../../../src/http/trigger-shards.ts";
import { Scheduler } from "../../sim/scheduler.ts";
import { definition, NOON, opened } from "../../unit/trigger/fixture.ts";
import { Random } from "../random.ts";
import type { IntakePlan, IntakeProof } from "./plan.ts";
import { gateFaults, leftovers } from "./faults.ts";
import { resetFault, shown, TriggerHost } from "./trigger-host.ts";
import { RunLedger, type WorkflowCall } from "./run-ledger.ts";

const GATES = 8;

const FOREVER = new Promise<never>(() => undefined);

const unused = (): never => {
  throw new Error("nobody asks for this");
};

/** Longer than any wait of an event that is still under way. */
const PATIENCE_MS = 6 * 3_600_000;

interface Taken {
  readonly answer: ReturnType<TriggerShell["accept"]>;
  readonly rows: number;
}

type Receipt = Extract<EventReply, { readonly type: "receipt" }>;

const deliveryOf = (number: number): NormalisedEvent => {
  const raw = { action: "opened", issue: { number }, gate: `gate-${number % GATES}` };
  return { ...opened, dedupe_key: `delivery-${number}`, provider_payload: { ...opened.provider_payload, raw } };
};

/** Deliveries, a trigger that crashes, a queue that forgets, and the runs that come of it: everything by the seed. */
export class Intake {
  readonly #plan: IntakePlan;
  readonly #random: Random;
  readonly #scheduler = new Scheduler(NOON);
  /** The trigger, and its shards where it has several. */
  readonly #host: TriggerHost;
  readonly #shards: readonly TriggerHost[];
  readonly #startedAt = new Map<string, number[]>();
  readonly #ledger = new RunLedger();
  /** The first receipt of each key, as a sender saw it. */
  readonly #receipts = new Map<string, string>();
  /** When each key was delivered first. */
  readonly #deliveredAt = new Map<string, number>();
  /** Keys that were answered as new. */
  readonly #claimed = new Set<string>();
  readonly #faults: string[] = [];
  readonly #costs: number[] = [];
  #keys = 0;
  #sent = 0;
  #answered = 0;
  #redelivered = 0;
  #duplicateRows = 0;
  #slowest = 0;
  #crashes = 0;
  #isFalling = false;
  #skipped = 0;
  #dispatches = 0;
  /** A crash takes the queue with it, and every second time the consumers too. */
  #queue = 0;
  #consumers = 0;

  constructor(plan: IntakePlan) {
    this.#plan = plan;
    this.#random = new Random(plan.seed);
    this.#host = this.#newHost(0);
    const { shards = 1 } = plan;
    this.#shards = shards === 1 ? [] : Array.from({ length: shards }, (_, index) => this.#newHost(index + 1));
  }

  #newHost(number: number): TriggerHost {
    const { seed, queues_forget } = this.#plan;
    const surroundings = {
      scheduler: this.#scheduler,
      random: Random.named(seed, number === 0 ? "host" : `host ${number}`),
      queuesForget: queues_forget,
      number,
    };
    const host: TriggerHost = new TriggerHost(surroundings, {
      send: (messages) => {
        for (const message of messages) this.#enqueue(message);
      },
      left: (ticket) => this.#host.call((shell) => shell.coordinator.leave(ticket)),
      crashed: () => this.#crashed(host),
    });
    return host;
  }

  /** The objects of a local server are of one process: they go together. */
  #crashed(host: TriggerHost): void {
    if (this.#isFalling) return;
    this.#isFalling = true;
    this.#crashes += 1;
    this.#queue += 1;
    if (this.#plan.queues_forget || this.#random.chance(0.5)) this.#consumers += 1;
    if (this.#plan.queues_forget) for (const other of this.#hosts) if (other !== host) other.crash();
    this.#isFalling = false;
  }

  get #hosts(): readonly TriggerHost[] {
    return [this.#host, ...this.#shards];
  }

  /** The object that a delivery belongs to. */
  #holder(key: string): TriggerHost {
    const event = { ...opened, dedupe_key: key };
    const shard = shardFor({ shards: Math.max(1, this.#shards.length) }, event);
    return shard === null ? this.#host : (this.#shards[shard] as TriggerHost);
  }

  /** Delivers everything, waits until nothing is left to do, and looks at what there is. */
  async play(): Promise<IntakeProof> {
    const { state, ...rest } = definition({
      match: {},
      ...this.#plan.change,
      ...(this.#shards.length === 0 ? {} : { shards: this.#shards.length }),
    });
    const configured = this.#host.shell.configure({
      type: "configure",
      trigger_id: "hub",
      definition: storedDefinition({ ...rest, state }),
    });
    if (!configured.ok) throw new Error(JSON.stringify(configured.rejection));
    for (const [index, shard] of this.#shards.entries()) {
      const copy = this.#host.shell.copyFor(index, "default");
      if (copy !== null) shard.shell.adopt(copy);
    }
    const rows = (): number => this.#hosts.reduce((sum, { storage }) => sum + storage.rows, 0);
    const before = rows();
    this.#arrive();
    let quietAt = Infinity;
    while (await this.#scheduler.step()) {
      if (this.#answered < this.#plan.deliveries) continue;
      quietAt = Math.min(quietAt, this.#scheduler.now);
      if (this.#scheduler.now > quietAt + PATIENCE_MS) break;
    }
    return this.#proof(rows() - before);
  }

  #arrive(): void {
    const { deliveries } = this.#plan;
    if (this.#sent === deliveries) return;
    const number = this.#nextNumber();
    this.#send(number);
    // The same delivery twice at once, as a sender does that has lost patience.
    if (this.#sent < deliveries && this.#random.chance(this.#plan.duplicates / 3)) this.#send(number);
    this.#scheduler.after(this.#random.int(0, 40), () => this.#arrive());
  }

  #send(number: number): void {
    this.#sent += 1;
    this.#deliver(number);
    if (this.#random.chance(1 / this.#plan.crash_every))
      this.#scheduler.after(this.#random.int(0, 60), () => this.#doom());
  }

  /** A new key, or one that came before: mostly one that is still under way. */
  #nextNumber(): number {
    const { duplicates } = this.#plan;
    // Of all duplicates a part comes together with its first.
    const share = (duplicates - duplicates / 3) / (1 - duplicates / 3 + 1e-9);
    if (this.#keys === 0 || !this.#random.chance(share)) return this.#keys++;
    const isRecent = this.#random.chance(0.5);
    return this.#random.int(isRecent ? Math.max(0, this.#keys - 20) : 0, this.#keys - 1);
  }

  #doom(): void {
    const way = this.#random.int(0, 3);
    const host = this.#shards.length === 0 ? this.#host : this.#random.pick(this.#hosts);
    if (way === 0) host.crash();
    else if (way === 1) host.storage.doom({ at: "commit" });
    else if (way === 2) host.storage.doom({ at: "after_commit" });
    else host.storage.doom({ at: "write", left: this.#random.int(0, 12) });
  }

  #deliver(number: number): void {
    const event = deliveryOf(number);
    const host = this.#holder(event.dedupe_key);
    const { storage } = host;
    this.#deliveredAt.set(event.dedupe_key, this.#deliveredAt.get(event.dedupe_key) ?? this.#scheduler.now);
    const call = host.call((shell) => {
      // An instance that is new looks after the alarm first.
      void shell.binding.state;
      const before = storage.rows;
      const answer = shell.accept({ tenant: "default", version: 1, event, trace_id: `trace_${number}` });
      return { answer, rows: storage.rows - before };
    });
    void this.#hear(number, event.dedupe_key, call);
  }

  /** A sender that gets no answer delivers again. */
  async #hear(number: number, key: string, call: Promise<Taken>): Promise<void> {
    try {
      const { answer, rows } = await call;
      if (answer === "stale" || !answer.ok) this.#faults.push(`delivery ${number}: ${JSON.stringify(answer)}`);
      else this.#answer(key, answer.reply.reply as Receipt, rows);
    } catch {
      this.#redelivered += 1;
      this.#scheduler.after(this.#random.int(10, 400), () => this.#deliver(number));
    }
  }

  #answer(key: string, { receipt, event_id, duplicate }: Receipt, rows: number): void {
    this.#answered += 1;
    const seen = `${receipt} ${event_id}`;
    const first = this.#receipts.get(key) ?? seen;
    this.#receipts.set(key, first);
    if (first !== seen) this.#faults.push(`${key} has two receipts: ${first} and ${seen}`);
    if (duplicate) {
      this.#duplicateRows = Math.max(this.#duplicateRows, rows);
      return;
    }
    if (this.#claimed.has(key)) this.#faults.push(`${key} was taken in twice`);
    this.#claimed.add(key);
    this.#costs.push(rows);
  }

  /** Messages come late, in any order and sometimes twice. */
  #enqueue(message: DispatchMessage): void {
    for (let copies = this.#random.chance(0.05) ? 2 : 1; copies > 0; copies -= 1) {
      const delay = this.#random.chance(0.03) ? this.#random.int(500, 15_000) : this.#random.int(1, 60);
      const queue = this.#queue;
      this.#scheduler.after(delay, () => {
        if (queue === this.#queue) this.#consume(message);
      });
    }
  }

  #consume(message: DispatchMessage): void {
    this.#dispatches += 1;
    void this.#dispatch(message, this.#queue);
  }

  /** A message whose consumer meets a fault comes again. */
  async #dispatch(message: DispatchMessage, queue: number): Promise<void> {
    const { dedupe_key: key, shard } = message;
    const host = shard === undefined ? this.#host : (this.#shards[shard] as TriggerHost);
    try {
      const answer = await dispatchEvent(this.#ports(host), key);
      if (!answer.ok) this.#faults.push(`${key}: ${answer.rejection.detail}`);
    } catch {
      this.#scheduler.after(this.#random.int(50, 2_000), () => {
        if (queue === this.#queue) this.#consume(message);
      });
    }
  }

  /** Of a consumer: nothing comes back to one that has died. */
  async #alive<T>(work: Promise<T>): Promise<T> {
    const consumers = this.#consumers;
    try {
      return await work;
    } finally {
      if (consumers !== this.#consumers) await FOREVER;
    }
  }

  #ports(host: TriggerHost): DispatchPorts {
    return {
      now: () => this.#scheduler.now,
      trigger: () => ({
        dispatch: (key, given) => this.#alive(host.call((shell) => shown(shell.dispatch(key, given)))),
        settle: (key, report) => this.#alive(host.call((shell) => shown(shell.settle(key, report)))),
      }),
      coordinate: (ticket, record, judgement) =>
        this.#alive(this.#host.call((shell) => shell.coordinator.coordinate(ticket, record, judgement))),
      circuit: () => ({
        allow: () => Promise.resolve({ allowed: true, probe: false }) as never,
        report: unused,
      }),
      startRun: (call) => this.#alive(this.#startRun(call)),
      perform: unused,
      askModel: unused,
      cancelRun: unused,
      changed: () => undefined,
    };
  }

  #startRun(call: WorkflowCall): ReturnType<DispatchPorts["startRun"]> {
    return new Promise((resolve, reject) => {
      this.#scheduler.after(this.#random.int(1, 10), () => {
        const way = this.#random.int(0, 199);
        const failed = { type: "failed", class: "infrastructure", code: "unavailable", retryable: true } as const;
        if (way === 0) return resolve({ ...failed, detail: "the run could not be reached" });
        const { raw } = call.event.provider_payload as { readonly raw: { readonly gate: string } };
        const { isNew, report } = this.#ledger.start(call, raw.gate);
        const waited = this.#scheduler.now - (this.#deliveredAt.get(call.run.dispatch.dedupe_key) ?? 0);
        if (isNew) {
          this.#slowest = Math.max(this.#slowest, waited);
          this.#startedAt.set(raw.gate, [...(this.#startedAt.get(raw.gate) ?? []), this.#scheduler.now]);
        }
        if (isNew && report.type === "running") this.#scheduler.after(this.#random.int(5, 120), () => this.#end(call));
        if (way === 1) return resolve({ ...failed, detail: "the run's answer was lost" });
        if (way === 2) return reject(resetFault());
        this.#scheduler.after(this.#random.int(1, 10), () => resolve(report));
      });
    });
  }

  /** The run tells its trigger that it is over until the trigger has heard it. */
  #end(call: WorkflowCall): void {
    this.#ledger.end(call.run.run_id);
    const { dispatch_id, dedupe_key } = call.run.dispatch;
    const report = { dispatch_id, attempt: call.attempt, outcome: { type: "succeeded", result: null } as const };
    const tell = (): void => {
      const told = this.#holder(dedupe_key).call((shell) => shell.settle(dedupe_key, report));
      told.catch(() => this.#scheduler.after(this.#random.int(100, 2_000), tell));
    };
    tell();
  }

  #look(): void {
    const { each } = this.#plan;
    for (const [key, seen] of this.#receipts) {
      const record = this.#holder(key).shell.latest(key)?.record;
      if (record === undefined) this.#faults.push(`${key} was answered and is lost`);
      else if (each !== undefined && record.status === "skipped") this.#skipped += 1;
      else if (record.status !== "dispatched" || !this.#ledger.runs.has(record.run_id ?? ""))
        this.#faults.push(`${key} is ${record.status} with run ${record.run_id}`);
      else if (`${record.receipt} ${record.event.id}` !== seen) this.#faults.push(`${key} has another receipt now`);
    }
    for (const { storage } of this.#hosts) this.#faults.push(...leftovers(storage.disk));
    this.#faults.push(...gateFaults(this.#startedAt, this.#plan));
  }

  #proof(rows: number): IntakeProof {
    this.#look();
    const keys = this.#keys;
    const { runs, most, repeated, faults } = this.#ledger;
    const found = [...this.#faults, ...faults];
    if (runs.size + this.#skipped !== keys) found.push(`${runs.size} runs for ${keys} keys`);
    if (most > (this.#plan.at_once ?? Infinity)) found.push(`${most} runs of a gate at the same time`);
    if (this.#receipts.size !== keys) found.push(`${this.#receipts.size} keys of ${keys} have a receipt`);
    if (this.#duplicateRows > 0) found.push(`a duplicate wrote ${this.#duplicateRows} rows`);
    const sum = this.#costs.reduce((total, cost) => total + cost, 0);
    return {
      deliveries: this.#answered,
      keys,
      runs: runs.size,
      crashes: this.#crashes,
      redelivered: this.#redelivered,
      dispatches: this.#dispatches,
      repeated_starts: repeated,
      most_at_once: most,
      rows: {
        accept_mean: Number((sum / this.#costs.length).toFixed(3)),
        accept_max: Math.max(0, ...new Set(this.#costs)),
        duplicate_max: this.#duplicateRows,
      },
      rows_per_event: Number((rows / keys).toFixed(3)),
      slowest_ms: this.#slowest,
      faults: found,
    };
  }
}

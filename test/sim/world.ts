import type { CreateRun, RunIndexRow } from "../../src/engine/run/command.ts";
import { Random } from "../support/random.ts";
import { Checker, Violation } from "./checker.ts";
import { type FaultName, Faults } from "./faults.ts";
import { ObjectHost } from "./host.ts";
import type { Process } from "./process.ts";
import { Queue } from "./queue.ts";
import type { RunClass } from "./real-object.ts";
import { Scheduler } from "./scheduler.ts";

const START = Date.UTC(2030, 0, 1);

const TRACE_LENGTH = 60;

interface DriveMessage {
  readonly attempt_token?: string;
}

interface IndexMessage {
  readonly seq: number;
  readonly run: RunIndexRow;
}

interface Queues {
  readonly drive: Queue;
  readonly index: Queue;
  /** The row that lists show, and the commit it comes from. */
  row: RunIndexRow | null;
  rowSeq: number;
}

export interface WorldOptions {
  readonly seed: number;
  readonly variant: RunClass;
  readonly without: ReadonlySet<FaultName>;
}

/** Everything around one run: clock, queues, network, faults, and the eye that watches it. */
export class World {
  readonly scheduler = new Scheduler(START);
  readonly random: Random;
  readonly faults: Faults;
  readonly host: ObjectHost;
  readonly checker: Checker;
  readonly queues: Queues;
  readonly counters = {
    alarms_set: 0,
    ms_set_back: 0,
    drivers: 0,
    drivers_failed: 0,
    executions: 0,
    handovers: 0,
    executed_twice: 0,
    refused_completions: 0,
    late_completions_refused: 0,
  };
  /** Processes that may die. */
  readonly mortals = new Set<Process>();
  readonly executions = new Map<string, number>();
  /** True once a hand-over came twice: two drivers then hold one attempt. */
  sharedAttempt = false;
  hasEnded = false;
  /** A fault nobody was to see; ends the simulation. */
  violation: unknown = null;
  create: CreateRun | null = null;
  onDrive: (attemptToken: string | undefined) => void = () => {};
  readonly #trace: string[] = [];
  readonly #start = START;
  #offset = 0;

  constructor({ seed, variant, without }: WorldOptions) {
    this.random = Random.named(seed, "world");
    this.faults = new Faults(seed, without);
    this.host = new ObjectHost(this, variant);
    this.checker = new Checker(this);
    this.queues = {
      drive: new Queue(this, "drive", true, (message, isDuplicate) =>
        this.#drive(message as DriveMessage, isDuplicate),
      ),
      index: new Queue(this, "index", false, (message) => this.#index(message as IndexMessage)),
      row: null,
      rowSeq: 0,
    };
  }

  /** What the object's clock shows. */
  clock(): number {
    return this.scheduler.now + this.#offset;
  }

  setClock(by: number): void {
    this.trace(`the clock jumps by ${by} ms`);
    this.#offset += by;
    if (by < 0) this.counters.ms_set_back -= by;
    this.host.clockJumped();
  }

  latency(): number {
    return this.random.int(1, 15);
  }

  readonly trace = (line: string): void => {
    this.#trace.push(`${String(this.scheduler.now - this.#start).padStart(8)} ${line}`);
  };

  get history(): readonly string[] {
    return this.#trace;
  }

  get lastEvents(): readonly string[] {
    return this.#trace.slice(-TRACE_LENGTH);
  }

  /** A fault that came out where nothing catches it. */
  readonly stray = (fault: unknown): void => {
    this.violation ??=
      fault instanceof Violation ? fault : new Violation("stray fault", fault instanceof Error ? fault.message : "?");
  };

  /** Runs steps until something is true, or until a moment of simulated time; says whether it was true. */
  async runUntil(isTrue: () => boolean, until: number): Promise<boolean> {
    while (!isTrue()) {
      if (this.scheduler.now >= until || !(await this.scheduler.step())) return isTrue();
      if (this.violation !== null) throw this.violation;
      this.host.scheduleAlarm();
      this.checker.check();
    }
    return true;
  }

  /** Counts an execution; an attempt is executed once unless its hand-over came twice. */
  executing(stageId: string, token: string): void {
    this.counters.executions += 1;
    const times = (this.executions.get(token) ?? 0) + 1;
    this.executions.set(token, times);
    if (times === 1) return;
    this.counters.executed_twice += 1;
    if (!this.sharedAttempt) this.stray(new Violation("execution", `an attempt of ${stageId} was executed twice`));
  }

  /** The newest commit that the lists show or will show. */
  get shownSeq(): number {
    return Math.max(0, ...this.queues.index.accepted.map((message) => (message as IndexMessage).seq));
  }

  #drive(message: DriveMessage, isDuplicate: boolean): void {
    if (isDuplicate && message.attempt_token !== undefined) this.sharedAttempt = true;
    this.onDrive(message.attempt_token);
  }

  #index(message: IndexMessage): void {
    if (message.seq <= this.queues.rowSeq) return;
    this.queues.rowSeq = message.seq;
    this.queues.row = message.run;
  }
}

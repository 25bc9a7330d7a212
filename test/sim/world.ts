import type { HitlEvent } from "../../src/engine/hitl/state.ts";
import type { RequestIndexRow } from "../../src/engine/run/request-view.ts";
import type { RunIndexRow } from "../../src/engine/run/command.ts";
import { Random } from "../support/random.ts";
import type { Checker } from "./checker.ts";
import { FAULTS, type FaultName, Faults } from "./faults.ts";
import { type Caller, ObjectHost } from "./host.ts";
import { MailboxChecker } from "./mailbox-checker.ts";
import type { Process } from "./process.ts";
import { Queue } from "./queue.ts";
import { Mailbox, type MailboxClass, type MailboxObject, type RunClass, type RunObject } from "./real-object.ts";
import { Scheduler } from "./scheduler.ts";
import { Violation } from "./violation.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import type { StagePlan } from "../../src/schema/plan.ts";
import { randomResult } from "./graph.ts";
import { WatchedRun, type WatchedRunOptions } from "./watched-run.ts";

const START = Date.UTC(2030, 0, 1);

const TRACE_LENGTH = 60;

interface DriveMessage {
  readonly run_id: string;
  readonly attempt_token?: string;
}

interface IndexMessage {
  readonly seq: number;
  readonly run?: RunIndexRow;
  readonly request?: RequestIndexRow;
}

interface Queues {
  readonly drive: Queue;
  readonly index: Queue;
}

export interface WorldOptions {
  readonly seed: number;
  readonly variant: RunClass;
  readonly mailbox?: MailboxClass;
  readonly without: ReadonlySet<FaultName>;
}

/** Everything around a run and those that are made from it: clock, queues, network, faults, and the eyes that watch them. */
export class World {
  readonly scheduler = new Scheduler(START);
  readonly random: Random;
  readonly faults: Faults;
  /** The run that everything begins with, then those made from it. */
  readonly runs: WatchedRun[] = [];
  /** How many runs are still to be made. */
  expected = 0;
  /** What is looked at once all runs are over. */
  readonly atEnd: (() => void)[] = [];
  readonly mailbox: ObjectHost<MailboxObject>;
  readonly mailboxChecker: MailboxChecker;
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
    recruited: 0,
    losers_refused: 0,
    steps_recorded: 0,
    parked_loops: 0,
    signals: 0,
    heard: 0,
    returned: 0,
    timed_out: 0,
    branches: 0,
    deferred: 0,
    slept: 0,
    most_open: 0,
    pages_read: 0,
  };
  /** What has happened to requests to people, counted. */
  readonly asked: Record<HitlEvent["type"], number> = {
    requested: 0,
    responded: 0,
    approved: 0,
    denied: 0,
    timed_out: 0,
    cancelled: 0,
    executed: 0,
  };
  /** Processes that may die. */
  readonly mortals = new Set<Process>();
  readonly executions = new Map<string, number>();
  /** True once a hand-over came twice: two drivers then hold one attempt. */
  sharedAttempt = false;
  hasEnded = false;
  /** A fault nobody was to see; ends the simulation. */
  violation: unknown = null;
  /** What executing a plan of a run comes to. */
  resultOf: (plan: StagePlan, run: WatchedRun) => JsonObject = () => randomResult(this.random);
  onDrive: (run: WatchedRun, attemptToken: string | undefined) => void = () => {};
  readonly #trace: string[] = [];
  readonly #start = START;
  #offset = 0;

  constructor({ seed, variant, mailbox = Mailbox, without }: WorldOptions) {
    this.random = Random.named(seed, "world");
    this.faults = new Faults(seed, without, FAULTS);
    const env = (caller: Caller, isAlive: () => boolean): Env => this.#env(caller, isAlive);
    this.addRun({ id: "run-1", name: "object", variant });
    this.mailbox = new ObjectHost(this, { name: "mailbox", variant: mailbox, watch: () => this.mailboxChecker, env });
    this.mailboxChecker = new MailboxChecker(this);
    this.queues = {
      drive: new Queue(this, "drive", true, (message, isDuplicate) =>
        this.#drive(message as DriveMessage, isDuplicate),
      ),
      index: new Queue(this, "index", false, (message) => this.#index(message as IndexMessage)),
    };
  }

  /** Another run, which is not created yet. */
  addRun(run: Pick<WatchedRunOptions, "id" | "name" | "variant" | "is_replay">): WatchedRun {
    const env = (caller: Caller, isAlive: () => boolean): Env => this.#env(caller, isAlive);
    const added = new WatchedRun(this, { ...run, env });
    this.runs.push(added);
    return added;
  }

  /** The run that everything begins with. */
  get first(): WatchedRun {
    return this.runs[0] as WatchedRun;
  }

  get host(): ObjectHost<RunObject> {
    return this.first.host;
  }

  get checker(): Checker {
    return this.first.checker;
  }

  #runOf(id: string): WatchedRun {
    const found = this.runs.find((run) => run.id === id);
    if (found === undefined) throw new Violation("stray fault", `there is no run ${id}`);
    return found;
  }

  /** The stage that has heard a message, in whichever run. */
  heardBy(seq: number): string | undefined {
    return this.runs.map(({ checker }) => checker.units.heard.get(seq)).find((stage) => stage !== undefined);
  }

  /** What the object's clock shows. */
  clock(): number {
    return this.scheduler.now + this.#offset;
  }

  setClock(by: number): void {
    this.trace(`the clock jumps by ${by} ms`);
    this.#offset += by;
    if (by < 0) this.counters.ms_set_back -= by;
    for (const { host } of this.runs) host.clockJumped();
    this.mailbox.clockJumped();
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
      for (const { host } of this.runs) host.scheduleAlarm();
      this.mailbox.scheduleAlarm();
      for (const { checker } of this.runs) checker.check();
      this.mailboxChecker.check();
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

  /** The newest commit of a run that the lists show or will show. */
  shownSeq(runId: string): number {
    const messages = this.queues.index.accepted as readonly IndexMessage[];
    return messages.reduce((newest, { run, seq }) => (run?.run_id === runId ? Math.max(newest, seq) : newest), 0);
  }

  /** What the scheduled watchdog does: it wakes a run and does not look whether that worked. */
  wake(run: WatchedRun): void {
    run.host.enter("wake", (object) => object.request({ type: "wake" }));
  }

  /** What the local server does after its process was killed: it tells the objects that whoever they knew is dead. */
  recover(): void {
    for (const { host } of this.runs) host.enter("recover", (object) => object.recover());
    this.mailbox.enter("recover", (object) => object.recover());
  }

  /** The environment of an instance: queues that forget what a dead one sends, and stubs of the other object. */
  #env(caller: Caller, isAlive: () => boolean): Env {
    const { queues, mailbox } = this;
    const env = {
      DRIVE_QUEUE: { send: (message: unknown) => queues.drive.send(message, isAlive) },
      INDEX_QUEUE: { send: (message: unknown) => queues.index.send(message, isAlive) },
      WORKFLOW_RUN: {
        getByName: (name: string) => {
          const { host } = this.#runOf(name.slice(name.indexOf("/") + 1));
          const { epoch } = host;
          return {
            hear: (heard: Parameters<RunObject["hear"]>[0]) =>
              host.call(caller, epoch, "hear", (object) => object.hear(heard)),
          };
        },
      },
      MAILBOX: {
        getByName: (name: string) => {
          const { epoch } = mailbox;
          if (!name.endsWith("/wf")) throw new Violation("stray fault", `there is no mailbox ${name}`);
          return {
            request: (...given: Parameters<MailboxObject["request"]>) =>
              mailbox.call(caller, epoch, given[1].type, (object) => object.request(...given)),
          };
        },
      },
    };
    return env as unknown as Env;
  }

  #drive(message: DriveMessage, isDuplicate: boolean): void {
    if (isDuplicate && message.attempt_token !== undefined) this.sharedAttempt = true;
    this.onDrive(this.#runOf(message.run_id), message.attempt_token);
  }

  #index(message: IndexMessage): void {
    const { request } = message;
    if (request !== undefined) {
      const { requests } = this.#runOf(request.run_id);
      // What has settled never opens again.
      if (requests.get(request.request_id) === undefined || request.status !== "open")
        requests.set(request.request_id, request.status);
    }
    if (message.run === undefined) return;
    const run = this.#runOf(message.run.run_id);
    if (message.seq <= run.rowSeq) return;
    run.rowSeq = message.seq;
    run.row = message.run;
  }
}

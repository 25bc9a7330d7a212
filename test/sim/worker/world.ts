import { MemoryDatabase } from "../../support/memory-database.ts";
import { Random } from "../../support/random.ts";
import { Faults } from "../faults.ts";
import type { Caller, ObjectHost } from "../host.ts";
import type { Platform } from "../platform.ts";
import type { Process } from "../process.ts";
import { Queue } from "../queue.ts";
import {
  AgentWorker,
  type HostedObject,
  type RunClass,
  type WorkerClass,
  WorkflowRun as RunObject,
} from "../real-object.ts";
import { Scheduler } from "../scheduler.ts";
import { Violation } from "../violation.ts";
import { type DriveOrder, startConsumer } from "./drivers.ts";
import { WORKER_FAULTS, type WorkerFaultName } from "./faults.ts";
import { WatchedRun } from "./watched-run.ts";
import { WatchedWorker } from "./watched-worker.ts";

/** Nothing is written to it: no tenant has a webhook. */
const DATABASE = new MemoryDatabase().d1;

const START = Date.UTC(2030, 0, 1);
const TRACE_LENGTH = 80;

/** No world has more to do. */
const MAX_STEPS = 80_000;

/** How a world of workers is made. */
export interface WorkerWorldOptions {
  readonly seed: number;
  readonly run?: RunClass;
  readonly worker?: WorkerClass;
  readonly without?: ReadonlySet<WorkerFaultName>;
}

interface Listed {
  readonly seq: number;
  readonly status: string;
}

interface IndexMessage {
  readonly seq: number;
  readonly worker?: { readonly worker_id: string; readonly status: string };
  readonly run?: { readonly run_id: string; readonly status: string };
}

/** Everything around some runs and workers: clock, queues, network, faults, and the eyes that watch them. */
export class WorkerWorld implements Platform {
  readonly scheduler = new Scheduler(START);
  readonly random: Random;
  readonly faults: Faults<WorkerFaultName>;
  readonly runs = new Map<string, WatchedRun>();
  readonly workers = new Map<string, WatchedWorker>();
  readonly drive: Queue;
  readonly index: Queue;
  readonly mortals = new Set<Process>();
  /** The name of the run of each cycle, by worker and number. */
  readonly cycles = new Map<string, string>();
  /** The newest row of each run and worker that the lists were told of. */
  readonly list = new Map<string, Listed>();
  /** Steps of agents that were taken, with whoever took them last. */
  readonly taken = new Map<string, { readonly process: Process; readonly token: string }>();
  /** How many calls objects got from each other and from processes. */
  requests = 0;
  /** Since when nothing goes wrong any more; null before. */
  calmAt: number | null = null;
  /** Workers that somebody owes an end, with who does. */
  readonly owed = new Map<string, string>();
  /** How many calls of people are under way. */
  underWay = 0;
  readonly counters = {
    alarms_set: 0,
    drivers: 0,
    executions: 0,
    cycles: 0,
    spawned: 0,
    born_parked: 0,
    suspended: 0,
    rested: 0,
    captured: 0,
    resumed: 0,
    double_resumes: 0,
    expired: 0,
    inputs: 0,
    triggered: 0,
    closed: 0,
    stopped: 0,
    stale_reports: 0,
    cancelled_runs: 0,
    steps_recorded: 0,
    steps_rested: 0,
    tools_used: 0,
    tools_refused: 0,
    restarts: 0,
  };
  hasEnded = false;
  violation: unknown = null;
  readonly #trace: string[] = [];
  readonly #options: WorkerWorldOptions;

  constructor(options: WorkerWorldOptions) {
    const { seed, without = new Set() } = options;
    this.#options = options;
    this.random = Random.named(seed, "world");
    this.faults = new Faults(seed, without, WORKER_FAULTS);
    this.drive = new Queue(this, "drive", true, (message) => startConsumer(this, message as DriveOrder));
    this.index = new Queue(this, "index", false, (message) => this.#listed(message as IndexMessage));
  }

  /** The run of an id, created or not. */
  run(id: string): WatchedRun {
    const known = this.runs.get(id);
    if (known !== undefined) return known;
    const { run: variant = RunObject as unknown as RunClass } = this.#options;
    const made = new WatchedRun(this, { id, name: `run-${this.runs.size + 1}`, variant });
    this.runs.set(id, made);
    return made;
  }

  /** The worker of an id, spawned or not. */
  worker(id: string): WatchedWorker {
    const known = this.workers.get(id);
    if (known !== undefined) return known;
    const { worker: variant = AgentWorker as unknown as WorkerClass } = this.#options;
    const made = new WatchedWorker(this, { id, name: `worker-${this.workers.size + 1}`, variant });
    this.workers.set(id, made);
    return made;
  }

  /** Somebody has ended who does not leave this worker behind (A4). */
  owe(workerId: string, by: string): void {
    const { state } = this.worker(workerId);
    if (state?.status !== "cancelled") this.owed.set(workerId, by);
  }

  hosts(): readonly ObjectHost<HostedObject>[] {
    return [...this.runs.values(), ...this.workers.values()].map(({ host }) => host as never);
  }

  clock(): number {
    return this.scheduler.now;
  }

  latency(): number {
    return this.random.int(1, 15);
  }

  /** The machine is switched off and on again. */
  restart(): void {
    this.counters.restarts += 1;
    for (const process of this.mortals) process.kill();
    for (const host of this.hosts()) host.reset("restarted");
    this.scheduler.after(500, () => {
      for (const host of this.hosts()) host.enter("recover", (object) => object.recover());
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
      fault instanceof Violation ? fault : new Violation("stray fault", String((fault as Error).stack ?? fault));
  };

  /** Runs steps until something is true, or until a moment of simulated time; says whether it was true. */
  async runUntil(isTrue: () => boolean, until: number): Promise<boolean> {
    let steps = 0;
    while (!isTrue()) {
      if ((steps += 1) > MAX_STEPS)
        throw new Violation("liveness", `it goes on without an end: ${this.lastEvents.slice(-6).join("; ")}`);
      if (this.scheduler.now >= until || !(await this.scheduler.step())) return isTrue();
      if (this.violation !== null) throw this.violation;
      for (const host of this.hosts()) host.scheduleAlarm();
    }
    return true;
  }

  /** The environment of an instance, or of a process: queues that forget what a dead one sends, and stubs of objects. */
  env(caller: Caller, isAlive: () => boolean): Env {
    const env = {
      DB: DATABASE,
      DRIVE_QUEUE: { send: (message: unknown) => this.drive.send(message, isAlive) },
      INDEX_QUEUE: { send: (message: unknown) => this.index.send(message, isAlive) },
      WORKFLOW_RUN: { getByName: (name: string) => this.#stubOf(this.run(idIn(name)).host as never, caller) },
      AGENT_WORKER: { getByName: (name: string) => this.#stubOf(this.worker(idIn(name)).host as never, caller) },
    };
    return env as unknown as Env;
  }

  #stubOf(host: ObjectHost<HostedObject>, caller: Caller): Methods {
    return stubOf(host, caller, () => {
      this.requests += 1;
    });
  }

  #listed({ seq, worker, run }: IndexMessage): void {
    const id = worker?.worker_id ?? run?.run_id ?? "";
    const status = worker?.status ?? run?.status ?? "";
    if (seq > (this.list.get(id)?.seq ?? 0)) this.list.set(id, { seq, status });
  }
}

const idIn = (name: string): string => name.slice(name.indexOf("/") + 1);

type Methods = Readonly<Record<string, (...given: readonly unknown[]) => unknown>>;

/** A stub of an object: every method is a call through the network, and it breaks with the instance it was made for. */
const stubOf = (host: ObjectHost<HostedObject>, caller: Caller, called: () => void): Methods => {
  const { epoch } = host;
  const call =
    (name: string) =>
    (...given: readonly unknown[]): unknown => {
      called();
      const { type } = (given[0] ?? {}) as { readonly type?: string };
      // Whoever is called gets a copy, as over the network.
      const copies = given.map((value) =>
        value === undefined ? value : (JSON.parse(JSON.stringify(value)) as unknown),
      );
      return host.call(caller, epoch, type ?? name, (object) => (object as unknown as Methods)[name]?.(...copies));
    };
  return new Proxy({} as Methods, { get: (_, name) => call(String(name)) });
};

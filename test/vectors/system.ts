import { enrichRunRecord } from "../../src/engine/observe/enrich.ts";
import type { CreateRun, RunControl } from "../../src/engine/run/command.ts";
import { NEW_SCHEDULER, type SchedulerState } from "../../src/engine/work-queue/scheduler.ts";
import type { Waitpoint } from "../../src/engine/hitl/waitpoint.ts";
import type { RunRecord } from "../../src/schema/record.ts";
import { Claims } from "./claim-object.ts";
import { Circuits } from "./circuits.ts";
import { VirtualClock } from "./clock.ts";
import { Dispatcher } from "./dispatcher.ts";
import { handlerPortsOf } from "./handler-ports.ts";
import { Crons } from "./cron-object.ts";
import { Requests } from "./hitl-object.ts";
import { Hooks } from "./hook-objects.ts";
import { LifecycleObject } from "./lifecycle-object.ts";
import { Inbox } from "./inbox.ts";
import { MailboxObject } from "./mailbox-object.ts";
import { OperationFailure } from "./operation.ts";
import { Queues } from "./queue-object.ts";
import { RemoteAgents } from "./remote-agents.ts";
import { RunObject } from "./run-object.ts";
import { ScriptedExecutor } from "./script.ts";
import { Triggers } from "./trigger-objects.ts";
import type { Values } from "./values.ts";
import { Workers } from "./worker-objects.ts";

/** Where a record is kept: with its run, or as a document that was stored by hand. */
type Kept = { readonly run: RunObject } | { readonly document: RunRecord };

/** Longer than any schedule of retries; what takes longer never ends. */
const LONGEST_MS = 7 * 86_400_000;

/** The whole system under test, empty at the start of each vector. */
export class System {
  readonly clock = new VirtualClock();
  readonly queues = new Queues(this.clock);
  readonly triggers = new Triggers(this.clock);
  readonly claims = new Claims(this.clock);
  readonly crons = new Crons(this.clock);
  readonly circuits = new Circuits(this.clock);
  readonly agents: RemoteAgents;
  /** For vectors that look at choosing alone. */
  scheduler: SchedulerState = NEW_SCHEDULER;
  readonly script: ScriptedExecutor;
  readonly hooks: Hooks;
  readonly dispatcher: Dispatcher;
  readonly inbox: Inbox;
  readonly lifecycle: LifecycleObject;
  readonly workers: Workers;
  readonly requests: Requests;
  /** Waitpoints that vectors make by themselves. */
  readonly waitpoints = new Map<string, Waitpoint>();
  readonly #runs: RunObject[] = [];
  /** Runs that carry out the cycles of workers, by id. */
  readonly #cycleRuns = new Map<string, RunObject>();
  readonly #mailboxes = new Map<string, MailboxObject>();
  readonly #records = new Map<string, Kept>();

  constructor(values: Values) {
    this.script = new ScriptedExecutor(values);
    this.agents = new RemoteAgents(values);
    this.hooks = new Hooks(this.clock, values);
    const { clock, circuits } = this;
    const isAgent = (authority: string): boolean => this.agents.authorities.includes(authority);
    this.dispatcher = new Dispatcher({ clock, circuits, handlers: () => handlerPortsOf(this), isAgent });
    this.inbox = new Inbox(clock, this.dispatcher);
    this.lifecycle = new LifecycleObject(clock, () => this.dispatcher.log);
    this.workers = new Workers({
      clock,
      script: this.script,
      findRun: (runId) => this.#cycleRuns.get(runId) ?? this.#runs.findLast(({ run }) => run.run_id === runId),
      runObject: (runId) => this.#cycleRun(runId),
      keepRun: (object) => this.#keepRun(object),
    });
    this.requests = new Requests({ clock, log: this.dispatcher.log });
  }

  /** Creates a run in an object of its own and keeps its record under its path. */
  createRun(command: CreateRun): { readonly object: RunObject; readonly control: RunControl } {
    const objectId = `${command.tenant}/${command.run_id}/${this.#runs.length}`;
    const object = new RunObject(this.clock, objectId, (...performed) => this.workers.perform(...performed));
    const reply = object.request(command);
    if (reply.type !== "created") throw new Error(`create_run was answered with ${reply.type}`);
    this.#runs.push(object);
    this.#keepRun(object);
    return { object, control: reply.control };
  }

  #keepRun(object: RunObject): void {
    this.#records.set(object.record("now").persisted_path ?? "", { run: object });
  }

  #cycleRun(runId: string): RunObject {
    const known = this.#cycleRuns.get(runId);
    const object =
      known ?? new RunObject(this.clock, `cycle/${runId}`, (...performed) => this.workers.perform(...performed));
    this.#cycleRuns.set(runId, object);
    return object;
  }

  get #objects(): readonly (RunObject | MailboxObject)[] {
    return [...this.#runs, ...this.#cycleRuns.values(), ...this.#mailboxes.values()];
  }

  get latestRun(): RunObject | undefined {
    return this.#runs.at(-1);
  }

  runByState(stateId: string): RunObject | undefined {
    return this.#runs.find((object) => object.run.state_id === stateId);
  }

  /** The mailbox of a workflow id; made when it is asked for first. */
  mailbox(workflowId: string): MailboxObject {
    const object = this.#mailboxes.get(workflowId) ?? new MailboxObject(this.clock, workflowId);
    this.#mailboxes.set(workflowId, object);
    return object;
  }

  /** Keeps a record under a path. */
  keepRecord(path: string, record: RunRecord): void {
    this.#records.set(path, { document: record });
  }

  /** The record under a path as it was last saved, complete in itself; null when there is none. */
  findRecord(path: string): RunRecord | null {
    const kept = this.#records.get(path);
    if (kept === undefined) return null;
    const saved = "run" in kept ? kept.run.record("last_checkpoint") : kept.document;
    return enrichRunRecord(saved, this.clock.context, { persistedPath: path });
  }

  loadRecord(path: string): RunRecord {
    const record = this.findRecord(path);
    if (record === null) throw new OperationFailure(`failed to read run record: there is none at ${path}`);
    return record;
  }

  /** Moves the clock forward; what is due on the way happens at its time. */
  async advance(ms: number): Promise<void> {
    const end = this.clock.now + ms;
    await this.advanceUntil(() => false, ms);
    this.clock.moveTo(end);
  }

  /** Lets virtual time pass until something is so, at most for so long; without a limit it has to come to be so. */
  async advanceUntil(isDone: () => boolean, limit: number | null = null): Promise<void> {
    const end = this.clock.now + (limit ?? LONGEST_MS);
    await this.dispatcher.settle();
    while (!isDone()) {
      const at = this.#nextAt;
      if (at === null || at > end) {
        if (limit === null) throw new Error("what is waited for does not come");
        this.clock.moveTo(end);
        return;
      }
      this.clock.moveTo(at);
      this.dispatcher.wake();
      this.crons.wake();
      await this.workers.wake();
      this.requests.wake();
      await this.dispatcher.settle();
    }
  }

  /** The value of a promise that takes virtual time. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    const done = promise.finally(() => {
      isDone = true;
    });
    await this.advanceUntil(() => isDone);
    return done;
  }

  get #nextAt(): number | null {
    const parts = [this.dispatcher, this.crons, this.workers, this.requests];
    const times = parts.map(({ nextAt }) => nextAt).filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Throws away all that is only in memory. */
  restart(): void {
    for (const object of this.#objects) object.restart();
    for (const group of [
      this.queues,
      this.triggers,
      this.claims,
      this.crons,
      this.dispatcher,
      this.inbox,
      this.lifecycle,
      this.workers,
      this.requests,
    ])
      group.restart();
  }

  close(): void {
    for (const object of this.#objects) object.close();
    for (const group of [
      this.queues,
      this.triggers,
      this.claims,
      this.crons,
      this.circuits,
      this.hooks,
      this.dispatcher,
      this.lifecycle,
      this.workers,
      this.requests,
    ])
      group.close();
  }
}

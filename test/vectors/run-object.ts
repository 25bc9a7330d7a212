import { RUN } from "../../durable-objects/migrations/journaled.ts";
import { drainOutbox } from "../../durable-objects/shell/drain.ts";
import { LeaseWatch } from "../../durable-objects/shell/lease-watch.ts";
import type { RunShell } from "../../durable-objects/projections/run-record.ts";
import { carriedOut } from "../../durable-objects/shell/run-workers.ts";
import { MachineShell } from "../../durable-objects/shell/machine-shell.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import { advanceAnswer, stepAnswer } from "../../src/engine/run/answers.ts";
import type { CreateRun, RunCommand, RunEffect, RunReply } from "../../src/engine/run/command.ts";
import { runHead } from "../../src/engine/run/head.ts";
import { runMachine } from "../../src/engine/run/machine.ts";
import { projectRun, type ProjectUntil } from "../../src/engine/run/project.ts";
import type { Run } from "../../src/engine/run/state.ts";
import { nextWake } from "../../src/engine/run/wake.ts";
import type { RunRecord } from "../../src/schema/record.ts";
import type { DrivenRun } from "../../src/driver/drive.ts";
import type { Answer } from "../../src/engine/machine.ts";
import type { VirtualClock } from "./clock.ts";
import { OperationFailure } from "./operation.ts";

/** A command without what only the object knows. */
/** Of a command to a run, what its caller says. */
export type RunRequest = RunCommand extends infer C ? (C extends RunCommand ? Omit<C, "live_attempts"> : never) : never;

/** Performs an effect of a run that reaches beyond its object. */
export type PerformRunEffect = (object: RunObject, effect: RunEffect) => Promise<void>;

const raise = (fault: unknown): never => {
  throw fault;
};

const replyOf = (answer: Answer<RunReply>): RunReply => {
  if (!answer.ok) throw new OperationFailure(answer.rejection.detail);
  if (answer.reply.type === "raised") throw new OperationFailure(answer.reply.detail);
  return answer.reply;
};

/** One run's object: the product's machine in its shell on its storage, with virtual time in place of the platform's. */
export class RunObject {
  readonly #clock: VirtualClock;
  readonly #store = sqliteStore();
  readonly #objectId: string;
  readonly #perform: PerformRunEffect;
  #shell: RunShell;
  #ordered = false;
  #settling = false;
  #lease: LeaseWatch;

  constructor(clock: VirtualClock, objectId: string, perform: PerformRunEffect) {
    this.#clock = clock;
    this.#perform = perform;
    this.#objectId = objectId;
    this.#lease = new LeaseWatch(clock.now);
    this.#shell = this.#load();
  }

  /** Throws away everything in memory; what is stored is loaded again. */
  restart(): void {
    this.#shell = this.#load();
    this.#lease = new LeaseWatch(this.#clock.now);
    if (this.#shell.quarantine !== null) throw new Error(`a run did not survive a restart: ${this.#shell.quarantine}`);
  }

  get run(): Run {
    const { state } = this.#shell;
    if (state === null) throw new Error("the run was never created");
    return state;
  }

  /** Gives a command; throws an `OperationFailure` where it is refused or raises. */
  request(request: RunRequest): RunReply {
    return replyOf(this.#execute(request));
  }

  /** The run as a driver sees it. */
  readonly driven: DrivenRun = {
    advance: async (request) => advanceAnswer(this.#execute({ type: "advance", ...request })),
    recordStep: async (step) => stepAnswer(this.#execute({ type: "record_step", ...step })),
    showText: async () => false,
    renew: async (tokens) => {
      const wanted = this.run.open.filter((unit) => tokens.includes(unit.attempt_token));
      const expires = wanted.map((unit) => this.#lease.renew(unit, this.#clock.now));
      const lost = tokens.filter((token) => !wanted.some((unit) => unit.attempt_token === token));
      return { ok: true, reply: { lost, lease_expires_at_ms: Math.max(0, ...expires) } };
    },
  };

  /** The product's shell, for what reaches beyond the object. */
  get shell(): RunShell {
    return this.#shell;
  }

  /** Gives a command from beyond the object, and performs what it leads to; a refusal is a value. */
  async tell(request: RunRequest): Promise<Answer<RunReply>> {
    const answer = this.#execute(request);
    await this.settle();
    return answer;
  }

  /** Creates the run of a worker's cycle in this object, or goes on with the one that it is. */
  carryOut(request: CreateRun): Answer<RunReply> {
    return this.#execute(carriedOut(this.#shell, request, this.#clock.context));
  }

  /** Lets time pass until the object's alarm goes off, and says whether that ordered a driver. */
  async nextAlarm(): Promise<boolean> {
    const at = this.#store.alarmAt();
    if (at === null) throw new Error("nothing would ever wake the run");
    this.#clock.moveTo(at);
    this.#shell.alarmFired();
    replyOf(this.#execute({ type: "wake" }));
    return this.drain();
  }

  /** Performs what the outbox holds, and says whether a driver was ordered since that was last asked. */
  async drain(): Promise<boolean> {
    await this.settle();
    const ordered = this.#ordered;
    this.#ordered = false;
    return ordered;
  }

  /** Performs what the outbox holds; at most once at a time, as effects can lead to further ones. */
  async settle(): Promise<void> {
    if (this.#settling) return;
    this.#settling = true;
    const perform = async (effect: RunEffect): Promise<void> => {
      if (effect.type === "drive") this.#ordered = true;
      else await this.#perform(this, effect);
    };
    await drainOutbox(this.#store, perform, () => this.#clock.now, raise);
    this.#settling = false;
    this.#shell.rearm(this.#clock.now);
  }

  /** The run's record as it is, or as its newest checkpoint saw it. */
  record(until: ProjectUntil): RunRecord {
    const record = projectRun(this.#shell.entries(), this.#clock.context, until);
    if (record === null) throw new Error("the run has no record");
    return record;
  }

  close(): void {
    this.#store.close();
  }

  #execute(request: RunRequest): Answer<RunReply> {
    const answer = this.#shell.execute({ ...request, live_attempts: this.#liveAttempts() } as RunCommand);
    if (!answer.ok) return answer;
    const { reply } = answer;
    const plan = reply.type === "plan" ? reply.plan : "advance" in reply ? (reply.advance?.next ?? null) : null;
    const unit = this.#shell.state?.open.find((open) => open.attempt_token === plan?.attempt_token);
    if (unit !== undefined) this.#lease.renew(unit, this.#clock.now);
    return answer;
  }

  #liveAttempts(): readonly string[] {
    const open = this.#shell.state?.open ?? [];
    return open.filter((unit) => this.#lease.expiresAt(unit) > this.#clock.now).map((unit) => unit.attempt_token);
  }

  #load(): RunShell {
    return new MachineShell(
      {
        machine: runMachine,
        store: this.#store,
        migrations: RUN,
        reducerVersion: 1,
        headOf: runHead,
        isDerived: (effect) => effect.type === "index_run",
        wakeAt: (state, now) => nextWake(state, (unit) => this.#lease.expiresAt(unit), now),
        context: () => this.#clock.context,
        objectId: this.#objectId,
      },
      () => {},
    );
  }
}

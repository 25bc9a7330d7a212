import { RUN } from "../../durable-objects/migrations/journaled.ts";
import { drainOutbox } from "../../durable-objects/shell/drain.ts";
import { LeaseWatch } from "../../durable-objects/shell/lease-watch.ts";
import { MachineShell } from "../../durable-objects/shell/machine-shell.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import type { RunCommand, RunEffect, RunReply } from "../../src/engine/run/command.ts";
import type { RunEvent } from "../../src/engine/run/event.ts";
import { runHead } from "../../src/engine/run/head.ts";
import { runMachine } from "../../src/engine/run/machine.ts";
import { projectRun, type ProjectUntil } from "../../src/engine/run/project.ts";
import type { Run, RunState } from "../../src/engine/run/state.ts";
import { nextWake } from "../../src/engine/run/wake.ts";
import type { RunRecord } from "../../src/schema/record.ts";
import type { DrivenRun } from "../../src/driver/drive.ts";
import { type Answer, reject } from "../../src/engine/machine.ts";
import type { VirtualClock } from "./clock.ts";
import { OperationFailure } from "./operation.ts";

/** A command without what only the object knows. */
type RunRequest = RunCommand extends infer C ? (C extends RunCommand ? Omit<C, "live_attempts"> : never) : never;

type Shell = MachineShell<RunState, RunCommand, RunEvent, RunEffect, RunReply>;

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
  #shell: Shell;
  #lease: LeaseWatch;

  constructor(clock: VirtualClock, objectId: string) {
    this.#clock = clock;
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
    advance: async (request) => {
      const answer = this.#execute({ type: "advance", ...request });
      if (!answer.ok) return answer;
      return answer.reply.type === "advance"
        ? { ok: true, reply: answer.reply.advance }
        : reject("internal_error", "no step");
    },
    recordStep: async (step) => {
      const answer = this.#execute({ type: "record_step", ...step });
      return answer.ok ? { ok: true, reply: null } : answer;
    },
    showText: async () => false,
    renew: async (tokens) => {
      const wanted = this.run.open.filter((unit) => tokens.includes(unit.attempt_token));
      const expires = wanted.map((unit) => this.#lease.renew(unit, this.#clock.now));
      const lost = tokens.filter((token) => !wanted.some((unit) => unit.attempt_token === token));
      return { ok: true, reply: { lost, lease_expires_at_ms: Math.max(0, ...expires) } };
    },
  };

  /** Lets time pass until the object's alarm goes off, and says whether that ordered a driver. */
  async nextAlarm(): Promise<boolean> {
    const at = this.#store.alarmAt();
    if (at === null) throw new Error("nothing would ever wake the run");
    this.#clock.moveTo(at);
    this.#shell.alarmFired();
    replyOf(this.#execute({ type: "wake" }));
    let ordered = false;
    const perform = async (effect: RunEffect): Promise<void> => {
      if (effect.type === "drive") ordered = true;
    };
    await drainOutbox(this.#store, perform, () => this.#clock.now, raise);
    this.#shell.rearm(this.#clock.now);
    return ordered;
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
    const plan = reply.type === "plan" ? reply.plan : reply.type === "advance" ? reply.advance.next : null;
    const unit = this.#shell.state?.open.find((open) => open.attempt_token === plan?.attempt_token);
    if (unit !== undefined) this.#lease.renew(unit, this.#clock.now);
    return answer;
  }

  #liveAttempts(): readonly string[] {
    const open = this.#shell.state?.open ?? [];
    return open.filter((unit) => this.#lease.expiresAt(unit) > this.#clock.now).map((unit) => unit.attempt_token);
  }

  #load(): Shell {
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

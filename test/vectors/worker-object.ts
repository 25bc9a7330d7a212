import { RUN } from "../../durable-objects/migrations/journaled.ts";
import { allUpdates, type WorkerShell } from "../../durable-objects/projections/worker-updates.ts";
import { ParentNews } from "../../durable-objects/shell/parent-news.ts";
import type { PlacedUpdate } from "../../src/engine/worker/updates.ts";
import { drainOutbox } from "../../durable-objects/shell/drain.ts";
import { MachineShell } from "../../durable-objects/shell/machine-shell.ts";
import { performWorkerEffect } from "../../durable-objects/shell/worker-effects.ts";
import type { WorkerPorts } from "../../durable-objects/shell/worker-ports.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import type { Answer } from "../../src/engine/machine.ts";
import type { WorkerCommand, WorkerEffect, WorkerReply } from "../../src/engine/worker/command.ts";
import { workerMachine } from "../../src/engine/worker/machine.ts";
import { nextWorkerWake } from "../../src/engine/worker/resume.ts";
import type { Worker, WorkerState } from "../../src/engine/worker/state.ts";
import { workerHead } from "../../src/engine/worker/view.ts";
import type { VirtualClock } from "./clock.ts";

const raise = (fault: unknown): never => {
  throw fault;
};

/** What surrounds a worker's object. */
export interface WorkerSurroundings {
  readonly clock: VirtualClock;
  readonly ports: WorkerPorts;
  /** Called after each commit. */
  readonly committed: (worker: Worker) => void;
}

/** One worker's object: the product's machine in its shell on its storage, with virtual time in place of the platform's. */
export class WorkerObject {
  readonly #around: WorkerSurroundings;
  readonly #store = sqliteStore();
  readonly #shell: WorkerShell;
  readonly #news = new ParentNews();
  #draining = false;

  constructor(around: WorkerSurroundings, objectId: string) {
    this.#around = around;
    this.#shell = new MachineShell(
      {
        machine: workerMachine,
        store: this.#store,
        migrations: RUN,
        reducerVersion: 1,
        headOf: workerHead,
        isDerived: (effect) => effect.type === "index_worker",
        wakeAt: nextWorkerWake,
        context: () => around.clock.context,
        objectId,
      },
      () => around.committed(this.worker),
    );
  }

  get worker(): Worker {
    const { state } = this;
    if (state === null) throw new Error("the worker was never made");
    return state;
  }

  get state(): WorkerState {
    return this.#shell.state;
  }

  get updates(): readonly PlacedUpdate[] {
    return allUpdates(this.#shell);
  }

  /** When the alarm is to go off that ends a suspension; null for never. */
  get nextAt(): number | null {
    return this.#shell.state?.status === "suspended" ? this.#store.alarmAt() : null;
  }

  /** Gives a command and performs what that leads to. */
  async request(command: WorkerCommand): Promise<Answer<WorkerReply>> {
    const answer = this.#shell.execute(command);
    await this.#drain();
    return answer;
  }

  async wake(): Promise<void> {
    this.#shell.alarmFired();
    await this.request({ type: "wake" });
    this.#shell.rearm(this.#around.clock.now);
  }

  close(): void {
    this.#store.close();
  }

  /** Performs what the outbox holds; at most once at a time, as effects can lead to further ones. */
  async #drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    const { ports, clock } = this.#around;
    const tell = (told: WorkerCommand): Promise<unknown> => this.request(told);
    await drainOutbox<WorkerEffect>(
      this.#store,
      (effect) => performWorkerEffect(ports, { shell: this.#shell, news: this.#news, tell }, effect),
      () => clock.now,
      raise,
    );
    this.#draining = false;
  }
}

import { closeWorker, reportCycle, reportRest, spawnWorker } from "../../durable-objects/shell/run-workers.ts";
import type { WorkerPorts } from "../../durable-objects/shell/worker-ports.ts";
import { reject } from "../../src/engine/machine.ts";
import type { RunEffect } from "../../src/engine/run/command.ts";
import { cycleEnd } from "../../src/engine/worker/cycle-result.ts";
import { DELEGATED_NODE, orderedCycle } from "../../src/engine/worker/cycle-run.ts";
import { unknownWorker } from "../../src/engine/worker/machine.ts";
import { snapshotOf } from "../../src/engine/worker/snapshot.ts";
import type { Worker } from "../../src/engine/worker/state.ts";
import type { Executor } from "../../src/ports/executor.ts";
import { beginCycle, type CyclePorts } from "../../src/queue/begin-cycle.ts";
import type { VirtualClock } from "./clock.ts";
import type { RunObject } from "./run-object.ts";
import { walk } from "./walk.ts";
import { WorkerObject } from "./worker-object.ts";

/** Whose workers they are. */
export const TENANT = "default";

/** What workers need of the rest of the system. */
export interface WorkerHost {
  readonly clock: VirtualClock;
  readonly script: Executor;
  /** The run with an id; undefined where there is none. */
  readonly findRun: (runId: string) => RunObject | undefined;
  /** The object for a run with an id; it is made where there is none. */
  readonly runObject: (runId: string) => RunObject;
  /** A run was carried out: its record can be found from now on. */
  readonly keepRun: (object: RunObject) => void;
}

/** All workers of a system: their objects, the orders to start their cycles, and their snapshots by path. */
export class Workers {
  readonly #host: WorkerHost;
  readonly #objects = new Map<string, WorkerObject>();
  readonly #ordered = new Set<string>();
  /** Workers whose newest cycle nobody has waited for. */
  readonly #watched = new Set<string>();
  /** Snapshots by the path they were written to. */
  readonly snapshots = new Map<string, string>();
  readonly #ports: WorkerPorts;
  #made = 0;

  constructor(host: WorkerHost) {
    this.#host = host;
    this.#ports = {
      run: (runId) => ({
        request: async (request) =>
          (await host.findRun(runId)?.tell(request)) ?? reject("run_not_found", "there is no such run"),
      }),
      worker: (workerId) => ({
        request: (command) => this.object(workerId).request(command),
        cycleEnded: (cycle, facts) => {
          const object = this.object(workerId);
          return object.request(cycleEnd(object.state, cycle, facts));
        },
      }),
      orderCycle: async (workerId) => void this.#ordered.add(workerId),
      orderListening: async () => {},
      webhook: async () => null,
      index: async () => {},
      context: () => host.clock.context,
    };
  }

  /** Every worker, in the order in which they were made. */
  get all(): readonly WorkerObject[] {
    return [...this.#objects.values()].filter(({ state }) => state !== null);
  }

  /** A worker that exists. */
  find(workerId: string): WorkerObject | null {
    const object = this.#objects.get(workerId);
    return object === undefined || object.state === null ? null : object;
  }

  /** The object of a worker id; made when it is asked for first. */
  object(workerId: string): WorkerObject {
    const known = this.#objects.get(workerId);
    if (known !== undefined) return known;
    this.#made += 1;
    const { clock } = this.#host;
    const around = { clock, ports: this.#ports, committed: (worker: Worker) => this.#export(worker) };
    const object = new WorkerObject(around, `worker/${workerId}/${this.#made}`);
    this.#objects.set(workerId, object);
    return object;
  }

  /** Forgets a worker, as a process that ends does. */
  forget(workerId: string): void {
    this.#objects.get(workerId)?.close();
    this.#objects.delete(workerId);
    this.#ordered.delete(workerId);
    this.#watched.delete(workerId);
  }

  /** A cycle of a worker is to be waited for. */
  watch(workerId: string): void {
    this.#watched.add(workerId);
  }

  /** Nobody has to wait for the cycle any more; says whether that was so before. */
  unwatch(workerId: string): boolean {
    return this.#watched.delete(workerId);
  }

  /** Performs an effect of a run that is about workers; every other one has nobody here. */
  readonly perform = async (object: RunObject, effect: RunEffect): Promise<void> => {
    const { run, shell } = object;
    if (effect.type === "spawn_worker")
      await spawnWorker(this.#ports, { run, tell: (request) => object.tell(request) }, effect);
    else if (effect.type === "close_worker") await closeWorker(this.#ports, effect.worker_id);
    else if (effect.type === "report_rest") await reportRest(this.#ports, shell, effect);
    else if (effect.type === "report_end" && "worker_id" in effect.to)
      await reportCycle(this.#ports, shell, { to: effect.to, end: effect.end });
  };

  /** Starts the cycle of a worker, if it is ordered, and drives its run. */
  async carryOut(workerId: string): Promise<void> {
    if (!this.#ordered.delete(workerId)) return;
    const begun = await beginCycle(this.#cyclePorts(workerId), { tenant: TENANT, worker_id: workerId });
    if (begun === null) return;
    const object = this.#host.runObject(begun.run_id);
    this.#host.keepRun(object);
    await this.walk(object, { executor: this.#executor(this.object(workerId).worker), first: begun.first });
  }

  /** Walks a run as far as it goes, and with it the workers that its stages wait for. */
  readonly walk = (object: RunObject, how: Pick<Parameters<typeof walk>[1], "executor" | "first">) =>
    walk(object, { ...how, clock: this.#host.clock, settle: () => this.#carryOutFor(object) });

  async #carryOutFor({ run }: RunObject): Promise<void> {
    for (const workerId of this.#ordered)
      if (this.object(workerId).state?.parent?.run_id === run.run_id) await this.carryOut(workerId);
  }

  #cyclePorts(workerId: string): CyclePorts {
    const object = this.object(workerId);
    return {
      worker: { orderedCycle: async () => orderedCycle(object.state), request: (command) => object.request(command) },
      run: (runId) => ({ carryOut: async (request) => this.#host.runObject(runId).carryOut(request) }),
      surroundings: async ({ options }) => ({ options }),
    };
  }

  /** What vectors script for a delegated stage has the name of the stage's own node. */
  #executor({ parent }: Worker): Executor {
    const { script } = this.#host;
    if (parent === null) return script;
    const own = parent.node_id;
    return {
      execute: (plan, signal, journal) =>
        script.execute(plan.node_id === DELEGATED_NODE ? { ...plan, node_id: own } : plan, signal, journal),
    };
  }

  /** Writes the snapshot down wherever one is due (spec/workers 12.3). */
  #export(worker: Worker): void {
    if (worker.carry_policy.persist_state || worker.status === "suspended")
      this.snapshots.set(worker.snapshot_path, JSON.stringify(snapshotOf(worker)));
  }

  /** When the first of them wants to be woken; null for never. */
  get nextAt(): number | null {
    const times = this.all.flatMap(({ nextAt }) => (nextAt === null ? [] : [nextAt]));
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Wakes those whose time has come. */
  async wake(): Promise<void> {
    const { now } = this.#host.clock;
    for (const object of this.all) if (object.nextAt !== null && object.nextAt <= now) await object.wake();
  }

  /** Throws away what is only in memory, which is every worker; snapshots and runs stay. */
  restart(): void {
    for (const workerId of this.#objects.keys()) this.forget(workerId);
  }

  close(): void {
    this.restart();
  }
}

/** Refuses what is said to a worker that is not there. */
export const unknown = (workerId: string): string => unknownWorker(workerId).rejection.detail;

// What holds for a worker, whatever goes wrong. Everything is read from the disks of the objects.
//
// A1  A running worker whose run is not known has an alarm that orders it again.
// A2  A cycle has one run, which is created once.
// A3  A stage that was given to a worker is completed once, with what this worker came to, and never again.
// A4  The workers of a run that is over have ended, and so have their runs and their children.
// A5  While a worker rests, nothing of its run is executed.
// A6  A step that is recorded is not taken again.
// A7  Of several who resume a suspension one does.
// A8  What an earlier cycle reports changes nothing.
// A9  A terminal status is left by an input, a close or a stop.
// A10 Nothing executes a tool that the root of its tree may not use.
// A11 The stage that waits is told once.

import type { WorkerEvent } from "../../../src/engine/worker/event.ts";
import { evolve } from "../../../src/engine/worker/evolve.ts";
import type { Worker, WorkerState } from "../../../src/engine/worker/state.ts";
import { isTerminal, lacksRun } from "../../../src/engine/worker/status.ts";
import { workerHead } from "../../../src/engine/worker/view.ts";
import { ObjectHost } from "../host.ts";
import type { WorkerClass, WorkerObject } from "../real-object.ts";
import { JournalWatch } from "./journal-watch.ts";
import type { WorkerWorld } from "./world.ts";

/** What may happen to a worker that has ended. */
const AFTER_THE_END: ReadonlySet<WorkerEvent["type"]> = new Set([
  "parent_told",
  "task_given",
  "child_adopted",
  "worker_closed",
  "worker_stopped",
]);

/** One worker of a world: its object and the eye that watches it. */
export class WatchedWorker {
  readonly world: WorkerWorld;
  readonly id: string;
  readonly name: string;
  readonly host: ObjectHost<WorkerObject>;
  readonly watch: JournalWatch<WorkerState, WorkerEvent>;
  /** Tools that whoever asked for it allows; null where nobody says so. */
  ceiling: readonly string[] | null = null;
  /** How it stood when its parent was told. */
  toldAs: Worker | null = null;
  /** How often each suspension, by its moment, was ended by somebody. */
  readonly resumedBy = new Map<string, number>();

  constructor(
    world: WorkerWorld,
    given: { readonly id: string; readonly name: string; readonly variant: WorkerClass },
  ) {
    const { id, name, variant } = given;
    [this.world, this.id, this.name] = [world, id, name];
    this.host = new ObjectHost(world, {
      name,
      variant,
      watch: () => this.watch,
      env: (caller, isAlive) => world.env(caller, isAlive),
    });
    this.watch = new JournalWatch<WorkerState, WorkerEvent>(world, {
      name,
      host: () => this.host as never,
      evolve,
      headOf: workerHead,
      initial: null,
      happened: (event, before, after) => this.#happened(event, before, after),
      latestAlarm: (state, latest) => this.#latestAlarm(state, latest),
    });
  }

  /** The worker as its journal says. */
  get state(): WorkerState {
    return this.watch.state;
  }

  /** Whether nothing goes on by itself any more. */
  get isOver(): boolean {
    const { state } = this;
    return state === null || isTerminal(state.status) || state.status === "awaiting";
  }

  #latestAlarm(worker: WorkerState, latest: number): number | null {
    if (worker === null) return null;
    if (lacksRun(worker)) return latest;
    const { suspension, resume_at_ms: due } = worker;
    if (worker.status !== "suspended" || due === null) return null;
    const fails = suspension?.conditions?.timeout?.on_timeout === "fail";
    return suspension?.quiesced_at == null && !fails ? null : Math.max(due, latest);
  }

  /** Its children end with it (A4). */
  #owes(event: WorkerEvent, after: WorkerState): void {
    const { world, id, name } = this;
    if (after?.status === "cancelled") world.owed.delete(id);
    const isLate = event.type === "child_adopted" && (after?.status === "cancelled" || after?.status === "stopped");
    if (isLate) world.owe(event.worker_id, name);
    if (event.type !== "worker_closed" && event.type !== "worker_stopped") return;
    for (const child of after?.children ?? []) world.owe(child, name);
  }

  #happened(event: WorkerEvent, before: WorkerState, after: WorkerState): void {
    const { counters } = this.world;
    if (before !== null && isTerminal(before.status) && !AFTER_THE_END.has(event.type))
      this.watch.fail("A9 sticky", `${event.type} after it has ${before.status}`);
    if (event.type === "parent_told") {
      if (this.toldAs !== null) this.watch.fail("A11 told once", "its stage is told again");
      this.toldAs = after;
    }
    this.#owes(event, after);
    if (event.type === "cycle_paused") counters.rested += 1;
    if (event.type === "cycle_captured") counters.captured += 1;
    if (event.type === "worker_suspended") counters.suspended += 1;
    if (event.type === "suspension_expired") counters.expired += 1;
    if (event.type !== "worker_resumed" || before?.suspension == null) return;
    counters.resumed += 1;
    if (before.suspension.quiesced_at === null) this.watch.fail("A7 resume", "it is resumed before it rests");
  }
}

import type { RunEvent } from "../../../src/engine/run/event.ts";
import { evolve } from "../../../src/engine/run/evolve.ts";
import { runHead } from "../../../src/engine/run/head.ts";
import { isTerminal, type Run, type RunState } from "../../../src/engine/run/state.ts";
import { isTerminal as isTerminalWorker } from "../../../src/engine/worker/status.ts";
import { ObjectHost } from "../host.ts";
import type { RunClass, RunObject } from "../real-object.ts";
import { latestAlarm } from "../wake-up.ts";
import { JournalWatch } from "./journal-watch.ts";
import type { WorkerWorld } from "./world.ts";

/** One run of a world: its object and the eye that watches it. */
export class WatchedRun {
  readonly world: WorkerWorld;
  readonly id: string;
  readonly name: string;
  readonly host: ObjectHost<RunObject>;
  readonly watch: JournalWatch<RunState, RunEvent>;
  /** Workers that its stages were given to, by the id of the stage. */
  readonly delegated = new Map<string, string>();
  /** With what the stages of workers were completed. */
  readonly completed = new Map<string, Extract<RunEvent, { readonly type: "stage_completed" }>>();
  /** Tools that whoever asked for it allows. */
  ceiling: readonly string[] | null = null;

  constructor(world: WorkerWorld, given: { readonly id: string; readonly name: string; readonly variant: RunClass }) {
    const { id, name, variant } = given;
    [this.world, this.id, this.name] = [world, id, name];
    this.host = new ObjectHost(world, {
      name,
      variant,
      watch: () => this.watch,
      env: (caller, isAlive) => world.env(caller, isAlive),
    });
    this.watch = new JournalWatch<RunState, RunEvent>(world, {
      name,
      host: () => this.host as never,
      evolve,
      headOf: runHead,
      initial: null,
      happened: (event, before, after) => this.#happened(event, before, after),
      latestAlarm: (run, latest) => (run === null || run.status !== "running" ? null : latestAlarm(run, latest)),
    });
  }

  /** The run as its journal says. */
  get state(): RunState {
    return this.watch.state;
  }

  /** Whether it goes on no more: it has ended, or has used up its steps. */
  get isOver(): boolean {
    const { state } = this;
    if (state === null || isTerminal(state.status)) return true;
    return state.status === "paused" && state.suspended !== true;
  }

  #happened(event: RunEvent, before: RunState, after: RunState): void {
    if (event.type === "run_created") return this.#created(before, after);
    const isFinal = event.type === "checkpoint_taken" && event.reason === "finalize";
    // What its workers did is told also after its end.
    if (before !== null && isTerminal(before.status) && !isFinal && event.type !== "worker_update")
      this.watch.fail("I6 fencing", `${event.type} after the run has ${before.status}`);
    if (event.type === "attempt_ended" && event.reason === "suspended") this.world.counters.steps_rested += 1;
    if (event.type === "agent_step_recorded") this.world.counters.steps_recorded += 1;
    for (const unit of after?.open ?? [])
      if (unit.work.type === "delegate") this.delegated.set(unit.stage_id, unit.work.worker_id);
    if (event.type === "run_cancelled" || event.type === "run_failed") this.#owes(after);
    if (event.type !== "stage_completed") return;
    if (!this.delegated.has(event.stage_id)) return;
    if (this.completed.has(event.stage_id)) this.watch.fail("A3 stage", `${event.stage_id} is completed twice`);
    this.completed.set(event.stage_id, event);
  }

  /** Nobody works for a run that is over (A4). */
  #owes(run: RunState): void {
    for (const { work, settled } of run?.open ?? []) {
      if (work.type !== "delegate" || settled !== null) continue;
      const { state } = this.world.worker(work.worker_id);
      if (state === null || !isTerminalWorker(state.status)) this.world.owe(work.worker_id, this.name);
    }
  }

  #created(before: RunState, after: RunState): void {
    const to = (after as Run).report_to;
    if (to === null || !("worker_id" in to)) {
      if (before !== null) this.watch.fail("A2 one run", "it is created twice");
      return;
    }
    const cycle = `${to.worker_id}:${to.cycle}`;
    const known = this.world.cycles.get(cycle);
    if (known !== undefined) this.watch.fail("A2 one run", `cycle ${to.cycle} has the run ${known} already`);
    this.world.cycles.set(cycle, this.name);
    this.world.counters.cycles += 1;
  }
}

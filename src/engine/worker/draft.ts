import { rfc3339 } from "../../lib/time.ts";
import { type Context, type Decision, reject } from "../machine.ts";
import type { WorkerEffect, WorkerReply } from "./command.ts";
import { cycleRunId } from "./cycle-run.ts";
import type { WorkerEvent } from "./event.ts";
import { evolve } from "./evolve.ts";
import type { Worker, WorkerState } from "./state.ts";
import { isTerminal, lacksRun, liveRun } from "./status.ts";
import { summaryOf } from "./summary.ts";
import { updateNames } from "./updates.ts";

/** What a command to a worker leads to. */
export type WorkerDecision = Decision<WorkerEvent, WorkerEffect, WorkerReply, WorkerState>;

type Unstamped<E> = E extends WorkerEvent ? Omit<E, "at"> : never;

/** Refuses what the worker's state does not allow, with the exact text. */
export const refused = (detail: string): WorkerDecision => reject("invalid_transition", detail);

/** Refuses an input that is none, with the exact text. */
export const invalid = (detail: string): WorkerDecision => reject("invalid_request", detail);

/** A decision in the making: events are folded as they are emitted. It lives inside one call of `decide`. */
export class Draft {
  readonly context: Context;
  readonly effects: WorkerEffect[] = [];
  readonly at: string;
  readonly #before: WorkerState;
  readonly #events: WorkerEvent[] = [];
  #state: WorkerState;
  /** How many public events there are among those of this decision. */
  #updates = 0;

  constructor(state: WorkerState, context: Context) {
    this.#before = state;
    this.#state = state;
    this.context = context;
    this.at = rfc3339(context.now);
  }

  /** The worker as the events so far have made it; only for drafts of an existing worker. */
  get worker(): Worker {
    if (this.#state === null) throw new Error("a draft was used before its worker was made");
    return this.#state;
  }

  emit(event: Unstamped<WorkerEvent>): void {
    const stamped = { ...event, at: this.at } as WorkerEvent;
    this.#events.push(stamped);
    this.#updates += updateNames(stamped, this.#state).length;
    this.#state = evolve(this.#state, stamped);
  }

  /** Orders the run of the current cycle. */
  start(): void {
    this.effects.push({ type: "start_cycle", cycle: this.worker.cycle });
  }

  /** Ends a run that nobody wants any more; to be called before the worker has ended. */
  cancelRun(reason: string): void {
    const { worker } = this;
    // One that is not known may be there all the same: whoever was starting it may be gone before telling so.
    const runId = liveRun(worker) ?? (lacksRun(worker) ? cycleRunId(worker) : null);
    if (runId !== null) this.effects.push({ type: "cancel_run", run_id: runId, reason });
  }

  /** Gives up the trigger that would wake the worker; to be called before its suspension is over (W4). */
  unlisten(): void {
    const { suspension } = this.worker;
    const trigger = suspension?.auto_resume_trigger ?? null;
    if (suspension === null || trigger === null) return;
    this.effects.push({ type: "unlisten", trigger_id: trigger.id, conditions: suspension.conditions ?? {} });
  }

  /** Tells the parent's stage once what became of the worker (W6), and the list of workers where it stands. */
  decided(panic?: WorkerReply["panic"]): WorkerDecision {
    const { parent, parent_told: told, status } = this.worker;
    if (parent !== null && told !== true && isTerminal(status)) {
      this.emit({ type: "parent_told" });
      this.effects.push({ type: "report", to: parent });
    }
    // The report brings what is new with it.
    else if (parent !== null && this.#updates > 0) this.effects.push({ type: "tell_parent" });
    const { worker } = this;
    if (this.#before?.status !== worker.status || this.#before.cycle !== worker.cycle)
      this.effects.push({ type: "index_worker" });
    const summary = summaryOf(worker);
    const reply: WorkerReply = { type: "worker", summary, ...(panic === undefined ? {} : { panic }) };
    return { ok: true, events: this.#events, effects: this.effects, reply, state: worker };
  }
}

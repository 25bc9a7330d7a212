import { rfc3339 } from "../../lib/time.ts";
import type { Context } from "../machine.ts";
import type { RunEffect, RunIndexRow } from "./command.ts";
import type { RunEvent } from "./event.ts";
import { evolve } from "./evolve.ts";
import type { RequestIndexRow } from "./request-view.ts";
import { isTerminal, type Run, type RunState } from "./state.ts";
import { restedCycle } from "./suspend.ts";

/** An event without the stamp that the draft adds. */
type Unstamped<E> = E extends RunEvent ? Omit<E, "v" | "at"> : never;

/**
 * A decision in the making: events are folded in as they are emitted, so that the specification's operations can be
 * composed within one command. It lives inside one call of `decide` and is never stored.
 */
export class Draft {
  readonly context: Context;
  readonly events: RunEvent[] = [];
  readonly effects: RunEffect[] = [];
  readonly #at: string;
  readonly #wasOver: boolean;
  /** The cycle of its worker in which the run was at rest already. */
  readonly #restedIn: number | null;
  #lastId: string | null = null;
  #state: RunState;

  constructor(state: RunState, context: Context) {
    this.#state = state;
    this.#wasOver = state !== null && isTerminal(state.status);
    this.#restedIn = state === null ? null : restedCycle(state);
    this.#at = rfc3339(context.now);
    this.context = context;
  }

  /** The run as the events so far have made it; only for drafts of an existing run. */
  get run(): Run {
    if (this.#state === null) throw new Error("a draft was used before its run was created");
    return this.#state;
  }

  /**
   * An id for a transition or a checkpoint: one fresh uuid for each draft, counted up in its last digits. It costs less than
   * a uuid each; nothing may be guessed from it, so that an attempt token is never made like this.
   */
  recordId(): string {
    this.#lastId ??= this.context.nextId("");
    const id = this.#lastId;
    const tail = (Number.parseInt(id.slice(-8), 16) + 1) % 0x1_0000_0000;
    this.#lastId = id.slice(0, -8) + tail.toString(16).padStart(8, "0");
    return id;
  }

  emit(event: Unstamped<RunEvent>): void {
    const stamped = { v: 1, at: this.#at, ...event } as RunEvent;
    this.events.push(stamped);
    this.#state = evolve(this.#state, stamped);
  }

  checkpoint(reason: "start" | "stage_complete" | "finalize", lastStageId: string | null): void {
    this.emit({ type: "checkpoint_taken", checkpoint_id: this.recordId(), reason, last_stage_id: lastStageId });
  }

  /** Orders a driver, for a run that Godwit drives itself. */
  drive(): void {
    if (this.run.drive === "auto") this.effects.push({ type: "drive", run_id: this.run.run_id });
  }

  /** Tells the workflow's mailbox that a stage waits for a message. */
  subscribe(stageId: string, message: string): void {
    this.effects.push({ type: "subscribe", workflow_id: this.run.workflow_id, stage_id: stageId, message });
  }

  /** Tells the workflow's mailbox that a stage no longer waits. */
  unsubscribe(stageId: string): void {
    this.effects.push({ type: "unsubscribe", workflow_id: this.run.workflow_id, stage_id: stageId });
  }

  /** The worker of a stage is not waited for any more. */
  closeWorker(workerId: string): void {
    this.effects.push({ type: "close_worker", worker_id: workerId });
  }

  /** Orders the list of requests to show one as it is now. */
  indexRequest(row: RequestIndexRow): void {
    this.effects.push({ type: "index_request", row });
  }

  /** Orders the list of runs to show the run as it is now; of one commit only the newest row counts. */
  index(): void {
    const earlier = this.effects.findIndex((effect) => effect.type === "index_run");
    if (earlier >= 0) this.effects.splice(earlier, 1);
    this.effects.push({ type: "index_run", row: indexRow(this.run) });
    this.#reportEnd();
  }

  /** Tells the worker that its suspended run has come to rest, once: in the commit with which it does. */
  reportRest(): void {
    const { report_to: to, asked = null } = this.run;
    const cycle = restedCycle(this.run);
    if (to === null || !("worker_id" in to) || cycle === null || cycle === this.#restedIn) return;
    this.effects.push({ type: "report_rest", to, ...(asked === null ? {} : { asked }) });
  }

  /** Tells whoever waits for the run's end, once: in the commit that ends it. */
  #reportEnd(): void {
    const { report_to: to, status, error } = this.run;
    const isKnown = this.#wasOver || this.effects.some(({ type }) => type === "report_end");
    if (to === null || isKnown) return;
    const usedUp = "worker_id" in to && status === "paused" && this.events.at(-2)?.type === "run_finalized";
    if (!usedUp && status !== "completed" && status !== "failed" && status !== "cancelled") return;
    this.effects.push({ type: "report_end", to, end: { status, error } });
  }
}

const triggerId = (run: Run): string | null => {
  const id = run.options["trigger_id"];
  return typeof id === "string" ? id : null;
};

const MAX_ROW_TEXT = 200;

const MAX_ROW_ERROR = 1_000;

/** The run as lists show it; its texts are cut to what a list needs, and a message carries. */
export const indexRow = (run: Run): RunIndexRow => ({
  run_id: run.run_id,
  workflow_id: run.workflow_id.slice(0, MAX_ROW_TEXT),
  workflow_name: run.graph.name?.slice(0, MAX_ROW_TEXT) ?? null,
  trigger_id: triggerId(run)?.slice(0, MAX_ROW_TEXT) ?? null,
  status: run.status,
  task: run.task.slice(0, MAX_ROW_TEXT),
  stage_count: run.stage_count,
  total_cost: run.usage.total_cost,
  error: run.error?.slice(0, MAX_ROW_ERROR) ?? null,
  created_at: run.created_at,
  updated_at: run.updated_at,
});

import type { HandlerReport } from "../../../src/engine/trigger/event.ts";
import type { HandlerCall, OutsideCall } from "../../../src/engine/trigger/handler.ts";
import { runOutcome } from "../../../src/engine/trigger/run-outcome.ts";
import { Process } from "../process.ts";
import { Violation } from "../violation.ts";
import type { TriggerWorld } from "./world.ts";

type WorkflowCall = Extract<HandlerCall, { readonly kind: "workflow" }>;

/** A run as far as a trigger sees it. */
export interface LedgerRun {
  readonly run_id: string;
  readonly dispatch_id: string;
  readonly trigger_id: string;
  readonly key: string;
  readonly attempt: number;
  readonly completion: "started" | "finished";
  status: "running" | "completed" | "failed" | "cancelled";
}

/** A call of a handler that is no workflow. */
interface LedgerCall {
  readonly trigger_id: string;
  readonly dispatch_id: string;
  readonly attempt: number;
}

const LONG_MS = 40 * 60_000;

/** Everything that handlers were asked to do, with runs that end by themselves and report it more or less. */
export class Ledger {
  readonly runs = new Map<string, LedgerRun>();
  readonly calls = new Map<string, LedgerCall>();
  readonly #world: TriggerWorld;

  constructor(world: TriggerWorld) {
    this.#world = world;
  }

  /** Notes that a handler is called: no attempt calls it twice (T7). */
  called(call: OutsideCall): void {
    const { trigger_id, idempotency_key: dispatch_id, attempt } = call;
    const id = `${trigger_id} ${dispatch_id} ${attempt}`;
    if (this.calls.has(id)) throw new Violation("T7 handler", `attempt ${attempt} of ${dispatch_id} was made twice`);
    this.calls.set(id, { trigger_id, dispatch_id, attempt });
  }

  /** Creates a run as `create_run` does: once, whoever asks how often. */
  start(call: WorkflowCall, key: string): HandlerReport {
    const { run_id, dispatch } = call.run;
    const known = this.runs.get(run_id);
    if (known === undefined) this.#create(call, key);
    if (call.completion === "started") return { type: "succeeded", result: { run_id } };
    if (known === undefined || known.status === "running") return { type: "running" };
    if (known.dispatch_id !== dispatch.dispatch_id)
      throw new Violation("T6 run", `two dispatches share the run ${run_id}`);
    return runOutcome({ status: known.status, error: null });
  }

  cancel(runId: string): void {
    const run = this.runs.get(runId);
    if (run !== undefined) this.#end(run, "cancelled");
  }

  /** Everything that a dispatch has started, oldest first. */
  of(dispatchId: string): readonly LedgerRun[] {
    return [...this.runs.values()].filter((run) => run.dispatch_id === dispatchId);
  }

  #create(call: WorkflowCall, key: string): void {
    const { faults, random, scheduler, counters } = this.#world;
    const { run_id, dispatch } = call.run;
    const { dispatch_id, trigger_id } = dispatch;
    const others = this.of(dispatch_id);
    if (others.some(({ status }) => status === "running" || status === "completed"))
      throw new Violation("T6 run", `dispatch ${dispatch_id} got another run before the first one had failed`);
    const { attempt, completion } = call;
    const run: LedgerRun = { run_id, dispatch_id, trigger_id, key, attempt, completion, status: "running" };
    this.runs.set(run_id, run);
    counters.runs += 1;
    const ms = faults.hits("run_takes_long") ? LONG_MS : random.int(200, 40_000);
    scheduler.after(ms, () => this.#end(run, faults.hits("run_fails") ? "failed" : "completed"));
  }

  #end(run: LedgerRun, status: "completed" | "failed" | "cancelled"): void {
    const { faults, stray } = this.#world;
    if (run.status !== "running") return;
    run.status = status;
    if (run.completion === "started" || faults.hits("run_unreported")) return;
    this.#report(run).catch(stray);
  }

  /** The outbox of a run: it reports until somebody has answered. */
  async #report(run: LedgerRun): Promise<void> {
    const world = this.#world;
    const process = new Process(world, `run of ${run.key}`, false);
    const { trigger_id, key, dispatch_id, attempt, status } = run;
    if (status === "running") return;
    const report = { dispatch_id, attempt, outcome: runOutcome({ status, error: null }) };
    for (let isTold = false; !isTold;) {
      const { host } = world.trigger(trigger_id);
      const told = host.call(process, host.epoch, "the end of a run", (object) => object.settle(key, report));
      isTold = await told.then(
        (answer) => answer.ok || answer.rejection.code !== "unavailable",
        () => false,
      );
      if (isTold && world.faults.hits("run_report_repeated")) isTold = false;
      if (!isTold) await process.sleep(world.random.int(500, 8_000));
    }
  }
}

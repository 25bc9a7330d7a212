import type { HandlerReport } from "../../../src/engine/trigger/event.ts";
import type { HandlerCall } from "../../../src/engine/trigger/handler.ts";
import type { JsonObject } from "../../../src/lib/json.ts";

/** A call that starts a run. */
export type WorkflowCall = Extract<HandlerCall, { readonly kind: "workflow" }>;

interface Run {
  readonly request: string;
  readonly key: string;
  readonly gate: string;
  isOpen: boolean;
}

/** Runs as their own objects keep them: creating one again is the same request, and whoever asks for another one errs. */
export class RunLedger {
  readonly runs = new Map<string, Run>();
  readonly faults: string[] = [];
  /** Requests for a run that was there. */
  repeated = 0;
  /** How many runs of one gate were under way at the same time at most. */
  most = 0;
  readonly #open = new Map<string, number>();

  /** Creates a run, or finds it; `gate` names what its trigger limits. */
  start(call: WorkflowCall, gate: string): { readonly isNew: boolean; readonly report: HandlerReport } {
    const { run_id, dispatch } = call.run;
    const request = JSON.stringify(call.run);
    const known = this.runs.get(run_id);
    if (known === undefined) {
      const isOpen = call.completion === "finished";
      this.runs.set(run_id, { request, key: dispatch.dedupe_key, gate, isOpen });
      if (isOpen) this.#count(gate, 1);
    } else {
      this.repeated += 1;
      if (known.request !== request) this.faults.push(`run ${run_id} was asked for with two requests`);
    }
    return { isNew: known === undefined, report: this.#standing(call) };
  }

  /** A run is over. */
  end(runId: string): void {
    const run = this.runs.get(runId);
    if (run?.isOpen !== true) return;
    run.isOpen = false;
    this.#count(run.gate, -1);
  }

  #standing(call: WorkflowCall): HandlerReport {
    const { run_id } = call.run;
    const result: JsonObject = { run_id };
    return this.runs.get(run_id)?.isOpen === true ? { type: "running" } : { type: "succeeded", result };
  }

  #count(gate: string, change: 1 | -1): void {
    const open = (this.#open.get(gate) ?? 0) + change;
    this.#open.set(gate, open);
    this.most = Math.max(this.most, open);
  }
}

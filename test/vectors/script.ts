import { isObject, type Json, type JsonObject } from "../../src/lib/json.ts";
import type { Executor } from "../../src/ports/executor.ts";
import type { StagePlan, StageResult } from "../../src/schema/plan.ts";
import type { Values } from "./values.ts";

const entriesOf = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : [];

const failedCall = (text: string): StageResult => ({
  __workflow_stage_error: true,
  status: "failed",
  text: "",
  visible_text: "",
  error: `Runtime error: ${text}`,
  error_category: "generic",
  retryable: false,
});

const output = (outcome: JsonObject, key: string): string => {
  const value = outcome[key];
  return typeof value === "string" ? value : "";
};

/** What a command answers, in the shape of spec/workflow 7.1. */
const commandResult = (command: string, outcome: JsonObject): StageResult => {
  const [stdout, stderr] = [output(outcome, "stdout"), output(outcome, "stderr")];
  const text = [stdout, stderr].filter((part) => part !== "").join("\n");
  const status = outcome["exit_status"] ?? -1;
  return {
    status: "completed",
    text,
    visible_text: text,
    command,
    stdout,
    stderr,
    exit_status: status,
    success: status === 0,
  };
};

/** An executor that answers what a vector has written down; nothing is called and nothing is run. */
export class ScriptedExecutor implements Executor {
  readonly #values: Values;
  readonly #used = new Set<number>();
  readonly #runs = new Map<string, number>();
  #calls = 0;

  constructor(values: Values) {
    this.#values = values;
  }

  /** Calls of a model so far. */
  get providerCalls(): number {
    return this.#calls;
  }

  readonly execute = async (plan: StagePlan): Promise<StageResult> =>
    plan.command === undefined ? this.#call(plan) : this.runCommand(plan.command);

  /** Tells the vector that its script was there to be used. */
  open(): void {
    for (const name of ["stage_results", "verify_commands", "verify_sequence"] as const) this.#values.surrounding(name);
  }

  runCommand(command: string): StageResult {
    const fixed = this.#values.surrounding("verify_commands");
    const successive = this.#values.surrounding("verify_sequence");
    const sequence = isObject(successive) ? entriesOf(successive[command]) : [];
    const run = this.#runs.get(command) ?? 0;
    this.#runs.set(command, run + 1);
    const outcome = sequence[run] ?? (isObject(fixed) ? fixed[command] : undefined);
    if (!isObject(outcome))
      throw new Error(`the vector scripts no outcome for run ${run + 1} of ${JSON.stringify(command)}`);
    return commandResult(command, outcome);
  }

  #call(plan: StagePlan): StageResult {
    if (plan.mode === "llm" || plan.mode === "agent") this.#calls += 1;
    const script = entriesOf(this.#values.surrounding("stage_results"));
    const index = script.findIndex((entry, at) => entry["node"] === plan.node_id && !this.#used.has(at));
    const entry = script[index];
    if (entry === undefined) throw new Error(`the vector scripts no result for another call of node ${plan.node_id}`);
    this.#used.add(index);
    if (entry["throws"] !== undefined) return failedCall(String(entry["throws"]));
    return isObject(entry["result"]) ? entry["result"] : {};
  }
}

import { type Context, fold } from "../../src/engine/machine.ts";
import type { AdvanceReply, CreateRun, RunCommand, RunReply } from "../../src/engine/run/command.ts";
import { runMachine } from "../../src/engine/run/machine.ts";
import { type ProjectedEntry, projectRun } from "../../src/engine/run/project.ts";
import type { Run, RunState } from "../../src/engine/run/state.ts";
import type { RecordedPage, Recording } from "../../src/engine/replay/next-stage.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import type { StagePlan } from "../../src/schema/plan.ts";
import type { RunRecord } from "../../src/schema/record.ts";

/** What a plan comes to; `visit` is 1 for the first execution of its node in the run and its ancestors. */
export type Execute = (plan: StagePlan, visit: number) => JsonObject;

/** A clock that the tests move, and ids that never repeat. */
export interface PlayContext extends Context {
  now: number;
}

/** Fresh times and ids for one proof. */
export const playContext = (): PlayContext => {
  let next = 0;
  return {
    now: 1_000_000,
    nextId: (prefix) => {
      next += 1;
      const id = `00000000-0000-7000-${(0x8000 + (next >> 16)).toString(16)}-${(next & 0xffff).toString(16).padStart(4, "0")}00000000`;
      return prefix === "" ? id : `${prefix}_${id}`;
    },
  };
};

/** More steps of the driver than any run of a proof takes. */
const MAX_STEPS = 20_000;

/** A run on the engine alone: commands go in, the journal comes out. */
export class PlayedRun {
  readonly entries: ProjectedEntry[] = [];
  readonly #context: PlayContext;
  readonly #execute: Execute;
  #state: RunState = null;

  constructor(context: PlayContext, execute: Execute) {
    this.#context = context;
    this.#execute = execute;
  }

  get run(): Run {
    if (this.#state === null) throw new Error("the run was never created");
    return this.#state;
  }

  get record(): RunRecord {
    const record = projectRun(this.entries, this.#context);
    if (record === null) throw new Error("the run has no record");
    return record;
  }

  /** Creates the run; null when it is refused. */
  create(command: CreateRun): AdvanceReply | null {
    const decision = this.#decide(command);
    return decision?.type === "created" ? (decision.advance ?? this.#step({})) : null;
  }

  /** Drives the run until nothing is left to do. */
  drive(first: AdvanceReply, recorded?: (wanted: Recording) => RecordedPage): void {
    let reply = first;
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      const { next, recording, waiting } = reply;
      if (next !== null) reply = this.#step({ complete: this.#completion(next) });
      else if (recording !== undefined && recorded !== undefined) reply = this.#step({ recorded: recorded(recording) });
      else if (reply.more === true) reply = this.#step({});
      else if (waiting === "retry") {
        this.#context.now = Math.max(this.#context.now, Date.parse(reply.retry_at ?? ""));
        reply = this.#step({});
      } else if (waiting === "external") reply = this.#takeExternal();
      else return;
    }
    throw new Error("the run does not end");
  }

  #completion(plan: StagePlan): { readonly attempt_token: string; readonly result: JsonObject } {
    const { run } = this;
    const tokens = run.completions.keys().filter((key) => run.completions.get(key)?.node_id === plan.node_id);
    const visit = (run.earlier_visits[plan.node_id] ?? 0) + tokens.length + 1;
    return { attempt_token: plan.attempt_token, result: this.#execute(plan, visit) };
  }

  #takeExternal(): AdvanceReply {
    const nodeId = this.run.open[0]?.node_id ?? "";
    const reply = this.#decide({ type: "prepare_stage", node_id: nodeId, live_attempts: [] });
    if (reply?.type !== "plan") throw new Error(`no plan for ${nodeId}`);
    return this.#step({ complete: this.#completion(reply.plan) });
  }

  #step(more: Omit<Extract<RunCommand, { type: "advance" }>, "type" | "live_attempts">): AdvanceReply {
    const reply = this.#decide({ type: "advance", live_attempts: [], ...more });
    if (reply?.type !== "advance") throw new Error(`not a step: ${JSON.stringify(reply)}`);
    return reply.advance;
  }

  #decide(command: RunCommand): RunReply | null {
    this.#context.now += 7;
    const decision = runMachine.decide(this.#state, command, this.#context);
    if (!decision.ok) {
      if (decision.rejection.code === "graph_invalid") return null;
      throw new Error(`refused: ${decision.rejection.code}: ${decision.rejection.detail}`);
    }
    this.#state = fold(runMachine, this.#state, decision.events);
    if (decision.events.length > 0)
      this.entries.push({ seq: this.entries.length + 1, at_ms: this.#context.now, events: decision.events });
    return decision.reply;
  }
}

import { type Context, fold } from "../../src/engine/machine.ts";
import type { AdvanceReply, CreateRun, RunCommand, RunEffect, RunReply } from "../../src/engine/run/command.ts";
import { runMachine } from "../../src/engine/run/machine.ts";
import { type ProjectedEntry, projectRun } from "../../src/engine/run/project.ts";
import type { Run, RunState } from "../../src/engine/run/state.ts";
import type { RunRecord } from "../../src/schema/record.ts";

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

type AdvanceMore = Omit<Extract<RunCommand, { type: "advance" }>, "type" | "live_attempts">;

/** A run on the engine alone: commands go in, the journal comes out. */
export class PlayedRun {
  readonly entries: ProjectedEntry[] = [];
  readonly effects = new Map<RunEffect["type"], number>();
  readonly context: PlayContext;
  #state: RunState = null;

  constructor(context: PlayContext) {
    this.context = context;
  }

  get run(): Run {
    if (this.#state === null) throw new Error("the run was never created");
    return this.#state;
  }

  get record(): RunRecord {
    const record = projectRun(this.entries, this.context);
    if (record === null) throw new Error("the run has no record");
    return record;
  }

  /** Creates the run; null when its graph is not valid. */
  create(command: CreateRun): AdvanceReply | null {
    const reply = this.tell(command);
    return reply?.type === "created" ? (reply.advance ?? this.step({}, [])) : null;
  }

  /** A step of a driver; `live` are the attempts that somebody works on. */
  step(more: AdvanceMore, live: readonly string[]): AdvanceReply {
    const reply = this.tell({ type: "advance", live_attempts: live, ...more });
    if (reply?.type !== "advance") throw new Error(`not a step: ${JSON.stringify(reply)}`);
    return reply.advance;
  }

  /** The answer to a command that must be accepted; null for a graph that is not valid. */
  tell(command: RunCommand): RunReply | null {
    this.context.now += 7;
    const decision = runMachine.decide(this.#state, command, this.context);
    if (!decision.ok) {
      if (decision.rejection.code === "graph_invalid") return null;
      throw new Error(`refused: ${decision.rejection.code}: ${decision.rejection.detail}`);
    }
    this.#state = fold(runMachine, this.#state, decision.events);
    for (const { type } of decision.effects) this.effects.set(type, (this.effects.get(type) ?? 0) + 1);
    if (decision.events.length > 0)
      this.entries.push({ seq: this.entries.length + 1, at_ms: this.context.now, events: decision.events });
    return decision.reply;
  }
}

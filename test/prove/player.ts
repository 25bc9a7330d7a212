import { isExecutable } from "../../src/engine/run/unit.ts";
import type { AdvanceReply } from "../../src/engine/run/command.ts";
import type { PreparedStage } from "../../src/engine/run/state.ts";
import type { RecordedPage, Recording } from "../../src/engine/replay/next-stage.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import type { StagePlan } from "../../src/schema/plan.ts";
import type { Random } from "../support/random.ts";
import type { Outside, Played } from "./answers.ts";
import type { PlayedRun } from "./played-run.ts";

/*
 * Plays a run to its end with several drivers at once, in an order that is random.
 *
 * What comes out may not depend on that order, but for three things that time decides, where another order is another run:
 * which branches of a `first` or `quorum` map settle first, in which order stages that wait for the outside are over, and
 * whether a message comes before its time is over. For these the order played is a function of the seed and the stage:
 * - of the branches of such a map that are under way the one with the lowest rank goes on, once no more can be started;
 * - what waits for the outside is over only where nothing else can go on, the one with the lowest rank first, and time passes
 *   only when nobody comes.
 * Nothing is claimed for runs in which these happen in another order.
 */

/** More steps of the drivers than any run of a proof takes. */
const MAX_STEPS = 20_000;

/** After what gives nobody anything new to do. */
const UNCHANGED: AdvanceReply = { next: null, status: "running" };

/** How a run is played. */
export interface Play {
  readonly outside: Outside;
  readonly random: Random;
  /** How many plans are worked on at a time. */
  readonly drivers: number;
  readonly recorded?: (wanted: Recording) => RecordedPage;
}

export class Player {
  readonly #run: PlayedRun;
  readonly #play: Play;
  readonly #held = new Map<string, StagePlan>();
  /** Nothing more could be started since the run changed last. */
  #isFull = false;

  constructor(run: PlayedRun, play: Play) {
    this.#run = run;
    this.#play = play;
  }

  /** Drives the run until nothing is left to do. */
  drive(first: AdvanceReply): void {
    let reply: AdvanceReply | null = first;
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      const taken: AdvanceReply = this.#take(reply ?? this.#step({}));
      if (this.#run.run.status !== "running") return;
      reply = this.#next(taken);
    }
    throw new Error(`the run does not end: ${JSON.stringify(this.#run.run.open)}`);
  }

  #step(more: Parameters<PlayedRun["step"]>[0]): AdvanceReply {
    return this.#run.step(more, [...this.#held.keys()]);
  }

  #take(reply: AdvanceReply): AdvanceReply {
    if (reply === UNCHANGED) return reply;
    if (reply.next !== null) this.#held.set(reply.next.attempt_token, reply.next);
    const open = new Set(this.#run.run.open.map((unit) => unit.attempt_token));
    for (const token of this.#held.keys()) if (!open.has(token)) this.#held.delete(token);
    this.#isFull = reply.next === null && reply.more !== true && reply.recording === undefined;
    return reply;
  }

  /** The next thing that happens; null when the drivers are to ask for more. */
  #next(reply: AdvanceReply): AdvanceReply | null {
    const { recorded, drivers, random } = this.#play;
    if (reply.recording !== undefined && recorded !== undefined)
      return this.#step({ recorded: recorded(reply.recording) });
    if (reply.more === true || (!this.#isFull && this.#held.size < drivers)) return null;
    const playable = this.#playable();
    if (playable.length > 0) return this.#work(random.pick(playable));
    if (!this.#isFull) return null;
    return this.#passTime();
  }

  #unit(token: string): PreparedStage {
    const unit = this.#run.run.open.find((open) => open.attempt_token === token);
    if (unit === undefined) throw new Error("the attempt is not there any more");
    return unit;
  }

  /** The plans that may go on now. */
  #playable(): readonly StagePlan[] {
    return [...this.#held.values()].filter(({ attempt_token: token }) => {
      const unit = this.#unit(token);
      const map = this.#run.run.open.find(({ stage_id: id }) => id === unit.branch_of?.map_stage_id);
      if (map?.work.type !== "map" || map.work.map.target === map.work.map.total) return true;
      if (!this.#isFull) return false;
      const rank = this.#rank(unit);
      return this.#run.run.open.every(
        (other) => other.branch_of?.map_stage_id !== map.stage_id || rank <= this.#rank(other),
      );
    });
  }

  #rank(unit: PreparedStage): number {
    return this.#play.outside.rank(this.#played(unit));
  }

  #played(unit: PreparedStage, visit?: number): Played {
    const { run } = this.#run;
    const map = run.open.find(({ stage_id: id }) => id === unit.branch_of?.map_stage_id);
    const node_id = map?.node_id ?? unit.node_id;
    const tokens = run.completions.keys().filter((key) => run.completions.get(key)?.node_id === node_id);
    return {
      node_id,
      // The engine counts for whoever asks; the proof counts where it does not.
      visit: visit ?? (run.earlier_visits[node_id] ?? 0) + tokens.length + 1,
      item: unit.branch_of?.index ?? null,
      failed: unit.ended_attempts.filter(({ outcome }) => outcome === "error").length,
    };
  }

  #work(plan: StagePlan): AdvanceReply | null {
    const unit = this.#unit(plan.attempt_token);
    const played = this.#played(unit, plan.visit);
    if (plan.mode !== "agent") return this.#complete(plan, this.#play.outside.result(plan, played));
    return this.#loop(plan, unit, played);
  }

  #loop(plan: StagePlan, unit: PreparedStage, played: Played): AdvanceReply | null {
    const { steps = 0, tool_calls: calls, approvals = {} } = unit.loop ?? {};
    const answered = new Set([...Object.keys(approvals), ...(calls?.toArray() ?? []).map((call) => call.call_id)]);
    let recorded = 0;
    for (const { step, park } of this.#play.outside.loop(played)) {
      if (step === undefined) {
        if (!answered.has(park.call_id))
          return this.#complete(plan, { __workflow_stage_parked: true, pending: [park as unknown as JsonObject] });
      } else if (++recorded > steps) {
        const number = recorded - 1;
        this.#run.tell({ type: "record_step", attempt_token: plan.attempt_token, number, step });
        return UNCHANGED;
      }
    }
    return this.#complete(plan, this.#play.outside.result(plan, played));
  }

  #complete(plan: StagePlan, result: JsonObject): AdvanceReply {
    this.#held.delete(plan.attempt_token);
    return this.#step({ complete: { attempt_token: plan.attempt_token, result } });
  }

  /** Nobody can work on anything: time goes on, or somebody outside does something. */
  #passTime(): AdvanceReply | null {
    const { run, context } = this.#run;
    const retries = run.open.flatMap((unit) =>
      isExecutable(unit) && unit.mode !== "external" && unit.retry_at_ms !== null ? [unit.retry_at_ms] : [],
    );
    const asked = run.open.filter((unit) => (unit.loop?.pending.length ?? 0) > 0);
    if (asked.length > 0 && (retries.length === 0 || this.#play.random.chance(0.5))) {
      const unit = this.#play.random.pick(asked);
      for (const call of unit.loop?.pending ?? []) {
        const answer = this.#play.outside.answer(call);
        this.#run.tell({ type: "answer_call", call_id: call.call_id, stage_id: unit.stage_id, answer });
      }
    } else if (retries.length > 0) context.now = Math.max(context.now, Math.min(...retries));
    else return this.#comeFromOutside();
    return null;
  }

  #comeFromOutside(): AdvanceReply | null {
    const { run, context } = this.#run;
    const waiting = run.open.filter((unit) => unit.settled === null && unit.map === null);
    const due = waiting.flatMap(({ deadline_ms: at }) => (at === null ? [] : [at]));
    const [first] = waiting
      .filter((unit) => unit.mode !== "sleep")
      .filter((unit) => unit.deadline_ms === null || this.#play.outside.comes(this.#played(unit)))
      .toSorted((left, right) => this.#rank(left) - this.#rank(right));
    if (first !== undefined) return this.#end(first);
    if (due.length === 0) throw new Error(`nothing happens any more: ${JSON.stringify(run.open)}`);
    context.now = Math.max(context.now, Math.min(...due));
    return null;
  }

  /** Somebody ends what waits for the outside. */
  #end(unit: PreparedStage): AdvanceReply | null {
    const { node_id, stage_id } = unit;
    if (unit.mode === "wait") {
      const payload = `heard ${this.#rank(unit)}`;
      const message = { seq: 1, kind: "signal", name: "go", request_id: null, payload, enqueued_at: "" } as const;
      this.#run.tell({ type: "hear", stage_id, message });
      return null;
    }
    const played = this.#played(unit);
    if (unit.mode === "command") {
      const plan = { kind: unit.kind, mode: unit.mode } as StagePlan;
      const result = this.#play.outside.result(plan, played);
      this.#run.tell({ type: "complete_stage", node_id, attempt_token: unit.attempt_token, result });
      return null;
    }
    const reply = this.#run.tell({ type: "prepare_stage", node_id, live_attempts: [...this.#held.keys()] });
    if (reply?.type !== "plan") throw new Error(`no plan for ${node_id}`);
    return this.#complete(reply.plan, this.#play.outside.result(reply.plan, played));
  }
}

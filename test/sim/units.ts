import type { BranchSettled, RunEvent, StageCompleted } from "../../src/engine/run/event.ts";
import type { PreparedStage, Run, RunState } from "../../src/engine/run/state.ts";
import { digestOf } from "../../src/lib/digest.ts";
import { stepText } from "./step-text.ts";
import { type Invariant, Violation } from "./violation.ts";

const PARKED: ReadonlySet<string> = new Set(["external", "sleep", "wait", "person"]);

/** True for what waits for the outside: with several places it takes none, and holds nobody up. */
const isParkedMode = (run: Run, mode: string): boolean => run.max_parallel > 1 && PARKED.has(mode);

/** Stages that take a place. */
export const placesTaken = (run: Run): number =>
  run.open.filter((unit) => unit.branch_of === null && !isParkedMode(run, unit.mode)).length;

interface Line {
  readonly stage_id: string;
  readonly isParked: boolean;
  isRecorded: boolean;
}

const planOf = (unit: PreparedStage | undefined) => (unit?.work.type === "map" ? unit.work.map : null);

/** Watches every open stage and branch: who may complete it, how often, and when it enters the record. */
export class Units {
  /** Every completed stage and settled branch by the token of the attempt that completed it. */
  readonly completions = new Map<string, StageCompleted | BranchSettled>();
  /** Tokens of attempts that ended without completing their unit. */
  readonly ended = new Set<string>();
  /** Tokens of branches that their map did not wait for. */
  readonly losers = new Set<string>();
  /** Tokens of loops that ended in waiting, with what was handed in. */
  readonly parked = new Map<string, string>();
  /** What was handed in for each attempt: the digests of its results. */
  readonly submitted = new Map<string, Set<string>>();
  readonly attempts = new Map<string, number>();
  /** Stages by the message they have heard. */
  readonly heard = new Map<number, string>();
  /** Stages that people have answered, or whose time was over. */
  readonly #told = new Set<string>();
  readonly #line: Line[] = [];
  readonly #over = new Set<string>();
  recorded = 0;
  /** True once a unit was given up because its drivers were lost. */
  gaveUp = false;
  /** What the record says of each stage, in its order. */
  readonly story: (readonly (string | null)[])[] = [];

  take(before: RunState, event: RunEvent, after: RunState): void {
    if (before === null || after === null) return;
    switch (event.type) {
      case "stage_prepared":
        this.#line.push({ stage_id: event.stage_id, isParked: isParkedMode(after, event.mode), isRecorded: false });
        this.#attempt(event.stage_id, event.attempt);
        this.#startsInTime(before, event);
        this.#sleeps(after, event.stage_id, event.at);
        break;
      case "branch_prepared":
        this.#attempt(event.stage_id, 1);
        this.#startsInTime(before, event);
        this.#branch(before, after, event);
        break;
      case "attempt_started":
        this.#attempt(event.stage_id, event.attempt);
        break;
      case "attempt_ended":
        this.#end(before, event.stage_id);
        break;
      case "stage_parked": {
        const token = this.#unit(before, event.stage_id).attempt_token;
        this.parked.set(token, digestOf(event.handed_in));
        break;
      }
      case "message_heard":
        if (this.heard.has(event.seq)) fail("message", `message ${event.seq} was heard twice`);
        if ([...this.heard.values()].includes(event.stage_id)) fail("message", `${event.stage_id} heard two messages`);
        this.heard.set(event.seq, event.stage_id);
        break;
      case "request_recorded":
        if (event.record.type !== "requested") this.#told.add(event.stage_id);
        break;
      case "agent_step_recorded": {
        const steps = this.#unit(before, event.stage_id).loop?.steps;
        const said = event.messages?.[0]?.["content"];
        if (said !== stepText(event.stage_id, steps ?? -1)) fail("journal", `step ${steps} is recorded as "${said}"`);
        break;
      }
      case "branch_settled":
        this.#settle(before, event);
        break;
      case "stage_completed":
        this.#complete(before, event);
        break;
      case "stage_retired":
        if (this.#unit(before, event.stage_id).settled === null)
          fail("order", `${event.stage_id} enters the record before it is completed`);
        this.#record(event.stage_id);
        break;
      default:
        return;
    }
    if (placesTaken(after) > after.max_parallel)
      fail("places", `${placesTaken(after)} stages are open, ${after.max_parallel} may be`);
  }

  #unit(run: Run, stageId: string): PreparedStage {
    const unit = run.open.find((open) => open.stage_id === stageId);
    return unit ?? fail("I6 fencing", `${stageId} is not open`);
  }

  #attempt(stage: string, attempt: number): void {
    const last = this.attempts.get(stage);
    if (last !== undefined && attempt !== last + 1)
      fail("attempts", `attempt ${attempt} of ${stage} follows attempt ${last}`);
    this.attempts.set(stage, attempt);
  }

  #end(before: Run, stageId: string): void {
    const unit = before.open.find((open) => open.stage_id === stageId);
    if (unit !== undefined) this.ended.add(unit.attempt_token);
  }

  #startsInTime(run: Run, { stage_id, at }: { readonly stage_id: string; readonly at: string }): void {
    if (run.deadline_ms !== null && Date.parse(at) >= run.deadline_ms)
      fail("deadline", `${stage_id} was opened after the deadline of its run`);
  }

  #sleeps(run: Run, stageId: string, at: string): void {
    const unit = this.#unit(run, stageId);
    if (unit.work.type !== "sleep") return;
    const ms = run.graph.nodes[unit.node_id]?.sleep?.ms ?? 0;
    if (unit.deadline_ms !== Date.parse(at) + ms) fail("waiting", `${stageId} is to sleep until ${unit.deadline_ms}`);
  }

  #branch(
    before: Run,
    after: Run,
    { map_stage_id, index }: { readonly map_stage_id: string; readonly index: number },
  ): void {
    const map = this.#unit(before, map_stage_id);
    const plan = planOf(map);
    if (map.map === null || plan === null || map.settled !== null) return fail("map", `${map_stage_id} is no open map`);
    if (index !== map.map.started || index >= plan.total) fail("map", `branch ${index} of ${plan.total} was started`);
    if (map.map.settled.length >= plan.target) fail("map", `branch ${index} is not wanted any more`);
    const underWay = after.open.filter((unit) => unit.branch_of?.map_stage_id === map_stage_id).length;
    if (underWay > plan.concurrency) fail("map", `${underWay} branches are under way, ${plan.concurrency} may be`);
  }

  #settle(before: Run, event: BranchSettled): void {
    const unit = this.#unit(before, event.stage_id);
    const map = this.#unit(before, event.map_stage_id);
    const plan = planOf(map);
    if (map.map === null || plan === null || map.map.settled.length >= plan.target)
      fail("map", `branch ${event.stage_id} settled beyond what its map waits for`);
    this.#finish(unit, event);
  }

  #complete(before: Run, event: StageCompleted): void {
    const unit = this.#unit(before, event.stage_id);
    this.#finish(unit, event);
    const plan = planOf(unit);
    if (event.from_branches === true && plan !== null && (unit.map?.settled.length ?? 0) !== plan.target)
      fail("map", `${event.stage_id} closed with ${unit.map?.settled.length} of ${plan.target} branches`);
    for (const open of before.open)
      if (open.branch_of?.map_stage_id === event.stage_id) this.losers.add(open.attempt_token);
    if (event.deferred !== true) this.#record(event.stage_id);
  }

  #finish(unit: PreparedStage, event: StageCompleted | BranchSettled): void {
    if (this.#over.has(event.stage_id)) fail("I6 fencing", `${event.stage_id} completed twice`);
    this.#over.add(event.stage_id);
    this.completions.set(unit.attempt_token, event);
    const digest = digestOf(event.handed_in ?? event.result);
    if (this.submitted.get(unit.attempt_token)?.has(digest) === true) return;
    if (!this.#endsByItself(unit, event))
      fail("I6 fencing", `${event.stage_id} took a result that its attempt did not hand in`);
  }

  /** Whether nobody has to hand in anything for this end of a unit. */
  #endsByItself(unit: PreparedStage, event: StageCompleted | BranchSettled): boolean {
    const { type } = unit.work;
    if (type === "precomputed" || type === "given" || unit.map !== null) return true;
    if (String(event.error).endsWith("lost attempts")) {
      this.gaveUp = true;
      return true;
    }
    if (type === "person" && unit.holder === "nobody" && event.branch !== "timeout")
      return this.#told.has(event.stage_id);
    if (type === "wait" && [...this.heard.values()].includes(event.stage_id)) return true;
    const isByTime = event.type === "stage_completed" && ["slept", "timeout"].includes(event.outcome);
    if (!isByTime && !String(event.error).startsWith("Error [timeout]: nobody completed")) return false;
    if (unit.deadline_ms === null || Date.parse(event.at) < unit.deadline_ms)
      fail("waiting", `${event.stage_id} ended before its time`);
    return true;
  }

  #record(stageId: string): void {
    this.recorded += 1;
    for (const event of this.completions.values())
      if (event.stage_id === stageId && event.type === "stage_completed")
        this.story.push([
          event.node_id,
          event.status,
          event.outcome,
          event.branch,
          digestOf(event.result),
          event.error,
        ]);
    const mine = this.#line.find((line) => line.stage_id === stageId);
    if (mine === undefined || mine.isRecorded) return fail("order", `${stageId} enters the record twice`);
    mine.isRecorded = true;
    if (mine.isParked) return;
    for (const line of this.#line) {
      if (line === mine) return;
      if (!line.isParked && !line.isRecorded) fail("order", `${stageId} was recorded before ${line.stage_id}`);
    }
  }
}

const fail = (invariant: Invariant, detail: string): never => {
  throw new Violation(invariant, detail);
};

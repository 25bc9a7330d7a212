import { readEntries } from "../../durable-objects/shell/journal.ts";
import { nextEffectAt } from "../../durable-objects/shell/outbox.ts";
import type { AttemptStarted, RunEvent, StageCompleted, StagePrepared } from "../../src/engine/run/event.ts";
import { evolve } from "../../src/engine/run/evolve.ts";
import { runHead } from "../../src/engine/run/head.ts";
import { isTerminal, type Run, type RunState } from "../../src/engine/run/state.ts";
import { digestOf } from "../../src/lib/digest.ts";
import type { RunShell } from "../support/run-fixture.ts";
import type { RunObject } from "./real-object.ts";
import type { World } from "./world.ts";

export type Invariant =
  | "I1 alarm"
  | "I2 fold"
  | "I3 commit"
  | "I4 effect id"
  | "I5 same reply"
  | "I6 fencing"
  | "I7 wake-up"
  | "queue"
  | "steps"
  | "index"
  | "idle"
  | "execution"
  | "attempts"
  | "liveness"
  | "lost completion"
  | "stray fault";

export class Violation extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

/** How late an alarm may be, beyond what it looks after. */
const WATCH_MS = 10_000;

/** More alarms than this within ten seconds are a storm. */
const STORM = 40;

const STATUS_EVENTS = new Set([
  "run_created",
  "run_finalized",
  "run_paused",
  "run_resumed",
  "run_cancelled",
  "run_failed",
]);

/** Watches the object's disk from outside and folds its journal with the real machine; throws a {@link Violation}. */
export class Checker {
  readonly #world: World;
  state: RunState = null;
  /** Every completed stage by the token of the attempt that completed it. */
  readonly completions = new Map<string, StageCompleted>();
  /** Tokens of attempts that ended without completing their stage. */
  readonly ended = new Set<string>();
  /** What was handed in for each attempt: the digests of its results. */
  readonly submitted = new Map<string, Set<string>>();
  readonly acknowledged = new Map<string, string>();
  readonly #stages = new Map<string, number>();
  readonly #effects = new Map<string, string>();
  readonly #alarms: number[] = [];
  #seq = 0;
  /** The newest commit that changed what lists show. */
  shownSeq = 0;
  pausedBy: "finalize" | "client" | null = null;

  constructor(world: World) {
    this.#world = world;
  }

  get seq(): number {
    return this.#seq;
  }

  diskSeq(): number {
    const { store } = this.#world.host;
    if (!this.#has("journal")) return 0;
    return Number(store.query("SELECT max(seq) AS seq FROM journal")[0]?.["seq"] ?? 0);
  }

  #has(table: string): boolean {
    return this.#world.host.store.query("SELECT 1 AS found FROM sqlite_master WHERE name = ?", table).length > 0;
  }

  /** After a call has left the object: one command is at most one commit, and memory agrees with the disk (I3, I2). */
  entered(name: string, before: number): void {
    const after = this.diskSeq();
    if (after < before || after > before + 1) this.#fail("I3 commit", `${name} made ${after - before} commits`);
    const { shell } = this.#world.host.object() as unknown as { shell: RunShell };
    if (shell.seq !== after) this.#fail("I3 commit", `memory is at ${shell.seq}, the disk at ${after}`);
    if (name === "alarm") this.#countAlarm();
  }

  #countAlarm(): void {
    const { now } = this.#world.scheduler;
    this.#alarms.push(now);
    while ((this.#alarms[0] ?? now) < now - 10_000) this.#alarms.shift();
    if (this.#alarms.length > STORM) this.#fail("idle", `${this.#alarms.length} alarms within ten seconds`);
  }

  /** After every step of the simulation. */
  check(): void {
    const grown = this.#absorb();
    if (grown) this.#checkMemory();
    this.#checkEffects();
    this.#checkAlarm();
  }

  #absorb(): boolean {
    if (this.diskSeq() === this.#seq) return false;
    for (const entry of readEntries<RunEvent>(this.#world.host.store, this.#seq)) {
      if (entry.seq !== this.#seq + 1) this.#fail("I2 fold", `entry ${entry.seq} follows entry ${this.#seq}`);
      this.#seq = entry.seq;
      for (const event of entry.events) this.#take(event);
    }
    return true;
  }

  #take(event: RunEvent): void {
    const before = this.state;
    const closesRun = event.type === "checkpoint_taken" && event.reason === "finalize";
    if (before !== null && isTerminal(before.status) && !closesRun)
      this.#fail("I6 fencing", `${event.type} after the run has ${before.status}`);
    this.state = evolve(before, event);
    this.#world.trace(`#${this.#seq} ${describe(event)}`);
    if (STATUS_EVENTS.has(event.type)) this.shownSeq = this.#seq;
    if (event.type === "run_finalized" && event.status === "paused") this.pausedBy = "finalize";
    if (event.type === "run_paused") this.pausedBy = "client";
    if (event.type === "attempt_ended") {
      const token = before?.open.find((unit) => unit.stage_id === event.stage_id)?.attempt_token;
      if (token !== undefined) this.ended.add(token);
    }
    if (event.type === "attempt_started" || event.type === "stage_prepared") this.#attempt(event);
    if (event.type === "stage_completed" && before !== null) this.#complete(before, event);
    this.#checkQueue();
  }

  #attempt({ attempt, stage_id: stage }: AttemptStarted | StagePrepared): void {
    const last = this.#stages.get(stage);
    if (last !== undefined && attempt !== last + 1)
      this.#fail("attempts", `attempt ${attempt} of ${stage} follows attempt ${last}`);
    this.#stages.set(stage, attempt);
  }

  #complete(before: Run, event: StageCompleted): void {
    const prepared = before.open.find((unit) => unit.stage_id === event.stage_id);
    if (prepared === undefined)
      return this.#fail("I6 fencing", `stage ${event.stage_id} completed without being prepared`);
    for (const known of this.completions.values())
      if (known.stage_id === event.stage_id) this.#fail("I6 fencing", `stage ${event.stage_id} completed twice`);
    this.completions.set(prepared.attempt_token, event);
    const needsNobody = prepared.work.type === "precomputed" || prepared.work.type === "given";
    const gaveUp = String(event.error).endsWith("lost attempts");
    if (
      !needsNobody &&
      !gaveUp &&
      this.submitted.get(prepared.attempt_token)?.has(digestOf(event.handed_in ?? event.result)) !== true
    )
      this.#fail("I6 fencing", `stage ${event.stage_id} took a result that its attempt did not hand in`);
  }

  #checkQueue(): void {
    const run = this.state;
    if (run === null) return;
    if (new Set(run.ready).size !== run.ready.length)
      this.#fail("queue", `a node is queued twice: ${run.ready.join()}`);
    if (run.steps > run.max_steps) this.#fail("steps", `${run.steps} steps of ${run.max_steps}`);
  }

  #checkMemory(): void {
    const { host } = this.#world;
    const stored = host.store.query("SELECT state FROM head WHERE id = 1")[0]?.["state"];
    if (stored !== JSON.stringify(runHead(this.state))) this.#fail("I2 fold", `the head row holds ${stored}`);
    if (!host.isLoaded) return;
    const { shell } = host.object() as unknown as { shell: RunShell };
    if (shell.quarantine !== null) this.#fail("I2 fold", `quarantine: ${shell.quarantine}`);
    if (JSON.stringify(shell.state) !== JSON.stringify(this.state))
      this.#fail("I2 fold", `memory differs from the fold of the journal at ${this.#seq}`);
  }

  #checkEffects(): void {
    if (!this.#has("outbox")) return;
    for (const row of this.#world.host.store.query("SELECT id, effect FROM outbox")) {
      const id = String(row["id"]);
      const effect = String(row["effect"]);
      const seq = Number(/^object:(\d+):\d+$/.exec(id)?.[1] ?? Number.NaN);
      if (!(seq <= this.#seq)) this.#fail("I4 effect id", `${id} is no id of an effect up to ${this.#seq}`);
      if ((this.#effects.get(id) ?? effect) !== effect) this.#fail("I4 effect id", `${id} names two effects`);
      this.#effects.set(id, effect);
    }
  }

  #checkAlarm(): void {
    const { host, faults } = this.#world;
    // What was forgotten together with the memory is put right by whoever wakes the object next.
    if (!host.isLoaded && faults.counts.alarm_lost > 0) return;
    const now = this.#world.clock();
    const alarm = host.store.alarmAt();
    const effectAt = nextEffectAt(host.store);
    const slack = WATCH_MS + this.#world.counters.ms_set_back;
    if (effectAt !== null && (alarm === null || alarm > Math.max(effectAt, now) + slack))
      this.#fail("I1 alarm", `an effect is due at ${effectAt}, the alarm at ${alarm}, it is ${now}`);
    if (this.shownSeq > this.#world.shownSeq && (alarm === null || alarm > now + slack + 300_000))
      this.#fail("I1 alarm", `the lists do not know of commit ${this.shownSeq}, the alarm is at ${alarm}`);
    const run = this.state;
    if (run === null || run.status !== "running" || run.open.some((unit) => unit.mode === "external")) return;
    const latest = Math.max(...run.open.map((unit) => unit.retry_at_ms ?? 0), now + slack);
    if (alarm === null || alarm > latest)
      this.#fail("I7 wake-up", `nobody wakes the run: the alarm is at ${alarm}, it is ${now}`);
  }

  /** Once the run has ended and time has passed. */
  finish(): void {
    const { host, queues } = this.#world;
    const run = this.state;
    if (run === null) return this.#fail("liveness", "the run was never created");
    if (host.store.alarmAt() !== null) this.#fail("idle", "a run that has ended still has an alarm");
    if (nextEffectAt(host.store) !== null) this.#fail("liveness", "an effect was never performed");
    if (queues.row?.status !== run.status) this.#fail("index", `lists show ${queues.row?.status}, not ${run.status}`);
    for (const [token, what] of this.acknowledged)
      if (!this.completions.has(token) && !this.ended.has(token))
        this.#fail("lost completion", `${what} was acknowledged and is not in the journal`);
    this.#checkRecord();
    host.reset("looked at once more");
    const { shell } = host.object() as unknown as { shell: RunShell };
    if (shell.quarantine !== null || JSON.stringify(shell.state) !== JSON.stringify(run))
      this.#fail("I2 fold", `a fresh load differs: ${shell.quarantine}`);
  }

  #checkRecord(): void {
    const record = (this.#world.host.object() as RunObject).record({})?.record;
    for (const stage of record?.stages ?? []) {
      const numbers = stage.attempts.map(({ attempt }) => attempt);
      const made = this.#stages.get(stage.id) ?? 0;
      // An external stage that nobody took before it was completed has attempt 0 only.
      if (numbers.length !== Math.max(made, 1) || numbers.some((number, index) => number !== index + 1))
        this.#fail("attempts", `${stage.id} shows attempts ${numbers.join()} of ${made}`);
    }
    if (record?.stages.length !== this.completions.size) this.#fail("lost completion", "the record lacks a stage");
  }

  #fail(invariant: Invariant, detail: string): void {
    throw new Violation(invariant, detail);
  }
}

const describe = (event: RunEvent): string => {
  switch (event.type) {
    case "stage_prepared":
      return `prepared ${event.stage_id} ${event.mode} for ${event.holder}`;
    case "attempt_started":
      return `attempt ${event.attempt} for ${event.holder}`;
    case "attempt_ended":
      return `attempt ${event.record.attempt} ended: ${event.reason}`;
    case "stage_completed":
      return `completed ${event.stage_id} -> ${event.branch}`;
    case "run_finalized":
      return `finalized ${event.status}`;
    default:
      return event.type;
  }
};

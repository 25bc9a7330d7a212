import { readEntries } from "../../durable-objects/shell/journal.ts";
import { nextEffectAt } from "../../durable-objects/shell/outbox.ts";
import type { RunEffect } from "../../src/engine/run/command.ts";
import type { RunCreated, RunEvent } from "../../src/engine/run/event.ts";
import { evolve } from "../../src/engine/run/evolve.ts";
import { runHead } from "../../src/engine/run/head.ts";
import { quorumOf } from "../../src/engine/hitl/asked.ts";
import { isTerminal, type Run, type RunState } from "../../src/engine/run/state.ts";
import type { RunShell } from "../support/run-fixture.ts";
import type { Watch } from "./host.ts";
import { Units } from "./units.ts";
import { type Invariant, Violation } from "./violation.ts";
import { latestAlarm, sleepsUntil } from "./wake-up.ts";
import type { WatchedRun } from "./watched-run.ts";
import type { World } from "./world.ts";

/** How late an alarm may be, beyond what it looks after. */
const WATCH_MS = 10_000;

/** More alarms than this within ten seconds are a storm. */
const STORM = 40;

/** A run that is not over so long after its deadline was forgotten. */
const OVERDUE_MS = 150_000;

/** What is under way when a run falls asleep may still ring that often. */
const ALARMS_ASLEEP = 3;

const STATUS_EVENTS = new Set([
  "run_created",
  "run_finalized",
  "run_paused",
  "run_resumed",
  "run_cancelled",
  "run_failed",
]);

/** What a replay may bring about outside itself. */
const OF_REPLAYS: ReadonlySet<RunEffect["type"]> = new Set(["drive", "index_run"]);

/** Watches the object's disk from outside and folds its journal with the real machine; throws a {@link Violation}. */
export class Checker implements Watch {
  readonly #run: WatchedRun;
  readonly #world: World;
  readonly units = new Units();
  state: RunState = null;
  readonly acknowledged = new Map<string, string>();
  readonly #effects = new Map<string, string>();
  readonly #alarms: number[] = [];
  /** Stages that the run began with. */
  readonly #inherited = new Map<string, string>();
  #seq = 0;
  #overdueSince: number | null = null;
  #alarmsAsleep = 0;
  /** The newest commit that changed what lists show. */
  shownSeq = 0;
  pausedBy: "finalize" | "client" | null = null;

  constructor(run: WatchedRun) {
    this.#run = run;
    this.#world = run.world;
  }

  get seq(): number {
    return this.#seq;
  }

  diskSeq(): number {
    const { store } = this.#run.host;
    if (!this.#has("journal")) return 0;
    return Number(store.query("SELECT max(seq) AS seq FROM journal")[0]?.["seq"] ?? 0);
  }

  #has(table: string): boolean {
    return this.#run.host.store.query("SELECT 1 AS found FROM sqlite_master WHERE name = ?", table).length > 0;
  }

  /** After a call has left the object: one command is at most one commit, and memory agrees with the disk (I3, I2). */
  entered(name: string, before: number): void {
    const after = this.diskSeq();
    if (after < before || after > before + 1) this.#fail("I3 commit", `${name} made ${after - before} commits`);
    const { shell } = this.#run.host.object() as unknown as { shell: RunShell };
    if (shell.seq !== after) this.#fail("I3 commit", `memory is at ${shell.seq}, the disk at ${after}`);
    if (name === "alarm") this.#countAlarm();
  }

  #countAlarm(): void {
    const { now } = this.#world.scheduler;
    const asleepUntil = this.#world.faults.active ? null : sleepsUntil(this.state);
    this.#alarmsAsleep = asleepUntil === null || asleepUntil <= this.#world.clock() ? 0 : this.#alarmsAsleep + 1;
    if (this.#alarmsAsleep > ALARMS_ASLEEP) this.#fail("idle", `${this.#alarmsAsleep} alarms while the run sleeps`);
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
    this.#checkDeadline();
  }

  #absorb(): boolean {
    if (this.diskSeq() === this.#seq) return false;
    for (const entry of readEntries<RunEvent>(this.#run.host.store, this.#seq)) {
      if (entry.seq !== this.#seq + 1) this.#fail("I2 fold", `entry ${entry.seq} follows entry ${this.#seq}`);
      this.#seq = entry.seq;
      this.#checkSleep(entry);
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
    this.#world.trace(`${this.#run === this.#world.first ? "" : `${this.#run.id} `}#${this.#seq} ${describe(event)}`);
    if (STATUS_EVENTS.has(event.type)) this.shownSeq = this.#seq;
    if (event.type === "run_finalized" && event.status === "paused") this.pausedBy = "finalize";
    if (event.type === "run_paused") this.pausedBy = "client";
    if (event.type === "run_created") this.#inherit(event);
    this.#count(event);
    this.units.take(before, event, this.state);
    this.#checkQueue();
  }

  #inherit({ resumed_from: base }: RunCreated): void {
    for (const { id, node_id } of base?.stages ?? []) this.#inherited.set(id, node_id);
  }

  /** How often the record shows a node, with what the run began with. */
  visits(nodeId: string): number {
    const recorded = [...this.#inherited.values(), ...this.units.story.map(([node]) => node)];
    return recorded.filter((node) => node === nodeId).length;
  }

  #count(event: RunEvent): void {
    const { counters } = this.#world;
    counters.most_open = Math.max(counters.most_open, this.state?.open.length ?? 0);
    if (event.type === "branch_settled") counters.branches += 1;
    if (event.type === "agent_step_recorded") counters.steps_recorded += 1;
    if (event.type === "stage_parked") counters.parked_loops += 1;
    if (event.type === "request_recorded") this.#world.asked[event.record.type] += 1;
    if (event.type !== "stage_completed") return;
    if (event.deferred === true) counters.deferred += 1;
    if (event.outcome === "slept") counters.slept += 1;
    if (event.outcome === "timeout") counters.timed_out += 1;
  }

  /** A run that only sleeps costs nothing: nothing is written until somebody wants something else, or it wakes. */
  #checkSleep({ events, at_ms: at }: { readonly events: readonly RunEvent[]; readonly at_ms: number }): void {
    const until = this.#world.faults.active ? null : sleepsUntil(this.state);
    if (until === null || at >= until || events.some(({ type }) => STATUS_EVENTS.has(type))) return;
    // Somebody answers what was settled before.
    if (events.some(({ type }) => type === "request_recorded")) return;
    this.#fail("idle", `${events.map(({ type }) => type).join()} while the run sleeps`);
  }

  #checkQueue(): void {
    const run = this.state;
    if (run === null) return;
    const queued = new Set(run.ready);
    const twice = run.ready.filter((node, index) => run.ready.indexOf(node) !== index);
    // A node that was open and ready once more is there twice in what is made of the run.
    const isMade = this.#run !== this.#world.first && new Set(twice).size === twice.length;
    if (queued.size !== run.ready.length && !isMade) this.#fail("queue", `a node is queued twice: ${run.ready.join()}`);
    if (run.steps > run.max_steps) this.#fail("steps", `${run.steps} steps of ${run.max_steps}`);
  }

  #checkMemory(): void {
    const { host } = this.#run;
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
    for (const row of this.#run.host.store.query("SELECT id, effect FROM outbox")) {
      const id = String(row["id"]);
      const effect = String(row["effect"]);
      const seq = Number(/^[a-z0-9-]+:(\d+):\d+$/.exec(id)?.[1] ?? Number.NaN);
      if (!(seq <= this.#seq)) this.#fail("I4 effect id", `${id} is no id of an effect up to ${this.#seq}`);
      const { type } = JSON.parse(effect) as RunEffect;
      if (this.#run.isReplay && !OF_REPLAYS.has(type)) this.#fail("replay", `a replay has the effect ${type}`);
      if ((this.#effects.get(id) ?? effect) !== effect) this.#fail("I4 effect id", `${id} names two effects`);
      this.#effects.set(id, effect);
    }
  }

  #checkAlarm(): void {
    const { host } = this.#run;
    const { faults } = this.#world;
    // What was forgotten together with the memory is put right by whoever wakes the object next.
    if (!host.isLoaded && faults.counts.alarm_lost > 0) return;
    const now = this.#world.clock();
    const alarm = host.store.alarmAt();
    const effectAt = nextEffectAt(host.store);
    const slack = WATCH_MS + this.#world.counters.ms_set_back;
    if (effectAt !== null && (alarm === null || alarm > Math.max(effectAt, now) + slack))
      this.#fail("I1 alarm", `an effect is due at ${effectAt}, the alarm at ${alarm}, it is ${now}`);
    if (this.shownSeq > this.#world.shownSeq(this.#run.id) && (alarm === null || alarm > now + slack + 300_000))
      this.#fail("I1 alarm", `the lists do not know of commit ${this.shownSeq}, the alarm is at ${alarm}`);
    const run = this.state;
    if (run === null || run.status !== "running") return;
    const latest = latestAlarm(run, now + slack);
    if (latest !== null && (alarm === null || alarm > latest))
      this.#fail("I7 wake-up", `nobody wakes the run: the alarm is at ${alarm}, it is ${now}`);
  }

  #checkDeadline(): void {
    const run = this.state;
    const { scheduler } = this.#world;
    const isOverdue = run?.status === "running" && run.deadline_ms !== null && run.deadline_ms < this.#world.clock();
    if (!isOverdue) this.#overdueSince = null;
    else this.#overdueSince ??= scheduler.now;
    if (this.#overdueSince !== null && scheduler.now > this.#overdueSince + OVERDUE_MS)
      this.#fail("deadline", "the run goes on after its deadline");
  }

  /** Once the run has ended and time has passed. */
  finish(): void {
    const { host, row } = this.#run;
    const run = this.state;
    if (run === null) return this.#fail("liveness", "the run was never created");
    if (host.store.alarmAt() !== null) this.#fail("idle", "a run that has ended still has an alarm");
    if (nextEffectAt(host.store) !== null) this.#fail("liveness", "an effect was never performed");
    if (row?.status !== run.status) this.#fail("index", `lists show ${row?.status}, not ${run.status}`);
    for (const [token, what] of this.acknowledged)
      if (!this.units.completions.has(token) && !this.units.ended.has(token) && !this.units.parked.has(token))
        this.#fail("lost completion", `${what} was acknowledged and is not in the journal`);
    this.#checkRequests(run);
    this.#checkRecord();
    host.reset("looked at once more");
    const { shell } = host.object() as unknown as { shell: RunShell };
    if (shell.quarantine !== null || JSON.stringify(shell.state) !== JSON.stringify(run))
      this.#fail("I2 fold", `a fresh load differs: ${shell.quarantine}`);
  }

  /** Nobody is asked any more, the lists know it, and whatever was approved has the names that it needs. */
  #checkRequests(run: Run): void {
    for (const [id, { request }] of run.requests.entries()) {
      const { status, tally, asking } = request;
      const shown = this.#run.requests.get(id);
      if (status === "open" || shown !== status) this.#fail("index", `${id} is ${status}, lists show ${shown}`);
      if (status === "approved" && new Set(tally.reviewers).size < quorumOf(asking.asked))
        this.#fail("journal", `${id} was approved by ${tally.reviewers.join()} alone`);
    }
  }

  #checkRecord(): void {
    const record = this.#run.host.object().record({})?.record;
    const own = record?.stages.filter(({ id }) => !this.#inherited.has(id)) ?? [];
    for (const stage of own) {
      // A replay shows the attempts of the recording.
      if (this.#run.isReplay) continue;
      const numbers = stage.attempts.map(({ attempt }) => attempt);
      const made = this.units.attempts.get(stage.id) ?? 0;
      // An external stage that nobody took before it was completed has attempt 0 only.
      if (numbers.length !== Math.max(made, 1) || numbers.some((number, index) => number !== index + 1))
        this.#fail("attempts", `${stage.id} shows attempts ${numbers.join()} of ${made}`);
    }
    if (own.length !== this.units.recorded) this.#fail("lost completion", "the record lacks a stage");
  }

  #fail(invariant: Invariant, detail: string): never {
    throw new Violation(invariant, detail);
  }
}

const describe = (event: RunEvent): string => {
  switch (event.type) {
    case "stage_prepared":
      return `prepared ${event.stage_id} ${event.mode} for ${event.holder}`;
    case "branch_prepared":
      return `prepared ${event.stage_id} ${event.mode} for ${event.holder}`;
    case "attempt_started":
      return `attempt ${event.attempt} of ${event.stage_id} for ${event.holder}`;
    case "attempt_ended":
      return `attempt ${event.record.attempt} of ${event.stage_id} ended: ${event.reason}`;
    case "branch_settled":
      return `settled ${event.stage_id} -> ${event.branch}`;
    case "stage_retired":
      return `retired ${event.stage_id}`;
    case "message_heard":
      return `${event.stage_id} hears ${event.seq}`;
    case "stage_completed":
      return `completed ${event.stage_id} -> ${event.branch}${event.deferred === true ? ", deferred" : ""}`;
    case "run_finalized":
      return `finalized ${event.status}`;
    default:
      return event.type;
  }
};

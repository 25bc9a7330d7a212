import type { Answer, Rejection } from "../engine/machine.ts";
import type { AdvanceReply, Renewal } from "../engine/run/command.ts";
import type { Executor } from "../ports/executor.ts";
import type { RecordedPage } from "../engine/replay/next-stage.ts";
import type { StageJournal } from "../ports/stage-journal.ts";
import type { StagePlan, StageResult } from "../schema/plan.ts";
import { type Every, type Heartbeat, prepareHeartbeat } from "./heartbeat.ts";
import { type JournaledRun, stageJournal } from "./journal.ts";
import type { ReadRecording } from "./recording.ts";
import { type Faults, holdStub, withFreshStub } from "./retry.ts";

/** What the driver needs of a run; every call is one RPC and at most one commit. */
export interface DrivenRun extends JournaledRun {
  readonly advance: (request: {
    readonly complete?: { readonly attempt_token: string; readonly result: StageResult };
    readonly adopt?: string;
    readonly recorded?: RecordedPage;
  }) => Promise<Answer<AdvanceReply>>;
  readonly renew: (attemptTokens: readonly string[]) => Promise<Answer<Renewal>>;
}

export interface DriveOptions {
  /** Gives a stub; asked again after every fault, because a stub of a reset object stays broken. */
  readonly run: () => DrivenRun;
  readonly executor: Executor;
  /** The moment, in milliseconds, after which no stage is started any more. */
  readonly deadline: number;
  /** Executes the first stage whatever its time limit, because no other driver has more time. */
  readonly takes_any?: boolean;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Calls a task again and again until it is stopped; `setInterval` unless given. */
  readonly every?: Every;
  /** The step with which the run was created, when the caller created it. */
  readonly first?: AdvanceReply;
  /** The attempt another driver handed over. */
  readonly adopt?: string;
  /** How many stages and branches this driver executes at a time; 6 unless given. */
  readonly lanes?: number;
  /** Orders another driver, when there is more to start than this one has lanes. */
  readonly recruit?: () => Promise<void>;
  /** Gives a replay the recorded stages it asks for. */
  readonly recording?: ReadRecording;
}

/** Why a driver stopped. */
export type DriveOutcome =
  /** The run has ended, or is paused. */
  | { readonly type: "idle"; readonly status: AdvanceReply["status"] }
  /** Something outside has to happen first: a person, a wait, another driver's stage. */
  | { readonly type: "waiting"; readonly for: NonNullable<AdvanceReply["waiting"]> }
  /** What comes next does not fit into the time that is left: other drivers have to adopt these attempts. */
  | { readonly type: "out_of_time"; readonly attempt_tokens: readonly string[] }
  | { readonly type: "refused"; readonly rejection: Rejection };

/** A retry or an end of sleep that is due sooner than this is waited for; a later one is left to the run's alarm. */
const SHORT_WAIT_MS = 2_000;

const MIN_WAIT_MS = 20;

/** A driver that comes may find its work taken: it is given this long to show before another one is ordered. */
const RECRUIT_EVERY_MS = 2_000;

/** An invocation of the platform has six connections at a time. */
const DEFAULT_LANES = 6;

/**
 * Drives a run: gets a plan, executes it outside the object, hands the result back, until there is nothing to execute.
 * Where the run has more to start than one thing, it does several at a time.
 *
 * It may die at any point: the run's leases and alarm bring another driver (architecture 3).
 */
export const driveRun = async (options: DriveOptions): Promise<DriveOutcome> => {
  const faults = { stub: holdStub(options.run), sleep: options.sleep };
  const heartbeat = prepareHeartbeat(faults, options.every);
  try {
    return await new Drive(options, heartbeat, faults).run();
  } finally {
    heartbeat.stop();
  }
};

/** One drive and its lanes; each lane walks like a driver of its own. */
class Drive {
  readonly #options: DriveOptions;
  readonly #heartbeat: Heartbeat;
  readonly #faults: Faults;
  readonly #lanes = new Set<Promise<void>>();
  readonly #left: string[] = [];
  #executed = 0;
  #mayRecruitAt = 0;
  #fault: { readonly thrown: unknown } | null = null;
  /** What the first lane came to. */
  #outcome: DriveOutcome | null = null;
  /** What the lane saw that came to the end of the run. */
  #ended: DriveOutcome | null = null;

  constructor(options: DriveOptions, heartbeat: Heartbeat, faults: Faults) {
    this.#options = options;
    this.#heartbeat = heartbeat;
    this.#faults = faults;
  }

  async run(): Promise<DriveOutcome> {
    this.#track(this.#firstLane());
    // A lane that fails leaves the others at their work, with their leases.
    while (this.#lanes.size > 0) await Promise.all(this.#lanes);
    if (this.#left.length > 0) return { type: "out_of_time", attempt_tokens: this.#left };
    if (this.#fault !== null || this.#outcome === null) throw this.#fault?.thrown;
    return this.#ended ?? this.#outcome;
  }

  async #firstLane(): Promise<void> {
    this.#outcome = await this.#walk(await this.#firstStep());
  }

  #step(request: Parameters<DrivenRun["advance"]>[0]): Promise<Answer<AdvanceReply>> {
    return withFreshStub(this.#faults, (run) => run.advance(request));
  }

  #firstStep(): Promise<Answer<AdvanceReply>> {
    const { first, adopt } = this.#options;
    if (first !== undefined) return Promise.resolve({ ok: true, reply: first });
    return this.#step(adopt === undefined ? {} : { adopt });
  }

  async #walk(first: Answer<AdvanceReply>): Promise<DriveOutcome> {
    for (let answer = first; ;) {
      if (!answer.ok) return { type: "refused", rejection: answer.rejection };
      const { reply } = answer;
      if (reply.cancelled !== undefined) this.#heartbeat.abandon(reply.cancelled);
      if (reply.spare !== undefined) this.#widen(reply.spare);
      if (reply.next !== null) {
        const { attempt_token, timeout_ms } = reply.next;
        if (!this.#fits(timeout_ms)) {
          this.#left.push(attempt_token);
          return { type: "out_of_time", attempt_tokens: [attempt_token] };
        }
        const result = await this.#execute(reply.next);
        answer = await this.#step({ complete: { attempt_token, result } });
      } else if (reply.recording !== undefined && this.#options.recording !== undefined)
        answer = await this.#step({ recorded: await this.#options.recording(reply.recording) });
      else if (reply.more === true) answer = await this.#step({});
      else if (await this.#waitedFor(reply)) answer = await this.#step({});
      else if (reply.waiting !== undefined) return { type: "waiting", for: reply.waiting };
      else return { type: "idle", status: reply.status };
    }
  }

  #fits(timeoutMs: number): boolean {
    const { now, deadline, takes_any: takesAny } = this.#options;
    return now() + timeoutMs <= deadline || (takesAny === true && this.#executed === 0);
  }

  /** Starts lanes for what else there is to start, and orders another driver when there is more than fits. */
  #widen(spare: number): void {
    const free = (this.#options.lanes ?? DEFAULT_LANES) - this.#lanes.size;
    for (let started = 0; started < Math.min(spare, free); started++) this.#track(this.#openLane());
    const { recruit, now } = this.#options;
    if (spare <= Math.max(free, 0) || recruit === undefined || now() < this.#mayRecruitAt) return;
    this.#mayRecruitAt = now() + RECRUIT_EVERY_MS;
    this.#track(recruit());
  }

  async #openLane(): Promise<void> {
    const outcome = await this.#walk(await this.#step({}));
    if (outcome.type === "idle") this.#ended = outcome;
  }

  #track(lane: Promise<void>): void {
    const tracked: Promise<void> = lane
      .catch((thrown: unknown) => {
        this.#fault ??= { thrown };
      })
      .finally(() => this.#lanes.delete(tracked));
    this.#lanes.add(tracked);
  }

  /** Executes a plan; its lease is kept from the moment that it does not answer at once. */
  async #execute(plan: StagePlan): Promise<StageResult> {
    this.#executed += 1;
    const { executor } = this.#options;
    const execution = executor.execute(plan, this.#heartbeat.keep(plan.attempt_token), this.#journal(plan));
    try {
      if (await isPending(execution)) this.#heartbeat.start();
      return await execution;
    } finally {
      this.#heartbeat.release(plan.attempt_token);
    }
  }

  /** Only what talks to a model has steps to record, or text to show. */
  #journal(plan: StagePlan): StageJournal | undefined {
    return plan.prompt === undefined ? undefined : stageJournal(plan, this.#faults, this.#options.now);
  }

  async #waitedFor(reply: AdvanceReply): Promise<boolean> {
    if (reply.waiting !== "retry" && reply.waiting !== "sleep") return false;
    if (reply.retry_at === undefined) return false;
    const { now, deadline, sleep } = this.#options;
    const wait = Date.parse(reply.retry_at) - now();
    if (wait > SHORT_WAIT_MS || now() + wait > deadline) return false;
    // The run's clock may be behind this one: it is never asked without a pause.
    await sleep(Math.max(wait, MIN_WAIT_MS));
    return true;
  }
}

/** True when a promise is not settled after the microtasks that a call without any waiting takes. */
const isPending = async (promise: Promise<unknown>): Promise<boolean> => {
  const settled = promise.then(
    () => false,
    () => false,
  );
  const laterOn = Promise.resolve()
    .then(() => undefined)
    .then(() => undefined)
    .then(() => true);
  return Promise.race([settled, laterOn]);
};

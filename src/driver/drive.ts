import type { AdvanceReply } from "../engine/run/command.ts";
import type { Rejection } from "../engine/machine.ts";
import type { Executor } from "../ports/executor.ts";
import type { RecordedPage } from "../engine/replay/next-stage.ts";
import type { StagePlan, StageResult } from "../schema/plan.ts";
import { type Every, type Heartbeat, prepareHeartbeat } from "./heartbeat.ts";
import type { ReadRecording } from "./recording.ts";
import { holdStub, withFreshStub } from "./retry.ts";

/** An answer of a run's object. */
type Answer<Reply> =
  | { readonly ok: true; readonly reply: Reply }
  | { readonly ok: false; readonly rejection: Rejection };

/** What the driver needs of a run; every call is one RPC and at most one commit. */
export interface DrivenRun {
  readonly advance: (request: {
    readonly complete?: { readonly attempt_token: string; readonly result: StageResult };
    readonly adopt?: string;
    readonly recorded?: RecordedPage;
  }) => Promise<Answer<AdvanceReply>>;
  readonly renew: (attemptToken: string) => Promise<Answer<{ readonly lease_expires_at_ms: number }>>;
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
  /** Gives a replay the recorded stages it asks for. */
  readonly recording?: ReadRecording;
}

/** Why a driver stopped. */
export type DriveOutcome =
  /** The run has ended, or is paused. */
  | { readonly type: "idle"; readonly status: AdvanceReply["status"] }
  /** Something outside has to happen first: a person, a wait, another driver's stage. */
  | { readonly type: "waiting"; readonly for: NonNullable<AdvanceReply["waiting"]> }
  /** The next stage does not fit into the time that is left: another driver has to adopt its attempt. */
  | { readonly type: "out_of_time"; readonly attempt_token: string }
  | { readonly type: "refused"; readonly rejection: Rejection };

/** A retry that is due sooner than this is waited for; a later one is left to the run's alarm. */
const SHORT_WAIT_MS = 2_000;

const MIN_WAIT_MS = 20;

/**
 * Drives a run: gets a plan, executes it outside the object, hands the result back, until there is nothing to execute.
 *
 * It may die at any point: the run's lease and alarm bring another driver (architecture 3).
 */
export const driveRun = async (options: DriveOptions): Promise<DriveOutcome> => {
  const faults = { stub: holdStub(options.run), sleep: options.sleep };
  const heartbeat = prepareHeartbeat(faults, options.every);
  try {
    return await driveSteps(options, heartbeat, (request) => withFreshStub(faults, (run) => run.advance(request)));
  } finally {
    heartbeat.stop();
  }
};

type Step = (request: Parameters<DrivenRun["advance"]>[0]) => Promise<Answer<AdvanceReply>>;

const driveSteps = async (options: DriveOptions, heartbeat: Heartbeat, step: Step): Promise<DriveOutcome> => {
  let executed = 0;
  let answer = await firstStep(options, step);
  for (;;) {
    if (!answer.ok) return { type: "refused", rejection: answer.rejection };
    const { reply } = answer;
    if (reply.next !== null) {
      const { attempt_token, timeout_ms } = reply.next;
      const fits = options.now() + timeout_ms <= options.deadline || (options.takes_any === true && executed === 0);
      if (!fits) return { type: "out_of_time", attempt_token };
      const result = await execute(options, reply.next, heartbeat);
      executed += 1;
      answer = await step({ complete: { attempt_token, result } });
    } else if (reply.recording !== undefined && options.recording !== undefined)
      answer = await step({ recorded: await options.recording(reply.recording) });
    else if (reply.more === true) answer = await step({});
    else if (await waitedForRetry(options, reply)) answer = await step({});
    else if (reply.waiting !== undefined) return { type: "waiting", for: reply.waiting };
    else return { type: "idle", status: reply.status };
  }
};

/** Executes a plan; its lease is kept from the moment that it does not answer at once. */
const execute = async (options: DriveOptions, plan: StagePlan, heartbeat: Heartbeat): Promise<StageResult> => {
  const execution = options.executor.execute(plan, heartbeat.keep(plan.attempt_token));
  if (await isPending(execution)) heartbeat.start();
  return execution;
};

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

const firstStep = async (options: DriveOptions, step: Step): Promise<Answer<AdvanceReply>> => {
  if (options.first !== undefined) return { ok: true, reply: options.first };
  return step(options.adopt === undefined ? {} : { adopt: options.adopt });
};

const waitedForRetry = async (options: DriveOptions, reply: AdvanceReply): Promise<boolean> => {
  if (reply.waiting !== "retry" || reply.retry_at === undefined) return false;
  const wait = Date.parse(reply.retry_at) - options.now();
  if (wait > SHORT_WAIT_MS || options.now() + wait > options.deadline) return false;
  // The run's clock may be behind this one: it is never asked without a pause.
  await options.sleep(Math.max(wait, MIN_WAIT_MS));
  return true;
};

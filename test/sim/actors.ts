import type { AdvanceReply, NumberedStep } from "../../src/engine/run/command.ts";
import { isTerminal } from "../../src/engine/run/state.ts";
import type { Answer } from "../../src/engine/machine.ts";
import { type DrivenRun, driveRun } from "../../src/driver/drive.ts";
import { feedRecording } from "../../src/driver/recording.ts";
import type { RecordedPage, Recording } from "../../src/engine/replay/next-stage.ts";
import { digestOf } from "../../src/lib/digest.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import type { StageJournal } from "../../src/ports/stage-journal.ts";
import type { StagePlan } from "../../src/schema/plan.ts";
import { type Handed, handIn } from "./client.ts";
import { recordLoop } from "./loop.ts";
import { Process } from "./process.ts";
import type { RunObject } from "./real-object.ts";
import { Violation } from "./violation.ts";
import { leftUndone } from "./wake-up.ts";
import type { WatchedRun } from "./watched-run.ts";
import type { World } from "./world.ts";

/** A slow stage takes at least as long as a driver's lease. */
const LEASE_MS = 10_000;

const REQUEST_BUDGET_MS = 27_000;
const CONSUMER_BUDGET_MS = 14 * 60_000;

/** A driver that is told that there is nothing to execute must not leave anything that could be begun. */
const looksComplete = (object: RunObject, answer: Answer<AdvanceReply>): void => {
  if (!answer.ok || answer.reply.next !== null || answer.reply.more === true) return;
  // A replay first needs a page of its recording.
  if (answer.reply.recording !== undefined) return;
  const { state } = (object as unknown as { readonly shell: { readonly state: World["checker"]["state"] } }).shell;
  const left = state === null ? null : leftUndone(state);
  if (left !== null) throw new Violation("places", `a driver was sent away although ${left} could go on`);
};

const advance = (run: WatchedRun, object: RunObject, request: Parameters<DrivenRun["advance"]>[0]) => {
  const { complete } = request;
  const isLost = complete !== undefined && run.checker.units.losers.has(complete.attempt_token);
  if (complete !== undefined) handIn(run, complete);
  const answer = object.advance(request);
  if (isLost && answer.ok) throw new Violation("map", "a branch that its map did not wait for was completed");
  if (isLost) run.world.counters.losers_refused += 1;
  looksComplete(object, answer);
  return answer;
};

/** The stub that a process holds: it breaks with the instance it was made for. */
const stubOf = (run: WatchedRun, process: Process): DrivenRun => {
  const { host, checker, world } = run;
  const { epoch } = host;
  const recordStep = (step: NumberedStep): Promise<Answer<null>> =>
    host.call(process, epoch, "record", (object) => object.recordStep(step));
  return {
    advance: async (request) => {
      const { complete } = request;
      const answer = await host.call(process, epoch, `advance by ${process.name}`, (object) =>
        advance(run, object, request),
      );
      if (complete !== undefined) {
        if (answer.ok) checker.acknowledged.set(complete.attempt_token, "a completion");
        else world.counters.refused_completions += 1;
      }
      return answer;
    },
    renew: (tokens) => host.call(process, epoch, "renew", (object) => object.renew(tokens)),
    recordStep: async (step) => {
      run.steps.push(step);
      if (world.faults.hits("step_repeated")) await recordStep(step);
      return recordStep(step);
    },
    showText: async () => false,
  };
};

const work = async (
  { world, checker }: WatchedRun,
  process: Process,
  { plan, signal }: { readonly plan: StagePlan; readonly signal: AbortSignal },
): Promise<void> => {
  const { random, faults } = world;
  const isSlow = faults.hits("slow_stage");
  await process.sleep(isSlow ? faults.random("slow_stage").int(LEASE_MS, 45_000) : random.int(5, 2_500));
  const { state } = checker;
  const isWanted = state?.open.some((unit) => unit.attempt_token === plan.attempt_token) === true;
  if (signal.aborted && isWanted && state?.status === "running")
    world.stray(new Violation("execution", `the driver of ${plan.stage_id} was told to stop though it is wanted`));
};

interface Execution {
  readonly plan: StagePlan;
  readonly signal: AbortSignal;
  readonly journal: StageJournal | undefined;
}

const execute = async (run: WatchedRun, process: Process, execution: Execution): Promise<JsonObject> => {
  const { plan, signal, journal } = execution;
  const { world } = run;
  if (run.isReplay) throw new Violation("replay", `a replay called the executor for ${plan.stage_id}`);
  if (["external", "sleep", "wait", "map"].includes(plan.mode))
    throw new Violation("execution", `a driver was given the ${plan.mode} stage ${plan.stage_id}`);
  world.executing(plan.stage_id, plan.attempt_token);
  await work(run, process, execution);
  const looped =
    plan.mode === "agent" && journal !== undefined ? await recordLoop(world, { ...execution, journal, process }) : null;
  const cancelled = { status: "failed", text: `cancelled ${plan.attempt_token}`, visible_text: "" };
  const result = looped ?? (signal.aborted ? cancelled : world.resultOf(plan, run));
  run.handed.push({ attempt_token: plan.attempt_token, node_id: plan.node_id, result });
  return result;
};

/** Reads recorded stages through a stub of the run that is replayed, as the driver of a replay does. */
const recordingOf =
  (world: World, process: Process) =>
  ({ run_id, from }: Recording): Promise<RecordedPage> => {
    const source = world.runs.find(({ id }) => id === run_id);
    if (source === undefined) throw new Violation("replay", `there is no recording of ${run_id}`);
    world.counters.pages_read += 1;
    return source.host.call(process, source.host.epoch, "recording", (object) => object.recording(from));
  };

/** Starts a driver as the request handler or the queue's consumer does. */
export const startDriver = (
  run: WatchedRun,
  from: { readonly first?: AdvanceReply; readonly adopt?: string; readonly isRequest?: boolean },
): void => {
  const { world } = run;
  world.counters.drivers += 1;
  const { isRequest, ...how } = from;
  const process = new Process(world, `driver ${world.counters.drivers}`, true);
  const order = (message: object): Promise<void> => world.queues.drive.send({ run_id: run.id, ...message }, () => true);
  const drive = async (): Promise<void> => {
    const outcome = await driveRun({
      run: () => stubOf(run, process),
      executor: { execute: (plan, signal, journal) => execute(run, process, { plan, signal, journal }) },
      deadline: process.now() + (isRequest === true ? REQUEST_BUDGET_MS : CONSUMER_BUDGET_MS),
      now: () => process.now(),
      sleep: (ms) => process.sleep(ms),
      every: (ms, task) => process.every(ms, task),
      takes_any: isRequest !== true,
      lanes: world.random.pick([1, 2, 6]),
      recruit: () => {
        world.counters.recruited += 1;
        return order({});
      },
      recording: feedRecording(recordingOf(world, process)),
      ...how,
    });
    world.trace(`${process.name}: ${outcome.type}`);
    if (outcome.type !== "out_of_time") return;
    world.counters.handovers += 1;
    for (const attempt_token of outcome.attempt_tokens) await order({ attempt_token });
  };
  drive().catch((fault: unknown) => {
    if (fault instanceof Violation) world.stray(fault);
    world.counters.drivers_failed += 1;
    world.trace(`${process.name} stopped: ${fault instanceof Error ? fault.message : "?"}`);
  });
};

/** What an object may answer to a completion that comes again: what it answered first, or a refusal (I5, I6). */
const judgeRepeated = (
  { world, checker }: WatchedRun,
  { attempt_token: token, result }: Handed,
  answer: Answer<AdvanceReply>,
): void => {
  const { units, state } = checker;
  const known = units.completions.get(token);
  if (!answer.ok) world.counters.late_completions_refused += 1;
  if (known === undefined) {
    const parked = units.parked.get(token);
    if (!answer.ok || parked === digestOf(result)) return;
    if (parked !== undefined) throw new Violation("I5 same reply", "a loop that waits took another result");
    if (state !== null && isTerminal(state.status))
      throw new Violation("I6 fencing", "a run that is over took a completion");
    if (units.ended.has(token) || units.losers.has(token))
      throw new Violation("I6 fencing", "an attempt that is over took a completion");
    return;
  }
  if (answer.ok !== (digestOf(known.handed_in ?? known.result) === digestOf(result)))
    throw new Violation("I5 same reply", "a completion was answered against its first answer");
  if (answer.ok && answer.reply.stage?.stage_id !== known.stage_id)
    throw new Violation("I5 same reply", `a repeated completion of ${known.stage_id} was answered with another stage`);
};

/** Hands in once more what was handed in before: the same answer, or a refusal, and never a second effect (I5, I6). */
export const repeatCompletion = async (run: WatchedRun): Promise<void> => {
  const { world, host, handed } = run;
  const random = world.faults.random("late_completion");
  if (handed.length === 0) return;
  const { attempt_token, result } = random.pick(handed);
  const isChanged = random.chance(0.3);
  const complete = { attempt_token, result: isChanged ? { ...result, text: "changed" } : result };
  const process = new Process(world, "echo", false);
  try {
    const answer = await host.call(process, host.epoch, "a late completion", (object) => {
      handIn(run, complete);
      const reply = object.advance({ complete, report: true });
      judgeRepeated(run, complete, reply);
      return reply;
    });
    if (answer.ok) run.checker.acknowledged.set(attempt_token, "a late completion");
  } catch (fault) {
    if (fault instanceof Violation) throw fault;
  }
};

/** Records once more a step that was recorded before; the journal shows whether that changed anything. */
export const repeatStep = async ({ world, host, steps }: WatchedRun): Promise<void> => {
  if (steps.length === 0) return;
  const step = world.faults.random("step_repeated").pick(steps);
  const process = new Process(world, "echo", false);
  await host.call(process, host.epoch, "a late step", (object) => object.recordStep(step)).catch(() => undefined);
};

import type { Answer } from "../../src/engine/machine.ts";
import type { AdvanceReply, RunReply } from "../../src/engine/run/command.ts";
import { isTerminal } from "../../src/engine/run/state.ts";
import { type DrivenRun, driveRun } from "../../src/driver/drive.ts";
import { digestOf } from "../../src/lib/digest.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import type { StagePlan } from "../../src/schema/plan.ts";
import type { RunRequest } from "../../durable-objects/workflow-run.ts";
import { Violation } from "./checker.ts";
import { randomResult } from "./graph.ts";
import { Process } from "./process.ts";
import type { World } from "./world.ts";

/** A slow stage takes at least as long as a driver's lease. */
const LEASE_MS = 10_000;

const REQUEST_BUDGET_MS = 27_000;
const CONSUMER_BUDGET_MS = 14 * 60_000;

interface Handed {
  readonly attempt_token: string;
  readonly result: JsonObject;
  readonly node_id?: string;
}

/** The stub that a process holds: it breaks with the instance it was made for. */
const stubOf = (world: World, process: Process): DrivenRun => {
  const { host, checker } = world;
  const { epoch } = host;
  return {
    advance: async (request) => {
      const { complete } = request;
      const answer = await host.call(process, epoch, `advance by ${process.name}`, (object) => {
        if (complete !== undefined) handIn(world, complete);
        return object.advance(request);
      });
      if (complete !== undefined) {
        if (answer.ok) checker.acknowledged.set(complete.attempt_token, "a completion");
        else world.counters.refused_completions += 1;
      }
      return answer;
    },
    renew: (tokens) => host.call(process, epoch, "renew", (object) => object.renew(tokens)),
    recordStep: (step) => host.call(process, epoch, "record", (object) => object.recordStep(step)),
    showText: async () => false,
  };
};

/** Notes what is handed in for an attempt, at the moment it reaches the object. */
const handIn = (world: World, { attempt_token: token, result }: Handed): void => {
  const digests = world.checker.submitted.get(token) ?? new Set();
  world.checker.submitted.set(token, digests.add(digestOf(result)));
};

const execute = async (world: World, process: Process, plan: StagePlan, signal: AbortSignal): Promise<JsonObject> => {
  const { random, faults } = world;
  if (plan.mode === "external")
    throw new Violation("execution", `a driver was given the external stage ${plan.stage_id}`);
  world.executing(plan.stage_id, plan.attempt_token);
  const isSlow = faults.hits("slow_stage");
  await process.sleep(isSlow ? faults.random("slow_stage").int(LEASE_MS, 45_000) : random.int(5, 2_500));
  const { state } = world.checker;
  const isWanted = state?.open.some((unit) => unit.attempt_token === plan.attempt_token) === true;
  if (signal.aborted && isWanted && state?.status === "running")
    world.stray(new Violation("execution", `the driver of ${plan.stage_id} was told to stop though it is wanted`));
  const cancelled = { ...randomResult(random), status: "failed", text: "cancelled" };
  const result = signal.aborted ? cancelled : randomResult(random);
  history.get(world)?.push({ attempt_token: plan.attempt_token, node_id: plan.node_id, result });
  return result;
};

const history = new WeakMap<World, Handed[]>();

/** Starts a driver as the request handler or the queue's consumer does. */
export const startDriver = (
  world: World,
  from: { readonly first?: AdvanceReply; readonly adopt?: string; readonly isRequest?: boolean },
): void => {
  world.counters.drivers += 1;
  const { isRequest, ...how } = from;
  const process = new Process(world, `driver ${world.counters.drivers}`, true);
  if (!history.has(world)) history.set(world, []);
  const drive = async (): Promise<void> => {
    const outcome = await driveRun({
      run: () => stubOf(world, process),
      executor: { execute: (plan, signal) => execute(world, process, plan, signal) },
      deadline: process.now() + (isRequest === true ? REQUEST_BUDGET_MS : CONSUMER_BUDGET_MS),
      now: () => process.now(),
      sleep: (ms) => process.sleep(ms),
      every: (ms, task) => process.every(ms, task),
      takes_any: isRequest !== true,
      ...how,
    });
    world.trace(`${process.name}: ${JSON.stringify(outcome)}`);
    if (outcome.type !== "out_of_time") return;
    world.counters.handovers += 1;
    for (const attempt_token of outcome.attempt_tokens) await world.queues.drive.send({ attempt_token }, () => true);
  };
  drive().catch((fault: unknown) => {
    if (fault instanceof Violation) world.stray(fault);
    world.counters.drivers_failed += 1;
    world.trace(`${process.name} stopped: ${fault instanceof Error ? fault.message : "?"}`);
  });
};

type Key = { readonly key: string; readonly request_digest: string };

/** Calls until the object has answered, as a client with an idempotency key does. */
const insist = async (world: World, process: Process, request: RunRequest, key?: Key): Promise<Answer<RunReply>> => {
  for (;;) {
    try {
      return await world.host.call(process, world.host.epoch, request.type, (object) => {
        if (request.type === "complete_stage")
          handIn(world, { attempt_token: request.attempt_token ?? "", result: request.result });
        return object.request(request, key);
      });
    } catch {
      await process.sleep(200);
    }
  }
};

interface Exchange {
  readonly request: RunRequest;
  readonly first: Answer<RunReply>;
  readonly key: Key;
}

/** Repeats a request that was answered: the same key gives the same reply, and no other request gets through on it (I5). */
const repeat = async (world: World, process: Process, { request, first, key }: Exchange): Promise<void> => {
  const again = await insist(world, process, request, key);
  if (first.ok && JSON.stringify(again) !== JSON.stringify(first))
    throw new Violation("I5 same reply", `${request.type} was answered differently under one key`);
  const other = await insist(world, process, request, { ...key, request_digest: "other" });
  if (first.ok && (other.ok || other.rejection.code !== "idempotency_key_reused"))
    throw new Violation("I5 same reply", "a key was accepted for another request");
};

/** Creates the run and drives it after the answer, or leaves that to the watchdog. */
export const createRun = async (world: World): Promise<void> => {
  const process = new Process(world, "client", false);
  const { create } = world;
  if (create === null) return;
  const key = { key: "create", request_digest: "create" };
  const answer = await insist(world, process, create, key);
  if (!answer.ok || answer.reply.type !== "created") throw new Violation("liveness", "the run could not be created");
  if (answer.reply.advance !== null && world.random.chance(0.8))
    startDriver(world, { first: answer.reply.advance, isRequest: true });
  await process.sleep(world.random.int(0, 20_000));
  await repeat(world, process, { request: create, first: answer, key });
};

/** Takes external stages and completes them by hand; sometimes forgets one. */
export const workByHand = async (world: World): Promise<void> => {
  const process = new Process(world, "person", false);
  while (!world.hasEnded) {
    await process.sleep(1_500);
    const run = world.checker.state;
    const external = run?.open.find((unit) => unit.mode === "external" && unit.settled === null);
    if (run?.status !== "running" || external === undefined) continue;
    const { node_id } = external;
    const taken = await insist(world, process, { type: "prepare_stage", node_id, lease_ms: 15_000 });
    if (!taken.ok || taken.reply.type !== "plan") continue;
    const { attempt_token } = taken.reply.plan;
    const forgets = world.faults.active && world.random.chance(0.2);
    await process.sleep(forgets ? 40_000 : world.random.int(300, 6_000));
    const complete = { attempt_token, node_id, result: randomResult(world.random) };
    history.get(world)?.push(complete);
    const answer = await insist(world, process, { type: "complete_stage", ...complete });
    if (answer.ok) world.checker.acknowledged.set(attempt_token, `a completion by hand of ${node_id}`);
  }
};

/** Pauses and resumes the run, each under a key of its own and each repeated. */
export const pauseAndResume = async (world: World): Promise<void> => {
  const process = new Process(world, "operator", false);
  const tell = async (type: "pause_run" | "resume_run"): Promise<void> => {
    const key = { key: `${type} ${world.scheduler.now}`, request_digest: type };
    const answer = await insist(world, process, { type }, key);
    if (world.random.chance(0.5)) await repeat(world, process, { request: { type }, first: answer, key });
  };
  await tell("pause_run");
  await process.sleep(world.random.int(500, 15_000));
  // A run that has used up its steps stays paused: this test would go on for ever otherwise.
  if (world.checker.pausedBy === "client") await tell("resume_run");
};

export const cancel = async (world: World): Promise<void> => {
  await insist(world, new Process(world, "operator", false), { type: "cancel_run" });
};

/** Hands in once more what was handed in before: the same answer, or a refusal, and never a second effect (I5, I6). */
export const repeatCompletion = async (world: World): Promise<void> => {
  const random = world.faults.random("late_completion");
  const handed = history.get(world) ?? [];
  if (handed.length === 0) return;
  const { attempt_token, result } = random.pick(handed);
  const isChanged = random.chance(0.3);
  const complete = { attempt_token, result: isChanged ? { ...result, text: "changed" } : result };
  const { checker, host } = world;
  const process = new Process(world, "echo", false);
  const call = host.call(process, host.epoch, "a late completion", (object) => {
    handIn(world, complete);
    const known = checker.completions.get(attempt_token);
    const wasOver = checker.state !== null && isTerminal(checker.state.status);
    const answer = object.advance({ complete, report: true });
    if (known === undefined) {
      if (answer.ok && wasOver) throw new Violation("I6 fencing", "a run that is over took a completion");
      if (answer.ok && checker.ended.has(attempt_token))
        throw new Violation("I6 fencing", "an attempt that is over took a completion");
      if (!answer.ok) world.counters.late_completions_refused += 1;
      return answer;
    }
    const isSame = digestOf(known.handed_in ?? known.result) === digestOf(complete.result);
    if (answer.ok !== isSame)
      throw new Violation("I5 same reply", "a completion was answered against its first answer");
    if (answer.ok && answer.reply.stage?.stage_id !== known.stage_id)
      throw new Violation(
        "I5 same reply",
        `a repeated completion of ${known.stage_id} was answered with another stage`,
      );
    if (!answer.ok) world.counters.late_completions_refused += 1;
    return answer;
  });
  try {
    const answer = await call;
    if (answer.ok) checker.acknowledged.set(attempt_token, "a late completion");
  } catch (fault) {
    if (fault instanceof Violation) throw fault;
  }
};

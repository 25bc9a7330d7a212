import type { IdempotencyKey } from "../../durable-objects/shell/idempotency.ts";
import type { MailboxReply } from "../../src/engine/mailbox/command.ts";
import type { Answer } from "../../src/engine/machine.ts";
import type { CreateRun } from "../../src/engine/run/command.ts";
import { startDriver } from "./actors.ts";
import { insist, repeat, untilAnswered } from "./client.ts";
import type { HitlResponse } from "../../src/engine/hitl/response.ts";
import type { HitlRequest } from "../../src/engine/hitl/state.ts";
import type { Random } from "../support/random.ts";
import { MESSAGES, PEOPLE, randomResult } from "./graph.ts";
import { Process } from "./process.ts";
import { Violation } from "./violation.ts";
import type { WatchedRun } from "./watched-run.ts";
import type { World } from "./world.ts";

/** Makes the command anew, as a client that repeats its request has it made. */
type Again = (process: Process) => Promise<CreateRun>;

/** Creates the run and drives it after the answer, or leaves that to the watchdog. */
export const createRun = async (run: WatchedRun, again?: Again): Promise<void> => {
  const { create, world } = run;
  const process = new Process(world, "client", false);
  if (create === null) return;
  const key = { key: "create", request_digest: "create" };
  const tell = async (under: IdempotencyKey) =>
    insist(run, process, { request: (await again?.(process)) ?? create, key: under });
  const answer = await insist(run, process, { request: create, key });
  if (!answer.ok || answer.reply.type !== "created") throw new Violation("liveness", "the run could not be created");
  if (answer.reply.advance !== null && !world.faults.hits("undriven"))
    startDriver(run, { first: answer.reply.advance, isRequest: true });
  await process.sleep(world.random.int(0, 20_000));
  await repeat({ what: "create_run", key, first: answer, tell });
};

/** How often people look whether there is something for them. */
const LOOK_MS = 1_500;

/** Takes external stages and completes them by hand; sometimes forgets one. */
export const workByHand = async (watched: WatchedRun): Promise<void> => {
  const { world, checker } = watched;
  const process = new Process(world, "person", false);
  while (!world.hasEnded) {
    await process.sleep(LOOK_MS);
    const run = checker.state;
    const offered = run?.open.filter((unit) => unit.mode === "external" && unit.settled === null) ?? [];
    if (run?.status !== "running" || offered.length === 0) continue;
    const { node_id } = world.random.pick(offered);
    const taken = await insist(watched, process, { request: { type: "prepare_stage", node_id, lease_ms: 15_000 } });
    if (!taken.ok || taken.reply.type !== "plan") continue;
    const { attempt_token } = taken.reply.plan;
    const forgets = world.faults.active && world.random.chance(0.2);
    await process.sleep(forgets ? 40_000 : world.random.int(300, 6_000));
    const complete = { attempt_token, node_id, result: randomResult(world.random) };
    watched.handed.push(complete);
    const answer = await insist(watched, process, { request: { type: "complete_stage", ...complete } });
    if (answer.ok) checker.acknowledged.set(attempt_token, `a completion by hand of ${node_id}`);
  }
};

/** Answers what loops ask their client. */
export const answerCalls = async (run: WatchedRun): Promise<void> => {
  const { world, checker } = run;
  const process = new Process(world, "answerer", false);
  while (!world.hasEnded) {
    await process.sleep(LOOK_MS);
    const asking = checker.state?.open.find((unit) => (unit.loop?.pending.length ?? 0) > 0);
    const call = asking?.loop?.pending[0];
    if (asking === undefined || call === undefined) continue;
    const { stage_id } = asking;
    const request = { type: "answer_call", call_id: call.call_id, stage_id, answer: { result: "yes" } } as const;
    const key = { key: `answer ${call.call_id}`, request_digest: call.call_id };
    const answer = await insist(run, process, { request, key });
    if (!answer.ok && answer.rejection.code !== "tool_call_not_found" && answer.rejection.code !== "invalid_transition")
      throw new Violation("journal", `an answer was refused: ${answer.rejection.detail}`);
  }
};

/** What somebody says to a request: mostly yes. */
const wordOn = (request: HitlRequest, random: Random): Omit<HitlResponse, "responded_at"> => {
  const { request_id, asked } = request.asking;
  const reviewer = random.pick(PEOPLE);
  const isYes = random.chance(0.8);
  if (asked.kind === "question") return { request_id, answer: random.int(1, 9) };
  if (asked.kind === "escalation") return { request_id, reviewer, accepted: isYes };
  return { request_id, reviewer, approved: isYes };
};

/** Refusals that people have to live with: the run was over, or somebody has decided before. */
const BEARABLE: ReadonlySet<string> = new Set(["approval_decided", "invalid_transition"]);

/** Answers what stages ask people; often once more, also where the answer comes too late. */
export const answerRequests = async (run: WatchedRun): Promise<void> => {
  const { world, checker } = run;
  const process = new Process(world, "reviewer", false);
  let answers = 0;
  while (!world.hasEnded) {
    await process.sleep(LOOK_MS);
    const known = checker.state?.requests.entries().map(([, { request }]) => request) ?? [];
    const asked = known.filter(({ status }) => status === "open" || world.random.chance(0.05));
    if (asked.length === 0) continue;
    const response = wordOn(world.random.pick(asked), world.random);
    answers += 1;
    const key = { key: `answer ${answers}`, request_digest: response.request_id };
    const tell = (under: IdempotencyKey) =>
      insist(run, process, { request: { type: "answer_request", response }, key: under });
    const answer = await tell(key);
    if (!answer.ok && !BEARABLE.has(answer.rejection.code))
      throw new Violation("journal", `an answer was refused: ${answer.rejection.detail}`);
    if (answer.ok && world.random.chance(0.3)) await repeat({ what: "an answer", key, first: answer, tell });
  }
};

const tellMailbox = (
  world: World,
  process: Process,
  { name, key }: { readonly name: string | null; readonly key?: IdempotencyKey },
): Promise<Answer<MailboxReply>> =>
  untilAnswered(process, {
    host: world.mailbox,
    name: name === null ? "receive" : `signal ${name}`,
    call: (object) =>
      object.request(
        { tenant: "default", workflow_id: "wf" },
        name === null ? { type: "receive" } : { type: "signal", name, payload: { text: `hello ${name}` } },
        key,
      ),
  });

/** Sends a signal under a key of its own; often once more, which must not send it twice (I5). */
export const sendSignal = async (world: World, name: string = world.random.pick(MESSAGES)): Promise<void> => {
  const process = new Process(world, "signaller", false);
  world.counters.signals += 1;
  const key = { key: `signal ${world.counters.signals}`, request_digest: name };
  const tell = (under: IdempotencyKey) => tellMailbox(world, process, { name, key: under });
  const answer = await tell(key);
  if (!answer.ok || answer.reply.type !== "enqueued") throw new Violation("message", "a signal was refused");
  world.mailboxChecker.acknowledged.add(answer.reply.message.seq);
  if (world.random.chance(0.5)) await repeat({ what: "a signal", key, first: answer, tell });
};

/** Takes the oldest message out of the mailbox: what a stage waits for is never there. */
export const receiveMessage = async (world: World): Promise<void> => {
  await tellMailbox(world, new Process(world, "receiver", false), { name: null });
};

/** How long a stage is given to hear a signal where other runs listen as well. */
const AGAIN_MS = 120_000;

/** Once nothing goes wrong any more, sends one signal for each stage that waits: each of them has to be heard. */
export const signalWaiting = async (world: World): Promise<void> => {
  const process = new Process(world, "signaller", false);
  const signalled = new Map<string, number>();
  while (!world.hasEnded) {
    await process.sleep(LOOK_MS);
    if (world.faults.active) continue;
    for (const { stage_id, work } of world.runs.flatMap(({ checker }) => checker.state?.open ?? [])) {
      // A stage of another run may have heard what was sent for this one.
      const isSignalled = (signalled.get(stage_id) ?? -Infinity) > world.scheduler.now - AGAIN_MS;
      if (work.type !== "wait" || isSignalled || (world.runs.length === 1 && signalled.has(stage_id))) continue;
      signalled.set(stage_id, world.scheduler.now);
      await sendSignal(world, work.message);
    }
  }
};

/** Pauses and resumes the run, each under a key of its own and each repeated. */
export const pauseAndResume = async (run: WatchedRun): Promise<void> => {
  const { world, checker } = run;
  const process = new Process(world, "operator", false);
  const tellRun = async (type: "pause_run" | "resume_run"): Promise<void> => {
    const key = { key: `${type} ${world.scheduler.now}`, request_digest: type };
    const tell = (under: IdempotencyKey) => insist(run, process, { request: { type }, key: under });
    const first = await tell(key);
    if (world.random.chance(0.5)) await repeat({ what: type, key, first, tell });
  };
  await tellRun("pause_run");
  await process.sleep(world.random.int(500, 15_000));
  // A run that has used up its steps stays paused: this test would go on for ever otherwise.
  if (checker.pausedBy === "client") await tellRun("resume_run");
};

/** Cancels the run. */
export const cancel = async (run: WatchedRun): Promise<void> => {
  await insist(run, new Process(run.world, "operator", false), { request: { type: "cancel_run" } });
};

import type { IdempotencyKey } from "../../../durable-objects/shell/idempotency.ts";
import type { Answer } from "../../../src/engine/machine.ts";
import type { WorkerCommand, WorkerReply } from "../../../src/engine/worker/command.ts";
import type { Worker } from "../../../src/engine/worker/state.ts";
import { createRun } from "../../support/run-fixture.ts";
import { untilAnswered } from "../client.ts";
import { Process } from "../process.ts";
import { Violation } from "../violation.ts";
import { startCycle, startDriver } from "./drivers.ts";
import { delegatingGraph, delegatingOptions, randomSpawn, suspendConditions } from "./spawns.ts";
import type { WatchedRun } from "./watched-run.ts";
import type { WatchedWorker } from "./watched-worker.ts";
import type { WorkerWorld } from "./world.ts";

/** Nobody asks for more workers than this in a world; stages do. */
const MOST_SPAWNED = 7;

let calls = 0;

/** Somebody who calls until they are answered. */
const someone = async (world: WorkerWorld, what: (person: Process) => Promise<void>): Promise<void> => {
  calls += 1;
  world.underWay += 1;
  await what(new Process(world, `person ${calls}`, false));
  world.underWay -= 1;
};

const tell = (person: Process, { host }: WatchedWorker, command: WorkerCommand): Promise<Answer<WorkerReply>> => {
  calls += 1;
  const key: IdempotencyKey = { key: `call-${calls}`, request_digest: "digest" };
  return untilAnswered(person, { host, name: command.type, call: (object) => object.request(command, key) });
};

/** What a request handler does after a worker was set to work; it may go away before. */
const begin = (worker: WatchedWorker): void => {
  const { world, id } = worker;
  if (!world.faults.hits("undriven")) startCycle(world, id, true);
};

const worked = async (person: Process, worker: WatchedWorker, command: WorkerCommand): Promise<boolean> => {
  const answer = await tell(person, worker, command);
  if (answer.ok) begin(worker);
  return answer.ok;
};

/** A person starts a run whose stages are given to workers. */
export const startRun = (world: WorkerWorld, id: string): Promise<void> =>
  someone(world, async (person) => {
    const { options, tools } = delegatingOptions(world.random);
    const run = world.run(id);
    run.ceiling = tools;
    const command = createRun(delegatingGraph(world.random, tools), { options, run_id: id, start: true });
    calls += 1;
    const key = { key: `call-${calls}`, request_digest: "digest" };
    const answer = await untilAnswered(person, {
      host: run.host,
      name: "create_run",
      call: (object) => object.request(command, key),
    });
    if (!answer.ok) throw new Violation("stray fault", `a run was refused: ${answer.rejection.detail}`);
    if (answer.reply.type !== "created" || world.faults.hits("undriven")) return;
    const { advance } = answer.reply;
    startDriver(run, { isRequest: true, ...(advance === null ? {} : { first: advance }) });
  });

/** A person, or another worker, asks for a worker. */
export const spawn = (world: WorkerWorld): Promise<void> =>
  someone(world, async (person) => {
    const { random, counters } = world;
    if (counters.spawned >= MOST_SPAWNED) return;
    counters.spawned += 1;
    const known = living(world);
    const parent = known.length > 0 && random.chance(0.4) ? random.pick(known) : null;
    const asked = randomSpawn(random, parent?.state ?? null, counters.spawned);
    if (asked === null) return;
    const { command, tools } = asked;
    const worker = world.worker(command.worker_id);
    worker.ceiling = tools;
    if (command.resume_when !== undefined) counters.born_parked += 1;
    const answer = await untilAnswered(person, {
      host: worker.host,
      name: "spawn",
      call: (object) => object.request(command),
    });
    if (!answer.ok) throw new Violation("A1 start", `a spawn was refused: ${answer.rejection.detail}`);
    if (parent !== null) await tell(person, parent, { type: "adopt_child", worker_id: command.worker_id });
    begin(worker);
  });

/** The workers that there are. */
const living = (world: WorkerWorld): readonly WatchedWorker[] =>
  [...world.workers.values()].filter(({ state }) => state !== null);

/** Resumes a worker, often twice at the same time; one of them wins (A7). */
const resume = async (worker: WatchedWorker, state: Worker): Promise<void> => {
  const { world } = worker;
  const at = state.suspension?.suspended_at ?? "";
  const isDouble = world.faults.hits("double_resume");
  const once = (input: string | null): Promise<void> =>
    someone(world, async (person) => {
      const won = await worked(person, worker, {
        type: "resume",
        input,
        continue_transcript: world.random.chance(0.7),
        initiator: "operator",
        trigger_event: null,
        suspended_at: at,
      });
      if (!won) return;
      const winners = (worker.resumedBy.get(at) ?? 0) + 1;
      worker.resumedBy.set(at, winners);
      if (winners > 1) worker.watch.fail("A7 resume", `two people resumed the suspension of ${at}`);
    });
  if (isDouble) world.counters.double_resumes += 1;
  await Promise.all([once(world.random.pick([null, "go on"])), ...(isDouble ? [once("hurry")] : [])]);
};

const others = async (worker: WatchedWorker, state: Worker, person: Process): Promise<void> => {
  const { world } = worker;
  const { random, counters } = world;
  const roll = state.status === "awaiting" ? 0.65 + random.next() * 0.35 : random.next();
  if (roll < 0.45) {
    const conditions = suspendConditions(random);
    await tell(person, worker, { type: "suspend", reason: "pause", initiator: "operator", conditions });
  } else if (roll < 0.5) {
    const order = { reason: "panic", initiator: "triggered", conditions: null, panic: true } as const;
    await tell(person, worker, { type: "suspend", ...order });
  } else if (roll < 0.7) {
    if (await worked(person, worker, { type: "send_input", task: `more ${state.history.length}` }))
      counters.inputs += 1;
  } else if (roll < 0.86) {
    if (await worked(person, worker, { type: "trigger", payload: { n: state.cycle } })) counters.triggered += 1;
  } else if (roll < 0.93) {
    counters.closed += 1;
    await tell(person, worker, { type: "close" });
  } else {
    counters.stopped += 1;
    await tell(person, worker, { type: "stop", graceful: random.chance(0.8), reason: "enough", children: [] });
  }
};

/** A person does something to some worker. */
export const meddle = async (world: WorkerWorld): Promise<void> => {
  const known = living(world);
  if (known.length === 0) return;
  const worker = world.random.pick(known);
  const { state } = worker;
  if (state === null) return;
  if (state.status === "suspended" && world.random.chance(0.7)) return resume(worker, state);
  return someone(world, (person) => others(worker, state, person));
};

/** Suspends whoever works. */
export const suspendAll = async (world: WorkerWorld): Promise<void> => {
  const busy = living(world).filter(({ state }) => state?.status === "running");
  const order = { reason: "lunch", initiator: "operator", conditions: null } as const;
  await Promise.all(
    busy.map((worker) =>
      someone(world, async (person) => void (await tell(person, worker, { type: "suspend", ...order }))),
    ),
  );
};

/** Wakes whoever sleeps and has nothing that wakes it. */
export const wakeAll = async (world: WorkerWorld): Promise<void> => {
  const asleep = living(world).filter(
    ({ state }) =>
      state?.status === "suspended" && state.suspension?.quiesced_at != null && state.resume_at_ms === null,
  );
  await Promise.all(asleep.map((worker) => resume(worker, worker.state as Worker)));
};

/** A person cancels some run. */
export const cancelRun = (world: WorkerWorld): Promise<void> =>
  someone(world, async (person) => {
    const known = [...world.runs.values()].filter(({ state }) => state !== null);
    if (known.length === 0) return;
    const run: WatchedRun = world.random.pick(known);
    world.counters.cancelled_runs += 1;
    await untilAnswered(person, {
      host: run.host,
      name: "cancel_run",
      call: (object) => object.request({ type: "cancel_run", reason: "a person wants it" }),
    });
  });

/** What an earlier cycle reports comes once more, late: it changes nothing (A8). */
export const reportStale = (world: WorkerWorld): void => {
  const { random, counters } = world;
  const known = living(world).filter(({ state }) => (state?.cycle ?? 0) > 1);
  if (known.length === 0) return;
  const worker = random.pick(known);
  const cycle = random.int(1, (worker.state?.cycle ?? 1) - 1);
  const reports: readonly WorkerCommand[] = [
    { type: "cycle_ended", cycle, result: { ok: false, cancelled: false, error: "an old end" } },
    { type: "cycle_ended", cycle, result: { ok: true, payload: {}, transcript: null, artifacts: [], execution: null } },
    { type: "cycle_paused", cycle, turn: 99, transcript: null },
    { type: "cycle_began", cycle, run_id: "an-old-run" },
  ];
  worker.watch.check();
  const before = JSON.stringify(worker.state);
  const command = random.pick(reports);
  worker.host.enter(`an old ${command.type}`, (object) => object.request(command));
  worker.watch.check();
  counters.stale_reports += 1;
  if (JSON.stringify(worker.state) !== before)
    worker.watch.fail("A8 stale", `an old ${command.type} of cycle ${cycle} changed it`);
};

/** A cycle is ordered once more. */
export const orderAgain = (world: WorkerWorld): void => {
  const known = living(world);
  if (known.length > 0) startCycle(world, world.random.pick(known).id, false);
};

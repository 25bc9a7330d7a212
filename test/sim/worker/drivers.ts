import { driveRun, type DrivenRun } from "../../../src/driver/drive.ts";
import type { AdvanceReply } from "../../../src/engine/run/command.ts";
import { isTerminal } from "../../../src/engine/run/state.ts";
import { decodeCapabilityPolicy } from "../../../src/schema/policy.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { AttemptLost, type StageJournal } from "../../../src/ports/stage-journal.ts";
import { beginCycle, type CyclePorts } from "../../../src/queue/begin-cycle.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { Process } from "../process.ts";
import { Violation } from "../violation.ts";
import { allowedTools, TOOLS } from "./tools.ts";
import type { WatchedRun } from "./watched-run.ts";
import type { WorkerWorld } from "./world.ts";

/** A slow stage takes at least as long as a driver's lease. */
const LEASE_MS = 10_000;

const REQUEST_BUDGET_MS = 27_000;
const CONSUMER_BUDGET_MS = 14 * 60_000;

/** What a drive message says. */
export interface DriveOrder {
  readonly run_id?: string;
  readonly worker_id?: string;
  readonly attempt_token?: string;
}

interface Execution {
  readonly run: WatchedRun;
  readonly process: Process;
  readonly plan: StagePlan;
  readonly signal: AbortSignal;
  readonly journal: StageJournal | undefined;
}

const isCurrent = ({ run, plan }: Pick<Execution, "run" | "plan">): boolean =>
  run.state !== null &&
  !isTerminal(run.state.status) &&
  run.state.open.some((unit) => unit.attempt_token === plan.attempt_token && unit.retry_at_ms === null);

/** How long an order to rest may take to arrive where nothing goes wrong. */
const ORDER_MS = 5_000;

/** Nothing is executed for a worker that rests, or should; a driver that was lost does not know of it (A5). */
const checkRest = (execution: Execution, isUnderWay = false): void => {
  const { run, plan } = execution;
  const { world, state, name } = run;
  const to = state?.report_to ?? null;
  if (to === null || !("worker_id" in to) || !isCurrent(execution)) return;
  const { suspension = null } = world.worker(to.worker_id).state ?? {};
  if (suspension === null) return;
  if (suspension.quiesced_at !== null)
    throw new Violation("A5 rest", `${name} executes ${plan.node_id} while its worker rests`);
  const since = Date.parse(suspension.suspended_at);
  if (!isUnderWay && world.calmAt !== null && since > world.calmAt && since < world.clock() - ORDER_MS)
    throw new Violation("A5 rest", `${name} executes ${plan.node_id}, although its worker is long suspended`);
};

/** A tool is used only where everybody up to the root allows it (A10). */
const useTool = ({ run, plan }: Execution): void => {
  const { world } = run;
  const name = world.random.pick(TOOLS);
  const policy = decodeCapabilityPolicy(plan.agent_loop_options?.["policy"] ?? {});
  const tools = policy.ok ? policy.value : null;
  const denied = tools?.denied_all?.includes("tools") === true;
  if (tools === null || denied || (tools.tools.length > 0 && !tools.tools.includes(name))) {
    world.counters.tools_refused += 1;
    return;
  }
  world.counters.tools_used += 1;
  if (!allowedTools(run).includes(name))
    throw new Violation("A10 ceiling", `${run.name} ${plan.node_id} uses the tool ${name}`);
};

/** A step is taken once, unless whoever took it was lost before it was recorded (A6). */
const takeStep = (execution: Execution, number: number): void => {
  const { run, plan, process } = execution;
  const { world } = run;
  const unit = run.state?.open.find(({ stage_id }) => stage_id === plan.stage_id);
  if (isCurrent(execution) && (unit?.loop?.steps ?? 0) > number)
    throw new Violation("A6 step", `${run.name} takes step ${number} of ${plan.node_id} again`);
  const key = `${run.id}:${plan.stage_id}:${number}`;
  const known = world.taken.get(key);
  if (known !== undefined && known.token === plan.attempt_token)
    throw new Violation("A6 step", `${run.name} takes step ${number} of ${plan.node_id} twice in an attempt`);
  world.taken.set(key, { process, token: plan.attempt_token });
  useTool(execution);
};

const work = async (execution: Execution): Promise<JsonObject | null> => {
  const { run, process, plan, journal } = execution;
  const { world } = run;
  const { faults, random } = world;
  const isSlow = faults.hits("slow_stage");
  await process.sleep(isSlow ? faults.random("slow_stage").int(LEASE_MS, 45_000) : random.int(5, 2_500));
  if (plan.mode !== "agent" || journal === undefined) return null;
  const steps = 3 + (plan.stage_id.length % 4);
  const begun = plan.progress?.steps ?? 0;
  try {
    for (let number = begun; number < steps; number += 1) {
      checkRest(execution, number === begun);
      takeStep(execution, number);
      await journal.record({ iteration: number + 1, messages: [{ role: "assistant", content: `step ${number}` }] });
      await process.sleep(random.int(1, 3_000));
    }
    return null;
  } catch (fault) {
    if (!(fault instanceof AttemptLost)) throw fault;
    return { status: "failed", text: "lost", visible_text: "" };
  }
};

const failed = (random: number): JsonObject => ({
  __workflow_stage_error: true,
  status: "failed",
  text: "",
  visible_text: "",
  error: `Error [generic]: ${random}`,
  error_category: "generic",
  retryable: false,
});

const execute = async (execution: Execution): Promise<JsonObject> => {
  const { run, plan, signal } = execution;
  const { world } = run;
  if (plan.mode === "subagent") throw new Violation("execution", `a driver was given the worker's ${plan.node_id}`);
  world.counters.executions += 1;
  checkRest(execution);
  const lost = await work(execution);
  if (lost !== null) return lost;
  const number = world.random.int(1, 1_000_000);
  if (signal.aborted || world.faults.hits("stage_fails")) return failed(number);
  return { status: "completed", text: `ok ${number}`, visible_text: `ok ${number}` };
};

const stub = (run: WatchedRun, process: Process): DrivenRun => {
  const env = run.world.env(process, () => true);
  const object = env.WORKFLOW_RUN.getByName(`default/${run.id}`) as unknown as DrivenRun;
  return {
    advance: (request) => object.advance(request),
    renew: (tokens) => object.renew(tokens),
    recordStep: (step) => object.recordStep(step),
    showText: async () => false,
  };
};

const drive = async (
  run: WatchedRun,
  process: Process,
  from: { readonly first?: AdvanceReply; readonly adopt?: string; readonly isRequest: boolean },
): Promise<void> => {
  const { world } = run;
  const { isRequest, ...how } = from;
  const order = (message: DriveOrder): Promise<void> => world.drive.send({ run_id: run.id, ...message }, () => true);
  const outcome = await driveRun({
    run: () => stub(run, process),
    executor: { execute: (plan, signal, journal) => execute({ run, process, plan, signal, journal }) },
    deadline: process.now() + (isRequest ? REQUEST_BUDGET_MS : CONSUMER_BUDGET_MS),
    now: () => process.now(),
    sleep: (ms) => process.sleep(ms),
    every: (ms, task) => process.every(ms, task),
    takes_any: !isRequest,
    lanes: world.random.pick([1, 2, 6]),
    recruit: () => order({}),
    ...how,
  });
  if (outcome.type !== "out_of_time") return;
  for (const attempt_token of outcome.attempt_tokens) await order({ attempt_token });
};

const startProcess = (world: WorkerWorld, what: (process: Process) => Promise<void>): void => {
  world.counters.drivers += 1;
  const process = new Process(world, `driver ${world.counters.drivers}`, true);
  what(process)
    .catch((fault: unknown) => {
      if (fault instanceof Violation) return world.stray(fault);
      world.trace(`${process.name} stopped: ${fault instanceof Error ? fault.message : "?"}`);
    })
    .finally(() => world.mortals.delete(process));
};

/** Starts the run of a worker's cycle and drives it, as the queue's consumer or a request handler does. */
export const startCycle = (world: WorkerWorld, workerId: string, isRequest: boolean): void =>
  startProcess(world, async (process) => {
    const env = world.env(process, () => true);
    const ports: CyclePorts = {
      worker: env.AGENT_WORKER.getByName(`default/${workerId}`) as unknown as CyclePorts["worker"],
      run: (id) => env.WORKFLOW_RUN.getByName(`default/${id}`) as unknown as ReturnType<CyclePorts["run"]>,
      surroundings: async ({ options }) => ({ options }),
    };
    const begun = await beginCycle(ports, { tenant: "default", worker_id: workerId });
    if (begun === null) return;
    const { first } = begun;
    await drive(world.run(begun.run_id), process, { isRequest, ...(first === undefined ? {} : { first }) });
  });

/** Drives a run, as the queue's consumer or a request handler does. */
export const startDriver = (
  run: WatchedRun,
  from: { readonly first?: AdvanceReply; readonly adopt?: string; readonly isRequest: boolean },
): void => startProcess(run.world, (process) => drive(run, process, from));

/** What the consumer of the drive queue does with a message. */
export const startConsumer = (world: WorkerWorld, { run_id, worker_id, attempt_token: adopt }: DriveOrder): void => {
  if (worker_id !== undefined) startCycle(world, worker_id, false);
  else if (run_id !== undefined)
    startDriver(world.run(run_id), { isRequest: false, ...(adopt === undefined ? {} : { adopt }) });
};

import type { Answer } from "../engine/machine.ts";
import { intersectPolicies } from "../engine/policy/capability.ts";
import type { AdvanceReply, CreateRun, RunReply } from "../engine/run/command.ts";
import type { WorkerCommand } from "../engine/worker/command.ts";
import type { OrderedCycle } from "../engine/worker/cycle-run.ts";
import type { RunSurroundings } from "../http/run-surroundings.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { type DecodedGraph, decodeGraph } from "../schema/graph.ts";
import { decodeRunOptions } from "../schema/run.ts";

/** What starting a cycle needs of its worker. */
interface StartedWorker {
  readonly orderedCycle: () => Promise<OrderedCycle | null>;
  readonly request: (command: WorkerCommand) => Promise<Answer<unknown>>;
}

/** What starting a cycle needs of its run. */
interface CarryingRun {
  readonly carryOut: (request: CreateRun) => Promise<Answer<RunReply>>;
}

/** What starting a cycle needs of the world. */
export interface CyclePorts {
  readonly worker: StartedWorker;
  readonly run: (runId: string) => CarryingRun;
  /** Adds what a run takes from its deployment and its tenant. */
  readonly surroundings: (given: {
    readonly graph: DecodedGraph;
    readonly options: CreateRun["options"];
  }) => Promise<RunSurroundings>;
}

/** A worker whose cycle is to be started. */
export interface CycleStart {
  readonly tenant: string;
  readonly worker_id: string;
}

/** A cycle that began. */
export interface BegunCycle {
  readonly tenant: string;
  readonly run_id: string;
  readonly first?: AdvanceReply;
}

/** The run of a cycle under the policy of its worker, which can only narrow (spec/workers 3). */
const cycleCommand = async (
  ports: CyclePorts,
  { tenant, worker_id }: CycleStart,
  { cycle, held, order, policy, audit }: OrderedCycle,
): Promise<Result<CreateRun, string>> => {
  if (!order.ok) return order;
  const { run_id, task, artifacts, sessions, execution } = order.value;
  const graph = decodeGraph(order.value.graph);
  if (!graph.ok) return err(graph.error.message);
  const options = decodeRunOptions(order.value.options);
  if (!options.ok) return err(options.error.message);
  const asked = options.value.capability_policy ?? null;
  const met = policy === null || asked === null ? ok(asked ?? policy) : intersectPolicies(policy, asked);
  if (!met.ok) return err(String(met.error));
  const ceiling = met.value === null ? {} : { capability_policy: met.value };
  const given = { graph: graph.value, options: { ...options.value, ...ceiling, audit, execution } };
  return ok({
    type: "create_run",
    tenant,
    run_id,
    task,
    graph: graph.value,
    artifacts,
    sessions,
    ...(await ports.surroundings(given)),
    report_to: { worker_id, cycle },
    drive: "auto",
    start: !held,
  });
};

/** Starts the run that a worker waits for, as it was taken or as the worker says; null for none. Doing it again is the same run. */
export const beginCycle = async (
  ports: CyclePorts,
  start: CycleStart,
  taken?: OrderedCycle,
): Promise<BegunCycle | null> => {
  const { worker } = ports;
  const ordered = taken ?? (await worker.orderedCycle());
  if (ordered === null) return null;
  const { cycle } = ordered;
  const fail = async (error: string): Promise<null> => {
    await worker.request({ type: "cycle_ended", cycle, result: { ok: false, cancelled: false, error } });
    return null;
  };
  const command = await cycleCommand(ports, start, ordered);
  if (!command.ok) return fail(command.error);
  const { tenant, run_id } = command.value;
  const answer = await ports.run(run_id).carryOut(command.value);
  if (!answer.ok && answer.rejection.code === "unavailable") throw new Error(answer.rejection.detail);
  if (!answer.ok) return fail(answer.rejection.detail);
  await worker.request({ type: "cycle_began", cycle, run_id });
  if (ordered.held) return null;
  const first = answer.ok && answer.reply.type === "created" ? answer.reply.advance : null;
  return { tenant, run_id, ...(first === null ? {} : { first }) };
};

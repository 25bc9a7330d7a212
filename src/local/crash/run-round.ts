import { setTimeout as sleep } from "node:timers/promises";
import { LocalProblem } from "../problem.ts";
import type { Api } from "../api.ts";
import type { RunStageRecord } from "../../schema/record.ts";
import { type ServerOptions, type ServerProcess, startProcess, type Victim } from "./server-process.ts";
import type { Target } from "./target.ts";

/** How many stages the run has. */
export const STAGES = 100;

/** After a restart the run must be over by then. */
const PATIENCE_MS = 60_000;

/** What a round found out. */
export interface RunRound {
  readonly victim: Victim;
  /** Calls that had come in when the process was killed. */
  readonly killed_after: number;
  /** Stages that the API had shown as completed before. */
  readonly acknowledged: number;
  /** From the start of the new process, and from the moment it serves, to the run's next call; negative: before it said so. */
  readonly went_on_after_start_ms: number;
  readonly went_on_after_ready_ms: number;
  /** Calls made twice, each of them by the one stage that was at work when the process died. */
  readonly repeated_calls: number;
  readonly recovered: number;
  /** Empty when everything is right. */
  readonly faults: readonly string[];
}

const nodeName = (index: number): string => `step_${String(index).padStart(3, "0")}`;

/** A chain of HTTP stages. */
const chain = (host: string) => ({
  id: "crash-test",
  entry: nodeName(0),
  nodes: Object.fromEntries(
    Array.from({ length: STAGES }, (_, index) => [
      nodeName(index),
      { kind: "stage", mode: "http", http: { method: "POST", url: `http://${host}/work/${nodeName(index)}` } },
    ]),
  ),
  edges: Array.from({ length: STAGES - 1 }, (_, index) => ({ from: nodeName(index), to: nodeName(index + 1) })),
});

const stagesOf = async (api: Api, runId: string): Promise<readonly RunStageRecord[]> =>
  (await api.client.listPart(runId, "stages", { limit: 200 })).items as unknown as readonly RunStageRecord[];

const isCompleted = (stage: RunStageRecord): boolean => stage.status === "completed";

/** Waits until the run is over; answers its status. */
const awaitEnd = async (api: Api, runId: string): Promise<string> => {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await sleep(100)) {
    const { status } = await api.client.getRun(runId);
    if (status !== "running") return status;
  }
  return "still running";
};

const kept = (before: readonly RunStageRecord[], after: readonly RunStageRecord[]): readonly string[] => {
  const byId = new Map(after.map((stage) => [stage.id, JSON.stringify(stage)]));
  return before
    .filter((stage) => byId.get(stage.id) !== JSON.stringify(stage))
    .map(
      (stage) => `stage ${stage.node_id} had been acknowledged and is ${byId.has(stage.id) ? "another now" : "lost"}`,
    );
};

const exactlyOnce = (after: readonly RunStageRecord[]): readonly string[] =>
  Array.from({ length: STAGES }, (_, index) => nodeName(index)).flatMap((node) => {
    const count = after.filter((stage) => stage.node_id === node && isCompleted(stage)).length;
    return count === 1 ? [] : [`node ${node} completed ${count} times`];
  });

const callFaults = (target: Target, before: readonly RunStageRecord[]): readonly string[] => {
  const keys = Map.groupBy(target.calls, (call) => call.node);
  const acknowledged = new Set(before.map((stage) => stage.node_id));
  return [...keys].flatMap(([node, calls]) => [
    ...(new Set(calls.map((call) => call.key)).size === 1
      ? []
      : [`${node} was called under different idempotency keys`]),
    ...(calls.length > 1 && acknowledged.has(node) ? [`${node} was acknowledged and yet called again`] : []),
    ...(calls.length > 2 ? [`${node} was called ${calls.length} times`] : []),
  ]);
};

/** How a round is played. */
export interface RoundPlan {
  readonly options: ServerOptions;
  readonly target: Target;
  readonly victim: Victim;
  /** Kill when so many calls have come in, and a moment later. */
  readonly kill_after: number;
  readonly then_ms: number;
}

const killInTheMiddle = async (server: ServerProcess, plan: RoundPlan, runId: string) => {
  await plan.target.reached(plan.kill_after);
  await sleep(plan.then_ms);
  const before = (await stagesOf(server.api, runId)).filter(isCompleted);
  await server.kill(plan.victim);
  return before;
};

const next = (plan: RoundPlan, server: ServerProcess): Promise<ServerProcess> | ServerProcess =>
  // The runtime alone is started again by the server that has lost it.
  plan.victim === "runtime"
    ? { ...server, spawned_at_ms: Date.now(), ready_at_ms: Date.now() }
    : startProcess(plan.options);

/** Kills a server in the middle of a run of 100 stages, starts it again, and checks what became of the run. */
export const playRunRound = async (plan: RoundPlan): Promise<RunRound> => {
  const { target, victim } = plan;
  let server = await startProcess(plan.options);
  try {
    const run = await server.api.client.createRun({ graph: chain(target.host), task: "survive" });
    const before = await killInTheMiddle(server, plan, run.run_id);
    const killedAfter = target.calls.length;
    if (killedAfter >= STAGES) throw new LocalProblem("The run was over before the kill: nothing was tested.");
    server = await next(plan, server);
    await target.reached(killedAfter + 1);
    const wentOnAt = target.calls[killedAfter]?.at_ms ?? 0;
    const status = await awaitEnd(server.api, run.run_id);
    const after = await stagesOf(server.api, run.run_id);
    return {
      victim,
      killed_after: killedAfter,
      acknowledged: before.length,
      went_on_after_start_ms: wentOnAt - server.spawned_at_ms,
      went_on_after_ready_ms: wentOnAt - server.ready_at_ms,
      repeated_calls: target.calls.length - new Set(target.calls.map((call) => call.key)).size,
      recovered: server.recovered,
      faults: [
        ...(status === "completed" ? [] : [`the run is ${status}`]),
        ...kept(before, after),
        ...exactlyOnce(after),
        ...callFaults(target, before),
      ],
    };
  } finally {
    await server.stop();
  }
};

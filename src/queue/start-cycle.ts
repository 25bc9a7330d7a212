import { driveAfterRequest, driveFromMessage } from "../driver/start.ts";
import type { OrderedCycle } from "../engine/worker/cycle-run.ts";
import type { Bindings } from "../http/call.ts";
import { runSurroundings } from "../http/run-surroundings.ts";
import { type BegunCycle, beginCycle, type CyclePorts, type CycleStart } from "./begin-cycle.ts";

/** The objects of the platform that the cycle of a worker takes. */
const cyclePorts = (env: Bindings, { tenant, worker_id }: CycleStart): CyclePorts => ({
  worker: env.AGENT_WORKER.getByName(`${tenant}/${worker_id}`) as unknown as CyclePorts["worker"],
  run: (runId) => env.WORKFLOW_RUN.getByName(`${tenant}/${runId}`) as unknown as ReturnType<CyclePorts["run"]>,
  surroundings: (given) => runSurroundings(env, tenant, given),
});

const begin = (env: Bindings, start: CycleStart, taken?: OrderedCycle): Promise<BegunCycle | null> =>
  beginCycle(cyclePorts(env, start), start, taken);

/** Starts the cycle of a worker and drives its run, on behalf of a message. */
export const startCycle = async (env: Env, start: CycleStart): Promise<void> => {
  const begun = await begin(env, start);
  if (begun !== null) await driveFromMessage(env, { v: 1, tenant: begun.tenant, run_id: begun.run_id }, begun.first);
};

/** The same after the answer to the request that set the worker to work, and took its cycle, has left. */
export const startCycleAfterRequest = async (env: Env, start: CycleStart, taken: OrderedCycle): Promise<void> => {
  const begun = await begin(env, start, taken);
  if (begun !== null) await driveAfterRequest(env, begun);
};

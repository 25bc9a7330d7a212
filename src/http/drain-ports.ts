import type { Call } from "./call.ts";
import type { DrainPorts } from "./settle-run.ts";
import { settleTrigger } from "./settle-trigger.ts";
import { tellLifecycle } from "./tell-lifecycle.ts";
import { workerObject } from "./worker-object.ts";
import { unsettledOf } from "./unsettled-ports.ts";

const closeWorker = async (call: Pick<Call, "env" | "tenant">, workerId: string): Promise<boolean> =>
  (await workerObject(call.env, call.tenant, workerId).request({ type: "close" })).ok;

/** What draining a run of the tenant takes (spec/workers 21.10). */
export const drainPortsOf = (call: Pick<Call, "env" | "tenant">, runId: string): DrainPorts => ({
  snapshot: async () => {
    const snapshot = await unsettledOf(call, runId);
    if (snapshot === null) throw new Error(`run ${runId} is gone`);
    return snapshot;
  },
  carryOut: (effect) =>
    effect.type === "close_worker" ? closeWorker(call, effect.worker_id) : settleTrigger(call, effect),
  tell: async (request) => {
    const told = await tellLifecycle(call, runId, { request });
    return told.ok && (told.value.entry !== null || told.value.envelope !== null);
  },
});

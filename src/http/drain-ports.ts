import type { Call } from "./call.ts";
import type { DrainPorts } from "./settle-run.ts";
import { settleTrigger } from "./settle-trigger.ts";
import { tellLifecycle } from "./tell-lifecycle.ts";
import { unsettledOf } from "./unsettled-ports.ts";

/** What draining a run of the tenant takes (spec/workers 21.10). */
export const drainPortsOf = (call: Pick<Call, "env" | "tenant">, runId: string): DrainPorts => ({
  snapshot: async () => {
    const snapshot = await unsettledOf(call, runId);
    if (snapshot === null) throw new Error(`run ${runId} is gone`);
    return snapshot;
  },
  // The worker's object closes it; until workers are asked none is found suspended.
  carryOut: (effect) => (effect.type === "close_worker" ? Promise.resolve(false) : settleTrigger(call, effect)),
  tell: async (request) => {
    const told = await tellLifecycle(call, runId, { request });
    return told.ok && (told.value.entry !== null || told.value.envelope !== null);
  },
});

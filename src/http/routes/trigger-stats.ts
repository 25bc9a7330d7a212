import { rfc3339 } from "../../lib/time.ts";
import type { CircuitView } from "../../engine/trigger/circuit.ts";
import { destinationOf, hasCircuit } from "../../engine/trigger/definition-handler.ts";
import { type StoredDefinition, triggerIdSchema } from "../../schema/trigger-definition.ts";
import { type CircuitReport, circuitReportSchema, statsQuery, triggerStatsSchema } from "../../schema/trigger-stats.ts";
import type { Call } from "../call.ts";
import { circuitObject } from "../circuit-object.ts";
import { done, type Router } from "../router.ts";
import { triggerNotFound, triggerObject } from "../trigger-object.ts";
import { readTriggerStats } from "../trigger-stats-rows.ts";
import { triggerStats } from "../trigger-stats.ts";

const HOUR_MS = 3_600_000;

const timeText = (at: number | null): string | null => (at === null ? null : rfc3339(at));

const reportOf = (destination: string, view: CircuitView): CircuitReport => ({
  destination,
  state: view.state,
  failures: view.failures,
  opened_at: timeText(view.opened_at_ms),
  retry_at: timeText(view.retry_at_ms),
});

const shownCircuit = async (call: Call, definition: StoredDefinition | null): Promise<CircuitReport | null> => {
  if (definition === null || !hasCircuit(definition)) return null;
  const destination = destinationOf(definition);
  return reportOf(destination, await circuitObject(call.env, call.tenant, destination).show());
};

const addReset = (router: Router): void => {
  router.add(
    {
      method: "post",
      path: "/v1/triggers/{trigger_id}/reset_circuit",
      operation: "reset_trigger_circuit",
      tag: "Triggers",
      access: "triggers",
      summary: "Close the circuit of a trigger's destination",
      description:
        "For all triggers of the tenant that call it: the next attempt is made at once, and failures are counted anew.",
      reply: { status: 200, description: "The circuit", name: "Circuit", schema: circuitReportSchema },
      problems: ["trigger_not_found"],
    },
    async ({ params, call }) => {
      const { trigger_id: id } = params;
      const isId = triggerIdSchema.safeParse(id).success;
      const binding = isId ? await triggerObject(call.env, call.tenant, id).binding() : null;
      if (binding === null) return triggerNotFound(id);
      const destination = destinationOf(binding.definition);
      const circuit = circuitObject(call.env, call.tenant, destination);
      await circuit.reset();
      return done(reportOf(destination, await circuit.show()));
    },
  );
};

const addStats = (router: Router): void => {
  router.add(
    {
      method: "get",
      path: "/v1/triggers/{trigger_id}/stats",
      operation: "get_trigger_stats",
      tag: "Triggers",
      access: "triggers",
      summary: "Get the figures and the health of a trigger",
      description:
        "They may lag a few seconds behind, and duplicates and refused deliveries are counted approximately.",
      query: statsQuery,
      reply: { status: 200, description: "The figures", name: "TriggerStats", schema: triggerStatsSchema },
      problems: ["trigger_not_found"],
    },
    async ({ params, query, call }) => {
      const { trigger_id: id } = params;
      const now = Date.now();
      const { window, silent_after: silentAfter = null } = query;
      const rows = await readTriggerStats(call.env.DB, {
        tenant: call.tenant,
        trigger_id: id,
        from: rfc3339(now - window),
        to: rfc3339(now),
        hour_ago: rfc3339(now - HOUR_MS),
      });
      if (rows.state === null) return triggerNotFound(id);
      const stats = triggerStats({ trigger_id: id, now, window, silent_after: silentAfter }, rows.state, rows);
      const definition = rows.definition === null ? null : (JSON.parse(rows.definition) as StoredDefinition);
      return done({ ...stats, circuit: await shownCircuit(call, definition) });
    },
  );
};

/** Figures and health of a trigger, from the lists: its object is not asked (spec/triggers 22.2). */
export const addTriggerStatsRoutes = (router: Router): void => {
  addStats(router);
  addReset(router);
};

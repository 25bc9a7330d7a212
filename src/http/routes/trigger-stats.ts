import { rfc3339 } from "../../lib/time.ts";
import { statsQuery, triggerStatsSchema } from "../../schema/trigger-stats.ts";
import { done, type Router } from "../router.ts";
import { triggerNotFound } from "../trigger-object.ts";
import { readTriggerStats } from "../trigger-stats-rows.ts";
import { triggerStats } from "../trigger-stats.ts";

const HOUR_MS = 3_600_000;

/** Figures and health of a trigger, from the lists: its object is not asked (spec/triggers 22.2). */
export const addTriggerStatsRoutes = (router: Router): void => {
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
      return done(triggerStats({ trigger_id: id, now, window, silent_after: silentAfter }, rows.state, rows));
    },
  );
};

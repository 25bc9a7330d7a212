import { previewCron } from "../../engine/cron/preview.ts";
import { compileCron } from "../../lib/cron-expression.ts";
import { cronQuery, cronTicksSchema } from "../../schema/api-cron.ts";
import { invalid } from "../problem.ts";
import { done, type Router } from "../router.ts";

/** Help with schedules (spec/triggers 18): nothing is stored. */
export const addCronRoutes = (router: Router): void => {
  router.add(
    {
      tag: "Triggers",
      access: "triggers",
      method: "get",
      path: "/v1/cron/next",
      operation: "preview_cron",
      summary: "Show when a cron schedule fires next",
      description: "As a trigger with this `schedule` and `timezone` would fire, in UTC and in local time.",
      query: cronQuery,
      reply: { status: 200, description: "The ticks", name: "CronTicks", schema: cronTicksSchema },
    },
    ({ query }) => {
      const { schedule, timezone, count, after } = query;
      const compiled = compileCron(schedule, timezone);
      if (!compiled.ok) return invalid([compiled.error]);
      const from = after === undefined ? Date.now() : Date.parse(after);
      return done({ schedule, timezone, ticks: previewCron(compiled.value, { timezone, after: from, count }) });
    },
  );
};

import { isTickMissing } from "../engine/cron/watch.ts";
import type { Bindings } from "../http/call.ts";
import { triggerObject } from "../http/trigger-object.ts";
import { compileCron } from "../lib/cron-expression.ts";
import { report, textOf } from "../queue/report.ts";

const PAGE = 200;

/** So many pages are looked at in one call; a deployment with more of them has to rely on alarms alone for the rest. */
const MAX_PAGES = 25;

interface Row {
  readonly tenant: string;
  readonly trigger_id: string;
  readonly schedule: string | null;
  readonly timezone: string | null;
  readonly updated_at: string;
  readonly last_event_at: string | null;
}

const SQL = `SELECT tenant, trigger_id, definition ->> '$.schedule' AS schedule, definition ->> '$.timezone' AS timezone, updated_at,
  (SELECT max(received_at) FROM events WHERE events.tenant = triggers.tenant AND events.trigger_id = triggers.trigger_id) AS last_event_at
  FROM triggers WHERE provider = 'cron' AND state = 'active' AND (tenant, trigger_id) > (?, ?) ORDER BY tenant, trigger_id LIMIT ?`;

const isLost = (row: Row, now: number): boolean => {
  const compiled = compileCron(row.schedule, row.timezone ?? undefined);
  const lastEventAt = row.last_event_at === null ? null : Date.parse(row.last_event_at);
  return compiled.ok && isTickMissing(compiled.value, { since: Date.parse(row.updated_at), lastEventAt, now });
};

/**
 * Wakes cron triggers that had a tick no event is listed of: their alarm was lost. Each decides itself what is due, so
 * that waking one too many changes nothing (spec/triggers 26.2).
 */
export const wakeLostSchedules = async (env: Bindings, now: number): Promise<void> => {
  let after: readonly [string, string] = ["", ""];
  for (let page = 0; page < MAX_PAGES; page++) {
    const { results } = await env.DB.prepare(SQL)
      .bind(...after, PAGE)
      .all<Row>();
    for (const { tenant, trigger_id: triggerId } of results.filter((row) => isLost(row, now))) {
      await triggerObject(env, tenant, triggerId)
        .recover()
        .catch((error: unknown) =>
          report("a schedule could not be woken", { trigger_id: triggerId, error: textOf(error) }),
        );
    }
    const last = results.at(-1);
    if (last === undefined || results.length < PAGE) return;
    after = [last.tenant, last.trigger_id];
  }
};

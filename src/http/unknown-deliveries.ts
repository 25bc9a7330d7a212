import { rfc3339 } from "../lib/time.ts";
import type { UnknownDelivery } from "../schema/trigger.ts";
import { fromDatabase } from "./fault.ts";
import type { HookTarget } from "./hook-binding.ts";

const MINUTE_MS = 60_000;
const MAX_COUNTERS = 1_000;

interface Counter {
  readonly minute: number;
  count: number;
  written: number;
}

// In the isolate only: what an eviction forgets is less than half of a minute's count.
const counters = new Map<string, Counter>();

/**
 * Counts a delivery for a trigger that does not exist, without anything of its body.
 *
 * Anybody can send one, so not each may cost a row: like refused deliveries they are written when a minute's count is a
 * power of two. Returns what is to be written, or null.
 */
export const countUnknown = (db: D1Database, target: HookTarget, now: number): Promise<unknown> | null => {
  const minute = Math.floor(now / MINUTE_MS);
  const known = counters.get(target.tenant);
  const counter = known?.minute === minute ? known : { minute, count: 0, written: 0 };
  if (known?.minute !== minute) {
    if (counters.size >= MAX_COUNTERS) counters.clear();
    counters.set(target.tenant, counter);
  }
  counter.count += 1;
  if ((counter.count & (counter.count - 1)) !== 0) return null;
  const added = counter.count - counter.written;
  counter.written = counter.count;
  return db
    .prepare(
      // The tenant is whatever the sender wrote into the path: only one that exists has a list.
      `INSERT INTO unknown_deliveries (tenant, minute, count, last_trigger_id, last_at)
       SELECT ?1, ?2, ?3, ?4, ?5 WHERE ?1 = 'default' OR EXISTS (SELECT 1 FROM tenants WHERE tenant = ?1)
       ON CONFLICT (tenant, minute) DO UPDATE SET count = count + excluded.count,
       last_trigger_id = excluded.last_trigger_id, last_at = excluded.last_at`,
    )
    .bind(target.tenant, rfc3339(minute * MINUTE_MS), added, target.trigger_id, rfc3339(now))
    .run();
};

/** A tenant's unknown deliveries before a minute, newest first. */
export const listUnknown = async (
  db: D1Database,
  tenant: string,
  page: { readonly before: string | null; readonly limit: number },
): Promise<readonly UnknownDelivery[]> => {
  const { results } = await fromDatabase(
    db
      .prepare(
        `SELECT minute, count, last_trigger_id, last_at FROM unknown_deliveries
         WHERE tenant = ? AND (? IS NULL OR minute < ?) ORDER BY minute DESC LIMIT ?`,
      )
      .bind(tenant, page.before, page.before, page.limit)
      .all<UnknownDelivery>(),
  );
  return results;
};

import type { Bindings } from "../http/call.ts";
import { OPEN } from "../http/event-status.ts";
import { report, textOf } from "../queue/report.ts";

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 90;

/** Tenants that one sweep looks at, and rows that it deletes of each list of a tenant. */
const MAX_TENANTS = 20;
const MAX_ROWS = 500;

/** The scheduled handler runs every five minutes; one sweep an hour is enough. */
const SWEEP_MINUTES = 5;

const HOUR_TEXT_LENGTH = "2026-01-01T00".length;

/** How many days rows are kept: `GODWIT_EVENT_LIST_DAYS`, a whole number of at least one, else 90. */
export const retentionDays = (setting: string | undefined): number =>
  setting !== undefined && /^[1-9]\d{0,4}$/.test(setting) ? Number(setting) : DEFAULT_DAYS;

// What is not over is never deleted, and neither is anything that somebody still has to decide about.
const EVENTS = `DELETE FROM events WHERE tenant = ?1 AND event_id IN (
  SELECT event_id FROM events AS old WHERE old.tenant = ?1 AND old.received_at < ?2 AND NOT (old.${OPEN})
  AND old.event_id NOT IN (SELECT event_id FROM dead_letters WHERE tenant = ?1 AND state = 'pending')
  ORDER BY old.received_at, old.event_id LIMIT ${MAX_ROWS})`;

const DEAD_LETTERS = `DELETE FROM dead_letters WHERE tenant = ?1 AND dlq_id IN (
  SELECT dlq_id FROM dead_letters AS old WHERE old.tenant = ?1 AND old.state IN ('resolved', 'discarded')
  AND old.created_at < ?2 AND old.updated_at < ?2 LIMIT ${MAX_ROWS})`;

const HOURS = `DELETE FROM trigger_hours WHERE tenant = ?1 AND (trigger_id, hour) IN (
  SELECT trigger_id, hour FROM trigger_hours AS old WHERE old.tenant = ?1 AND old.hour < ?2 LIMIT ${MAX_ROWS})`;

const COUNTERS = `DELETE FROM metric_counters WHERE tenant = ?1 AND (name, labels) IN (
  SELECT name, labels FROM metric_counters AS old WHERE old.tenant = ?1 AND old.updated_at < ?2 LIMIT ${MAX_ROWS})`;

const OPERATIONS = `DELETE FROM operations WHERE tenant = ?1 AND operation_id IN (
  SELECT operation_id FROM operations AS old WHERE old.tenant = ?1 AND old.state = 'done' AND old.updated_at < ?2 LIMIT ${MAX_ROWS})`;

const OPERATION_ITEMS = `DELETE FROM operation_items WHERE tenant = ?1 AND (operation_id, position) IN (
  SELECT operation_id, position FROM operation_items AS old WHERE old.tenant = ?1
  AND old.operation_id NOT IN (SELECT operation_id FROM operations WHERE tenant = ?1) LIMIT ${MAX_ROWS})`;

const TENANTS = `SELECT tenant FROM (SELECT 'default' AS tenant UNION SELECT tenant FROM tenants)
  ORDER BY random() LIMIT ${MAX_TENANTS}`;

/** Deletes what is old of some tenants' lists, a bounded number of rows; the rest waits for a later sweep. */
export const sweepLists = async (env: Pick<Bindings, "DB" | "GODWIT_EVENT_LIST_DAYS">, now: number): Promise<void> => {
  const cutoff = new Date(now - retentionDays(env.GODWIT_EVENT_LIST_DAYS) * DAY_MS).toISOString();
  const hour = cutoff.slice(0, HOUR_TEXT_LENGTH);
  const { results } = await env.DB.prepare(TENANTS).all<{ readonly tenant: string }>();
  for (const { tenant } of results) {
    await env.DB.batch([
      ...[EVENTS, DEAD_LETTERS, COUNTERS, OPERATIONS].map((sql) => env.DB.prepare(sql).bind(tenant, cutoff)),
      env.DB.prepare(HOURS).bind(tenant, hour),
      env.DB.prepare(OPERATION_ITEMS).bind(tenant),
    ]);
  }
};

/** Sweeps once an hour; the lists do without it, so whatever goes wrong is only reported. */
export const sweepHourly = async (env: Bindings, now: number): Promise<void> => {
  if (new Date(now).getUTCMinutes() >= SWEEP_MINUTES) return;
  await sweepLists(env, now).catch((error: unknown) =>
    report("the lists could not be swept", { error: textOf(error) }),
  );
};

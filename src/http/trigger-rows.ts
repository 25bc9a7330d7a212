import type { EventQuery, EventRow } from "../schema/trigger-event.ts";
import type { TriggerReport, TriggerRow } from "../schema/trigger.ts";
import { fromDatabase } from "./fault.ts";
import type { Position } from "./page.ts";

/** Brings the list up to date with a trigger, unless it knows a later change. */
export const storeTrigger = async (
  db: D1Database,
  tenant: string,
  { trigger, seq }: { readonly trigger: TriggerReport; readonly seq: number },
): Promise<void> => {
  const { trigger_id, source, definition, state, version, created_at, updated_at } = trigger;
  const statement = db
    .prepare(
      `INSERT INTO triggers (tenant, trigger_id, seq, provider, source, state, version, definition, created_at, updated_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (tenant, trigger_id) DO UPDATE SET seq = excluded.seq, provider = excluded.provider,
       source = excluded.source, state = excluded.state, version = excluded.version, definition = excluded.definition,
       created_at = excluded.created_at, updated_at = excluded.updated_at WHERE excluded.seq > triggers.seq`,
    )
    .bind(
      tenant,
      trigger_id,
      seq,
      definition.provider,
      source,
      state,
      version,
      JSON.stringify(definition),
      created_at,
      updated_at,
    );
  await fromDatabase(statement.run());
};

/** Takes a deleted trigger off the list; its sequence goes on, should it be put again. */
export const forgetTrigger = async (db: D1Database, tenant: string, triggerId: string): Promise<void> => {
  const statement = db.prepare("DELETE FROM triggers WHERE tenant = ? AND trigger_id = ?").bind(tenant, triggerId);
  await fromDatabase(statement.run());
};

/** A tenant's triggers after an id, in the order of their ids. */
export const listTriggers = async (
  db: D1Database,
  tenant: string,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly TriggerRow[]> => {
  const { results } = await fromDatabase(
    db
      .prepare(
        `SELECT trigger_id, provider, state, version, definition, created_at, updated_at FROM triggers
         WHERE tenant = ? AND trigger_id > ? ORDER BY trigger_id LIMIT ?`,
      )
      .bind(tenant, page.after, page.limit)
      .all<Omit<TriggerRow, "definition"> & { readonly definition: string }>(),
  );
  return results.map((row) => ({ ...row, definition: JSON.parse(row.definition) as TriggerRow["definition"] }));
};

/** All of a tenant's triggers that a manifest put, in the order of their ids. */
export const listManifestTriggers = async (
  db: D1Database,
  tenant: string,
): Promise<readonly Pick<TriggerRow, "trigger_id" | "definition">[]> => {
  const { results } = await fromDatabase(
    db
      .prepare(
        "SELECT trigger_id, definition FROM triggers WHERE tenant = ? AND source = 'manifest' ORDER BY trigger_id",
      )
      .bind(tenant)
      .all<{ readonly trigger_id: string; readonly definition: string }>(),
  );
  return results.map((row) => ({ ...row, definition: JSON.parse(row.definition) as TriggerRow["definition"] }));
};

const EVENT_COLUMNS =
  "event_id, trigger_id, provider, kind, dedupe_key, status, run_id, receipt, error, received_at, updated_at";

/** Where an event lies; null when the list does not know it (yet). */
export const findEvent = (db: D1Database, tenant: string, eventId: string): Promise<EventRow | null> =>
  fromDatabase(
    db
      .prepare(`SELECT ${EVENT_COLUMNS} FROM events WHERE tenant = ? AND event_id = ?`)
      .bind(tenant, eventId)
      .first<EventRow>(),
  );

/** A tenant's events that match the filters, newest first, after a position; one more than the limit where there are more. */
export const listEvents = async (
  db: D1Database,
  tenant: string,
  query: EventQuery,
  after: Position | null,
): Promise<readonly EventRow[]> => {
  const conditions = ["tenant = ?"];
  const values: (string | number)[] = [tenant];
  const add = (condition: string, ...bound: readonly string[]): void => {
    conditions.push(condition);
    values.push(...bound);
  };
  if (query.trigger_id !== undefined) add("trigger_id = ?", query.trigger_id);
  if (query.status !== undefined) add("status = ?", query.status);
  if (query.since !== undefined) add("received_at >= ?", new Date(query.since).toISOString());
  if (after !== null) add("(received_at, event_id) < (?, ?)", ...after);
  const sql = `SELECT ${EVENT_COLUMNS} FROM events WHERE ${conditions.join(" AND ")} ORDER BY received_at DESC, event_id DESC LIMIT ?`;
  const statement = db.prepare(sql).bind(...values, query.limit + 1);
  const { results } = await fromDatabase(statement.all<EventRow>());
  return results;
};

/** Where a list goes on after an event. */
export const eventPosition = (row: EventRow): Position => [row.received_at, row.event_id];

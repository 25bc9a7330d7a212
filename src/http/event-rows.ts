import type { EventQuery, EventRow } from "../schema/trigger-event.ts";
import { isOpenStatus, OPEN, UNSETTLED } from "./event-status.ts";
import { fromDatabase } from "./fault.ts";
import type { Position } from "./page.ts";

const EVENT_COLUMNS =
  "event_id, trigger_id, provider, kind, dedupe_key, status, run_id, receipt, error, received_at, updated_at, " +
  "binding_version, attempt_count, skip_stage, error_class, settled_at, replay_of, shard";

/** Where an event lies; null when the list does not know it (yet). */
export const findEvent = (db: D1Database, tenant: string, eventId: string): Promise<EventRow | null> =>
  fromDatabase(
    db
      .prepare(`SELECT ${EVENT_COLUMNS} FROM events WHERE tenant = ? AND event_id = ?`)
      .bind(tenant, eventId)
      .first<EventRow>(),
  );

/** What is stranded unless told otherwise: a dispatch begins within seconds. */
const STRANDED_AFTER_MS = 300_000;

/** The conditions of the views (spec/triggers 15). */
const VIEWS = {
  unsettled: UNSETTLED,
  stranded: "status = 'accepted'",
  terminal: `NOT (${OPEN})`,
} as const;

/** Where a list goes on and which moment ages are counted from. */
export interface EventPage {
  readonly after: Position | null;
  readonly now: number;
}

/**
 * A tenant's events that match the filters, after a position; one more than the limit where there are more. Newest first,
 * but what waits is shown oldest first (spec/triggers 15).
 */
export const listEvents = async (
  db: D1Database,
  tenant: string,
  query: EventQuery,
  { after, now }: EventPage,
): Promise<readonly EventRow[]> => {
  const { view } = query;
  const isOldestFirst = view === "unsettled" || view === "stranded";
  const minAge = query.min_age ?? (view === "stranded" ? STRANDED_AFTER_MS : null);
  const conditions = ["tenant = ?"];
  const values: (string | number)[] = [tenant];
  const add = (condition: string, ...bound: readonly string[]): void => {
    conditions.push(condition);
    values.push(...bound);
  };
  // What is open has an index of its own, which stays small however many events there were.
  const isOpen = isOldestFirst || (query.status !== undefined && isOpenStatus(query.status));
  if (isOpen) add(OPEN);
  if (view !== undefined) add(VIEWS[view]);
  if (minAge !== null) add("received_at <= ?", new Date(now - minAge).toISOString());
  if (query.trigger_id !== undefined) add("trigger_id = ?", query.trigger_id);
  if (query.status !== undefined) add("status = ?", query.status);
  if (query.since !== undefined) add("received_at >= ?", new Date(query.since).toISOString());
  if (after !== null) add(`(received_at, event_id) ${isOldestFirst ? ">" : "<"} (?, ?)`, ...after);
  const order = isOldestFirst ? "received_at, event_id" : "received_at DESC, event_id DESC";
  const from = isOpen ? "events INDEXED BY events_open" : "events";
  const sql = `SELECT ${EVENT_COLUMNS} FROM ${from} WHERE ${conditions.join(" AND ")} ORDER BY ${order} LIMIT ?`;
  const statement = db.prepare(sql).bind(...values, query.limit + 1);
  const { results } = await fromDatabase(statement.all<EventRow>());
  return results;
};

/** Where a list goes on after an event. */
export const eventPosition = (row: EventRow): Position => [row.received_at, row.event_id];

import { IN_FLIGHT, OPEN, PENDING } from "./event-status.ts";
import { fromDatabase } from "./fault.ts";

/** The trigger whose figures are asked for, and the moments between which they lie. */
export interface StatsRange {
  readonly tenant: string;
  readonly trigger_id: string;
  readonly from: string;
  readonly to: string;
  /** From here on dead letters count as new. */
  readonly hour_ago: string;
}

/** How many events of an hour have a status. */
export interface StatusCount {
  readonly hour: string;
  readonly status: string;
  readonly skip_stage: string | null;
  readonly n: number;
}

/** Deliveries of an hour that left no event. */
export interface HourCount {
  readonly hour: string;
  readonly duplicates: number;
  readonly rejected: number;
}

/** What the database knows about a trigger. */
export interface StatsRows {
  /** Null when there is no such trigger. */
  readonly state: string | null;
  /** As JSON. */
  readonly definition: string | null;
  readonly statuses: readonly StatusCount[];
  readonly hours: readonly HourCount[];
  readonly oldest_pending_at: string | null;
  readonly in_flight: number;
  readonly dlq_pending: number;
  readonly dlq_last_hour: number;
  readonly last_received_at: string | null;
  readonly median: number | null;
  readonly p99: number | null;
}

const STATUSES = `SELECT substr(received_at, 1, 13) || ':00:00.000Z' AS hour, status, skip_stage, count(*) AS n
  FROM events WHERE tenant = ? AND trigger_id = ? AND received_at >= ? AND received_at <= ?
  GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`;

const WAITING = `SELECT min(CASE WHEN ${PENDING} THEN received_at END) AS oldest, coalesce(sum(${IN_FLIGHT}), 0) AS in_flight
  FROM events INDEXED BY events_open WHERE tenant = ? AND ${OPEN} AND trigger_id = ?`;

// The nearest-rank percentiles; the end of an event that has no time of its own is its last change.
const LATENCY = `SELECT max(CASE WHEN rank = (n + 1) / 2 THEN ms END) AS median,
    max(CASE WHEN rank = (n * 99 + 99) / 100 THEN ms END) AS p99
  FROM (SELECT ms, row_number() OVER (ORDER BY ms) AS rank, count(*) OVER () AS n FROM
    (SELECT round(1000 * (unixepoch(coalesce(settled_at, updated_at), 'subsec') - unixepoch(received_at, 'subsec'))) AS ms
     FROM events WHERE tenant = ? AND trigger_id = ? AND received_at >= ? AND received_at <= ? AND status = 'dispatched'))`;

const DEAD = `SELECT
    (SELECT count(*) FROM dead_letters WHERE tenant = ?1 AND trigger_id = ?2 AND state = 'pending') AS pending,
    (SELECT count(*) FROM dead_letters WHERE tenant = ?1 AND trigger_id = ?2
      AND state IN ('pending', 'resolved', 'discarded') AND created_at >= ?3) AS last_hour`;

type First = Readonly<Record<string, unknown>>;

/** Everything that the figures of a trigger are made of, read at one moment. */
export const readTriggerStats = async (db: D1Database, range: StatsRange): Promise<StatsRows> => {
  const { tenant, trigger_id: id, from, to } = range;
  const of = (sql: string, ...more: readonly string[]) => db.prepare(sql).bind(tenant, id, ...more);
  const results = await fromDatabase(
    db.batch<First>([
      of("SELECT state, definition FROM triggers WHERE tenant = ? AND trigger_id = ?"),
      of(STATUSES, from, to),
      of(
        "SELECT hour, duplicates, rejected FROM trigger_hours WHERE tenant = ? AND trigger_id = ? AND hour >= ? ORDER BY hour",
        `${from.slice(0, 13)}:00:00.000Z`,
      ),
      of(WAITING),
      of(LATENCY, from, to),
      of(DEAD, range.hour_ago),
      of(
        "SELECT received_at FROM events WHERE tenant = ? AND trigger_id = ? ORDER BY received_at DESC, event_id DESC LIMIT 1",
      ),
    ]),
  );
  const [trigger, statuses, hours, waiting, latency, dead, last] = results.map((result) => result.results);
  const first = <Value>(rows: readonly First[] | undefined, column: string): Value | null =>
    (rows?.[0]?.[column] ?? null) as Value | null;
  return {
    state: first<string>(trigger, "state"),
    definition: first<string>(trigger, "definition"),
    statuses: (statuses ?? []) as unknown as readonly StatusCount[],
    hours: (hours ?? []) as unknown as readonly HourCount[],
    oldest_pending_at: first<string>(waiting, "oldest"),
    in_flight: first<number>(waiting, "in_flight") ?? 0,
    dlq_pending: first<number>(dead, "pending") ?? 0,
    dlq_last_hour: first<number>(dead, "last_hour") ?? 0,
    last_received_at: first<string>(last, "received_at"),
    median: first<number>(latency, "median"),
    p99: first<number>(latency, "p99"),
  };
};

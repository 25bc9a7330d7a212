import type { GaugeName } from "../lib/metric-catalogue.ts";
import type { MetricLabels, Series } from "../lib/metric-series.ts";
import { IN_FLIGHT, OPEN, PENDING } from "./event-status.ts";
import { fromDatabase } from "./fault.ts";

/** A page is bounded: at most so many series, and so many triggers with gauges. */
const MAX_SERIES = 20_000;
const MAX_TRIGGERS = 5_000;

const COUNTERS = `SELECT name, labels, value, buckets FROM metric_counters WHERE tenant = ? ORDER BY name, labels LIMIT ${MAX_SERIES}`;

const TRIGGERS = `SELECT trigger_id FROM triggers WHERE tenant = ? ORDER BY trigger_id LIMIT ${MAX_TRIGGERS}`;

const WAITING = `SELECT trigger_id, min(CASE WHEN ${PENDING} THEN received_at END) AS oldest, sum(${IN_FLIGHT}) AS in_flight
  FROM events INDEXED BY events_open WHERE tenant = ? AND ${OPEN} GROUP BY trigger_id ORDER BY trigger_id LIMIT ${MAX_TRIGGERS}`;

const DEAD = `SELECT trigger_id, count(*) AS pending FROM dead_letters WHERE tenant = ? AND state = 'pending'
  GROUP BY trigger_id ORDER BY trigger_id LIMIT ${MAX_TRIGGERS}`;

interface Row {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
  readonly buckets: string | null;
  readonly trigger_id: string;
  readonly oldest: string | null;
  readonly in_flight: number;
  readonly pending: number;
}

const counterOf = ({ name, labels, value, buckets }: Row): Series => ({
  name,
  labels: JSON.parse(labels) as MetricLabels,
  value,
  ...(buckets === null ? {} : { buckets: JSON.parse(buckets) as readonly number[] }),
});

const gauge = (name: GaugeName, value: number, labels: MetricLabels = {}): Series => ({ name, labels, value });

/** What Slack's limits are, so that alerts can be written with them (spec/triggers 21). */
const CONSTANTS: readonly Series[] = [
  gauge("slack_events_auto_disable_min_success_ratio", 0.05),
  gauge("slack_events_auto_disable_min_events_per_hour", 1_000),
];

/** Each trigger that exists or has something, with zero where nothing is known of it. */
const gauges = (name: GaugeName, ids: readonly string[], values: ReadonlyMap<string, number>): readonly Series[] =>
  [...new Set([...ids, ...values.keys()])].map((id) => gauge(name, values.get(id) ?? 0, { trigger_id: id }));

/** Every series of a tenant: its counters as the consumer of the index queue has added them up, its gauges as of now. */
export const readMetrics = async (db: D1Database, tenant: string, now: number): Promise<readonly Series[]> => {
  const statements = [COUNTERS, TRIGGERS, WAITING, DEAD].map((sql) => db.prepare(sql).bind(tenant));
  const results = await fromDatabase(db.batch<Row>(statements));
  const [counters = [], triggers = [], waiting = [], dead = []] = results.map((result) => result.results);
  const ids = triggers.map((row) => row.trigger_id);
  const valuesOf = (rows: readonly Row[], value: (row: Row) => number): ReadonlyMap<string, number> =>
    new Map(rows.map((row) => [row.trigger_id, value(row)]));
  const age = ({ oldest }: Row): number => (oldest === null ? 0 : Math.max(0, now - Date.parse(oldest)) / 1000);
  return [
    ...counters.map(counterOf),
    ...CONSTANTS,
    ...gauges(
      "harn_trigger_inflight",
      ids,
      valuesOf(waiting, (row) => row.in_flight),
    ),
    ...gauges("harn_trigger_oldest_pending_age_seconds", ids, valuesOf(waiting, age)),
    ...gauges(
      "godwit_dead_letters_pending",
      ids,
      valuesOf(dead, (row) => row.pending),
    ),
  ];
};

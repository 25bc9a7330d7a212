import { mergedSeries, type Series } from "../lib/metric-series.ts";

/** What messages of one batch add to the counters of a tenant. */
export interface Addition {
  readonly tenant: string;
  readonly series: readonly Series[];
  /** When it was told. */
  readonly at: Date;
}

/** The counters whose events by the hour the figures of a trigger show. */
const BY_HOUR: ReadonlyMap<string, "duplicates" | "rejected"> = new Map([
  ["harn_trigger_deduped_total", "duplicates"],
  ["godwit_trigger_rejected_total", "rejected"],
]);

const HOUR_TEXT_LENGTH = "2026-01-01T00".length;

const hourOf = (time: string): string => `${time.slice(0, HOUR_TEXT_LENGTH)}:00:00.000Z`;

/** Series in one statement, whose size is bounded. */
const MAX_ROWS = 1_000;

// All rows come as one JSON text, because the statements of an invocation are counted.
const ADD_SERIES = `INSERT INTO metric_counters (tenant, name, labels, value, buckets, updated_at)
  SELECT row.value ->> 'tenant', row.value ->> 'name', row.value ->> 'labels', row.value ->> 'value', row.value ->> 'buckets', ?2
  FROM json_each(?1) AS row WHERE true
  ON CONFLICT (tenant, name, labels) DO UPDATE SET value = metric_counters.value + excluded.value,
  updated_at = excluded.updated_at,
  buckets = CASE WHEN excluded.buckets IS NULL THEN metric_counters.buckets ELSE
    (SELECT json_group_array(n.value + coalesce(o.value, 0) ORDER BY n.key) FROM json_each(excluded.buckets) AS n
     LEFT JOIN json_each(metric_counters.buckets) AS o ON o.key = n.key) END`;

const ADD_HOURS = `INSERT INTO trigger_hours (tenant, trigger_id, hour, duplicates, rejected)
  SELECT row.value ->> 'tenant', row.value ->> 'trigger_id', row.value ->> 'hour', row.value ->> 'duplicates', row.value ->> 'rejected'
  FROM json_each(?1) AS row WHERE true
  ON CONFLICT (tenant, trigger_id, hour) DO UPDATE SET
  duplicates = trigger_hours.duplicates + excluded.duplicates, rejected = trigger_hours.rejected + excluded.rejected`;

/** The rows as JSON texts of bounded size. */
const texts = (rows: readonly unknown[]): readonly string[] =>
  Array.from({ length: Math.ceil(rows.length / MAX_ROWS) }, (_, index) =>
    JSON.stringify(rows.slice(index * MAX_ROWS, (index + 1) * MAX_ROWS)),
  );

interface Hour {
  readonly tenant: string;
  readonly trigger_id: string;
  readonly hour: string;
  readonly duplicates: number;
  readonly rejected: number;
}

const hoursOf = (additions: readonly Addition[]): readonly Hour[] => {
  const found = new Map<string, Hour>();
  for (const { tenant, series, at } of additions) {
    const hour = hourOf(at.toISOString());
    for (const { name, labels, value } of series) {
      const column = BY_HOUR.get(name);
      const triggerId = labels["trigger_id"];
      if (column === undefined || triggerId === undefined) continue;
      const key = JSON.stringify([tenant, triggerId, hour]);
      const known = found.get(key) ?? { tenant, trigger_id: triggerId, hour, duplicates: 0, rejected: 0 };
      found.set(key, { ...known, [column]: known[column] + Math.round(value) });
    }
  }
  return [...found.values()];
};

/**
 * What adds a batch's figures to the database: one row for each series that the batch has touched, however many messages
 * touched it. A batch that is delivered twice counts twice.
 */
export const metricStatements = (
  db: D1Database,
  additions: readonly Addition[],
  now: string,
): readonly D1PreparedStatement[] => {
  const rows = [...Map.groupBy(additions, ({ tenant }) => tenant)].flatMap(([tenant, own]) =>
    mergedSeries(own.flatMap(({ series }) => series)).map((one) => ({
      ...one,
      tenant,
      labels: JSON.stringify(one.labels),
    })),
  );
  return [
    ...texts(rows).map((text) => db.prepare(ADD_SERIES).bind(text, now)),
    ...texts(hoursOf(additions)).map((text) => db.prepare(ADD_HOURS).bind(text)),
  ];
};

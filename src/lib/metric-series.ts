import { metricDefinition } from "./metric-catalogue.ts";

/** Labels of a series. */
export type MetricLabels = Readonly<Record<string, string>>;

/**
 * One series of a metric, or what is added to it: of a counter the value, of a histogram the sum of what was observed and
 * how many observations fell into each bucket, the one above all bounds last. Buckets are not cumulative here.
 */
export interface Series {
  readonly name: string;
  readonly labels: MetricLabels;
  readonly value: number;
  readonly buckets?: readonly number[] | undefined;
}

const MAX_LABEL_LENGTH = 200;

const byCodePoint = ([a]: readonly [string, string], [b]: readonly [string, string]): number =>
  a < b ? -1 : a > b ? 1 : 0;

/** Labels in the order of their names, none longer than 200 characters. */
export const normalLabels = (labels: MetricLabels): MetricLabels =>
  Object.fromEntries(
    Object.entries(labels)
      .map(([name, value]): [string, string] => [name, value.slice(0, MAX_LABEL_LENGTH).toWellFormed()])
      .toSorted(byCodePoint),
  );

/** What one observation adds to a histogram (spec/triggers 21). */
export const observation = (name: string, labels: MetricLabels, value: number): Series => {
  const bounds = metricDefinition(name)?.bounds ?? [];
  const found = bounds.findIndex((bound) => value <= bound);
  const hit = found === -1 ? bounds.length : found;
  return {
    name,
    labels,
    value,
    buckets: [...bounds.map((_, index) => (index === hit ? 1 : 0)), hit === bounds.length ? 1 : 0],
  };
};

const summed = (a: readonly number[] | undefined, b: readonly number[] | undefined): readonly number[] | undefined => {
  if (a === undefined || b === undefined) return a ?? b;
  const [longer, shorter] = a.length < b.length ? [b, a] : [a, b];
  return longer.map((count, index) => count + (shorter[index] ?? 0));
};

/** The same additions with one entry for each series, in the order in which the series first came. */
export const mergedSeries = (added: readonly Series[]): Series[] => {
  const found = new Map<string, Series>();
  for (const series of added) {
    const labels = normalLabels(series.labels);
    const key = `${series.name} ${JSON.stringify(labels)}`;
    const known = found.get(key);
    const buckets = summed(known?.buckets, series.buckets);
    found.set(key, {
      name: series.name,
      labels,
      value: (known?.value ?? 0) + series.value,
      ...(buckets === undefined ? {} : { buckets }),
    });
  }
  return [...found.values()];
};

import { metricDefinition, type MetricDefinition } from "./metric-catalogue.ts";
import { type MetricLabels, normalLabels, type Series } from "./metric-series.ts";

/** The media type of the page (spec/triggers 20.1). */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

const escapedHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");

const escapedValue = (text: string): string => escapedHelp(text).replaceAll('"', '\\"');

const numberText = (value: number): string => {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
};

const labelText = (labels: MetricLabels): string => {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapedValue(value)}"`);
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
};

const histogramLines = (series: Series, { bounds }: MetricDefinition): readonly string[] => {
  const { name, labels, value, buckets = [] } = series;
  let below = 0;
  const lines = [...bounds, Infinity].map((bound, index) => {
    below += buckets[index] ?? 0;
    return `${name}_bucket${labelText({ ...labels, le: numberText(bound) })} ${below}`;
  });
  return [
    ...lines,
    `${name}_sum${labelText(labels)} ${numberText(value)}`,
    `${name}_count${labelText(labels)} ${below}`,
  ];
};

const linesOf = (series: Series, definition: MetricDefinition): readonly string[] =>
  definition.kind === "histogram"
    ? histogramLines(series, definition)
    : [`${series.name}${labelText(series.labels)} ${numberText(series.value)}`];

const order = (a: readonly string[], b: readonly string[]): number => {
  for (const [index, text] of a.entries()) {
    const other = b[index] ?? "";
    if (text !== other) return text < other ? -1 : 1;
  }
  return 0;
};

/**
 * Series in Prometheus's text format 0.0.4 (spec/triggers 21): metrics in the order of their names, series in the order
 * of their labels, so that the same figures give the same page. Names that no metric has are left out.
 */
export const prometheusText = (series: readonly Series[]): string => {
  const sorted = series
    .map((one) => ({ ...one, labels: normalLabels(one.labels) }))
    .toSorted((a, b) => order([a.name, JSON.stringify(a.labels)], [b.name, JSON.stringify(b.labels)]));
  const lines: string[] = [];
  let last: string | null = null;
  for (const one of sorted) {
    const definition = metricDefinition(one.name);
    if (definition === null) continue;
    if (one.name !== last) {
      lines.push(`# HELP ${one.name} ${escapedHelp(definition.help)}`, `# TYPE ${one.name} ${definition.kind}`);
    }
    last = one.name;
    lines.push(...linesOf(one, definition));
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
};

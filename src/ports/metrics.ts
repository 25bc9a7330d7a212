import type { CounterName, HistogramName } from "../lib/metric-catalogue.ts";
import type { MetricLabels } from "../lib/metric-series.ts";

/** Where what happens is counted (spec/triggers 21). Neither call fails, and neither waits for anything. */
export interface Metrics {
  /** Adds to a counter, 1 unless told otherwise. */
  readonly count: (name: CounterName, labels: MetricLabels, by?: number) => void;
  /** Adds an observation to a histogram: seconds, bytes or US dollars, as the name says. */
  readonly observe: (name: HistogramName, labels: MetricLabels, value: number) => void;
}

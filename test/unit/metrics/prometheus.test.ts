import { describe, expect, it } from "vitest";
import { metricDefinition } from "../../../src/lib/metric-catalogue.ts";
import { mergedSeries, observation, type Series } from "../../../src/lib/metric-series.ts";
import { prometheusText } from "../../../src/lib/prometheus.ts";

const counter = (name: string, labels: Readonly<Record<string, string>>, value = 1): Series => ({
  name,
  labels,
  value,
});

const lines = (series: readonly Series[]): readonly string[] => prometheusText(series).split("\n");

const COST = "harn_trigger_predicate_cost_usd";

const boundsOf = (name: string): readonly number[] | undefined => metricDefinition(name)?.bounds;

const bucketOf = (value: number): number | undefined => observation(COST, {}, value).buckets?.indexOf(1);

describe("the page for Prometheus", () => {
  it("[T-21] has HELP and TYPE once for each metric, and ends with a line feed", () => {
    const page = prometheusText([
      counter("harn_trigger_received_total", { trigger_id: "b" }, 2),
      counter("harn_trigger_received_total", { trigger_id: "a" }),
      counter("harn_trigger_inflight", {}, 0),
    ]);
    expect(page).toBe(
      "# HELP harn_trigger_inflight Events that are being dispatched.\n" +
        "# TYPE harn_trigger_inflight gauge\n" +
        "harn_trigger_inflight 0\n" +
        "# HELP harn_trigger_received_total Verified deliveries, duplicates among them.\n" +
        "# TYPE harn_trigger_received_total counter\n" +
        'harn_trigger_received_total{trigger_id="a"} 1\n' +
        'harn_trigger_received_total{trigger_id="b"} 2\n',
    );
    expect(prometheusText([])).toBe("");
  });

  it("[T-21] escapes backslashes, quotes and line feeds in values of labels", () => {
    const [, , line] = lines([counter("harn_trigger_dlq_total", { reason: 'a\\b"c\nd' })]);
    expect(line).toBe('harn_trigger_dlq_total{reason="a\\\\b\\"c\\nd"} 1');
  });

  it("[T-21] shows the buckets of a histogram as sums, with +Inf equal to the count", () => {
    const observed = [0, 0.001, 0.02, 7].map((value) => observation(COST, { trigger_id: "t" }, value));
    expect(lines(mergedSeries(observed)).slice(2, -1)).toEqual([
      `${COST}_bucket{trigger_id="t",le="0"} 1`,
      `${COST}_bucket{trigger_id="t",le="0.001"} 2`,
      `${COST}_bucket{trigger_id="t",le="0.01"} 2`,
      `${COST}_bucket{trigger_id="t",le="0.05"} 3`,
      `${COST}_bucket{trigger_id="t",le="0.1"} 3`,
      `${COST}_bucket{trigger_id="t",le="1"} 3`,
      `${COST}_bucket{trigger_id="t",le="+Inf"} 4`,
      `${COST}_sum{trigger_id="t"} ${0.001 + 0.02 + 7}`,
      `${COST}_count{trigger_id="t"} 4`,
    ]);
  });

  it("[T-21] is the same whatever the order of series and labels, and leaves out what is no metric", () => {
    const series = [
      counter("harn_trigger_dlq_total", { trigger_id: "a", reason: "x" }),
      counter("harn_trigger_dlq_total", { reason: "w", trigger_id: "b" }),
      counter("connector_custom_pages_total", {}),
      counter("made_up_total", {}),
    ];
    expect(prometheusText(series)).toBe(prometheusText(series.toReversed()));
    expect(prometheusText(series)).not.toContain("made_up");
    expect(prometheusText(series)).toContain("connector_custom_pages_total 1\n");
  });
});

describe("series", () => {
  it("[T-21] have the bounds of the specification", () => {
    expect(boundsOf("harn_http_request_duration_seconds")).toEqual([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]);
    expect(boundsOf("harn_trigger_dispatch_runtime_seconds")).toEqual([
      0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300,
    ]);
    expect(boundsOf("harn_http_body_size_bytes")).toEqual([
      128, 512, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 10_485_760,
    ]);
    expect(boundsOf(COST)).toEqual([0, 0.001, 0.01, 0.05, 0.1, 1]);
    expect(metricDefinition("toString")).toBeNull();
  });

  it("[T-21] an observation falls into the first bucket whose bound it does not exceed", () => {
    expect([0, 0.0005, 0.001, 1, 1.01].map(bucketOf)).toEqual([0, 1, 1, 5, 6]);
  });

  it("[T-21] are merged by name and labels, whatever the order of the labels", () => {
    const merged = mergedSeries([
      counter("harn_trigger_dlq_total", { a: "1", b: "2" }, 2),
      counter("harn_trigger_dlq_total", { b: "2", a: "1" }, 3),
      counter("harn_trigger_dlq_total", { a: "1" }),
      { name: COST, labels: {}, value: 1, buckets: [1] },
      { name: COST, labels: {}, value: 1, buckets: [1, 1] },
    ]);
    expect(merged).toEqual([
      counter("harn_trigger_dlq_total", { a: "1", b: "2" }, 5),
      counter("harn_trigger_dlq_total", { a: "1" }),
      { name: COST, labels: {}, value: 2, buckets: [2, 1] },
    ]);
    const [long] = mergedSeries([counter("harn_trigger_dlq_total", { a: "x".repeat(300) })]);
    expect(long?.labels["a"]).toHaveLength(200);
  });
});

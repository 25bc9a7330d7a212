import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergedSeries, observation, type Series } from "../../src/lib/metric-series.ts";
import { prometheusText } from "../../src/lib/prometheus.ts";
import { parseTraceparent, traceparent } from "../../src/lib/trace.ts";

const LATENCY = "harn_trigger_dispatch_runtime_seconds";

// Whole numbers, whose sums are the same in any order.
const sample: fc.Arbitrary<Series> = fc.oneof(
  fc
    .record({ label: fc.string(), value: fc.nat(500) })
    .map(({ label, value }) => observation(LATENCY, { trigger_id: label }, value)),
  fc
    .record({ label: fc.string({ unit: "binary" }), value: fc.nat() })
    .map(({ label, value }) => ({ name: "harn_trigger_dlq_total", labels: { reason: label }, value })),
);

const samples = fc.array(sample, { maxLength: 30 });

describe("series", () => {
  it("[T-21] give the same page in whatever order and portions they are added up", () => {
    fc.assert(
      fc.property(samples, samples, (first, second) => {
        const once = prometheusText(mergedSeries([...first, ...second]));
        const portions = mergedSeries([...mergedSeries(second), ...mergedSeries(first)]);
        expect(prometheusText(portions)).toBe(once);
      }),
    );
  });

  it("[T-21] buckets never fall, and the last one is the count", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { minLength: 1 }), (values) => {
        const page = prometheusText(mergedSeries(values.map((value) => observation(LATENCY, {}, value))));
        const counts = [...page.matchAll(/_bucket\{le="[^"]+"\} (\d+)/g)].map(([, count]) => Number(count));
        expect(counts).toEqual(counts.toSorted((a, b) => a - b));
        expect(counts.at(-1)).toBe(values.length);
        expect(page).toContain(`${LATENCY}_count ${values.length}\n`);
      }),
    );
  });

  it("[T-21] every line of the page is a comment or a sample, whatever the labels", () => {
    fc.assert(
      fc.property(samples, (given) => {
        for (const line of prometheusText(mergedSeries(given)).split("\n").slice(0, -1)) {
          expect(line).toMatch(
            /^(?:# (?:HELP|TYPE) |[a-z_]+(?:\{(?:[a-z_]+="(?:[^"\\]|\\[\\"n])*",?)+\})? [-+\dIe.]+$)/,
          );
        }
      }),
    );
  });
});

describe("the trace of an event", () => {
  it("[T-21] is one of W3C Trace Context for any text", () => {
    fc.assert(
      fc.property(fc.string(), fc.option(fc.string(), { nil: undefined }), (trace, sent) => {
        expect(parseTraceparent(traceparent(trace, sent))).not.toBeNull();
      }),
    );
  });
});

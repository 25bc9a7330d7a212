import { PROMETHEUS_TYPE, prometheusText } from "../../lib/prometheus.ts";
import { readMetrics } from "../metric-rows.ts";
import type { Router } from "../router.ts";

/** The figures of a tenant's triggers for Prometheus (spec/triggers 20.1 and 21). */
export const addMetricRoutes = (router: Router): void => {
  router.add(
    {
      method: "get",
      path: "/metrics",
      operation: "get_metrics",
      tag: "Server",
      access: "triggers",
      summary: "Counters, gauges and histograms of the tenant's triggers, in Prometheus's text format",
      description: "Counters may lag a few seconds behind, and are approximate.",
      reply: { status: 200, description: "Text of the format 0.0.4" },
    },
    async ({ call }) => {
      const series = await readMetrics(call.env.DB, call.tenant, Date.now());
      return new Response(prometheusText(series), { headers: { "Content-Type": PROMETHEUS_TYPE } });
    },
  );
};

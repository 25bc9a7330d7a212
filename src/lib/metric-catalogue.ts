/** Upper bounds of the buckets of a histogram, ascending; the bucket above the last one is not listed. */
type Bounds = readonly number[];

// spec/triggers 21: the bounds are part of the names that dashboards rely on.
const DURATION: Bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
const LATENCY: Bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const SIZE: Bounds = [128, 512, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 10_485_760];
const COST: Bounds = [0, 0.001, 0.01, 0.05, 0.1, 1];

const COUNTERS = {
  connector_linear_timestamp_rejections_total: "Linear deliveries refused because their time is out of the window.",
  dispatch_failed_total: "Dispatches that ended without success.",
  dispatch_succeeded_total: "Dispatches that succeeded or were skipped.",
  godwit_trigger_rejected_total: "Deliveries refused before they became events.",
  harn_a2a_hops_total: "Calls to other agents.",
  harn_backpressure_events_total: "Times that something was held back, let through on trial, or released.",
  harn_http_requests_total: "Requests to the addresses of triggers.",
  harn_llm_cache_hits_total: "Model calls answered from what was kept of an earlier one.",
  harn_llm_calls_total: "Model calls of triggers.",
  harn_llm_cost_usd_total: "Cost of the model calls of triggers in US dollars.",
  harn_scheduler_deferrals_total: "Jobs passed over by the scheduler of a worker queue.",
  harn_scheduler_selections_total: "Jobs selected by the scheduler of a worker queue.",
  harn_scheduler_starvation_promotions_total: "Jobs promoted because they had waited too long.",
  harn_trigger_budget_exhausted_total: "Times that a budget of a trigger was exhausted.",
  harn_trigger_deduped_total: "Deliveries that were duplicates.",
  harn_trigger_dispatched_total: "Dispatches that ended.",
  harn_trigger_dlq_total: "Events that became dead letters.",
  harn_trigger_predicate_evaluations_total: "Evaluations of predicates.",
  harn_trigger_received_total: "Verified deliveries, duplicates among them.",
  harn_trigger_retries_total: "Retries that were scheduled for a trigger.",
  inbox_duplicates_total: "Duplicates refused by the inbox.",
  retry_scheduled_total: "Retries that were scheduled.",
  slack_events_delivery_failure_total: "Slack deliveries that were not answered as Slack demands.",
  slack_events_delivery_success_total: "Slack deliveries that were answered as Slack demands.",
} as const;

const GAUGES = {
  godwit_dead_letters_pending: "Dead letters that nobody has decided about.",
  harn_trigger_inflight: "Events that are being dispatched.",
  harn_trigger_oldest_pending_age_seconds: "Age of the oldest event whose dispatch has not begun.",
  slack_events_auto_disable_min_events_per_hour: "From so many events per hour on Slack may disable an address.",
  slack_events_auto_disable_min_success_ratio: "Below this ratio of successes Slack may disable an address.",
} as const;

const HISTOGRAMS = {
  harn_a2a_hop_duration_seconds: ["Time that calls to other agents took.", DURATION],
  harn_event_log_append_duration_seconds: ["Time that storing an event took.", DURATION],
  harn_http_body_size_bytes: ["Size of the bodies of requests to triggers.", SIZE],
  harn_http_request_duration_seconds: ["Time until requests to triggers were answered.", DURATION],
  harn_orchestrator_pump_admission_delay_seconds: ["Time that messages waited for a consumer.", DURATION],
  harn_trigger_accepted_to_dlq_seconds: ["Time from the acceptance of an event to its dead letter.", LATENCY],
  harn_trigger_dispatch_runtime_seconds: ["Time that an attempt of a dispatch took.", LATENCY],
  harn_trigger_predicate_cost_usd: ["Cost of an evaluation of a predicate in US dollars.", COST],
  harn_trigger_queue_age_at_dispatch_admission_seconds: ["Age of an event when its dispatch was admitted.", LATENCY],
  harn_trigger_queue_age_at_dispatch_start_seconds: ["Age of an event when an attempt began.", LATENCY],
  harn_trigger_retry_delay_seconds: ["Delay before a retry.", LATENCY],
  harn_trigger_webhook_accepted_to_normalized_seconds: ["Time from a delivery to its common form.", LATENCY],
  harn_trigger_webhook_accepted_to_queue_append_seconds: ["Time from a delivery to its stored event.", LATENCY],
  harn_worker_queue_claim_age_seconds: ["Age of a job when it was claimed.", DURATION],
} as const;

/** A counter of spec/triggers 21, or one of a connector's own. */
export type CounterName = keyof typeof COUNTERS | `connector_custom_${string}_total`;

/** A histogram of spec/triggers 21. */
export type HistogramName = keyof typeof HISTOGRAMS;

/** A gauge that is computed when it is asked for. */
export type GaugeName = keyof typeof GAUGES;

/** What is known about a metric. */
export interface MetricDefinition {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** Empty but for a histogram. */
  readonly bounds: Bounds;
}

const CUSTOM = /^connector_custom_[a-z0-9_]{1,80}_total$/;

/** The definition of a metric; null for a name that no metric has (spec/triggers 21). */
export const metricDefinition = (name: string): MetricDefinition | null => {
  if (Object.hasOwn(COUNTERS, name))
    return { kind: "counter", help: COUNTERS[name as keyof typeof COUNTERS], bounds: [] };
  if (Object.hasOwn(GAUGES, name)) return { kind: "gauge", help: GAUGES[name as GaugeName], bounds: [] };
  if (Object.hasOwn(HISTOGRAMS, name)) {
    const [help, bounds] = HISTOGRAMS[name as HistogramName];
    return { kind: "histogram", help, bounds };
  }
  return CUSTOM.test(name) ? { kind: "counter", help: "A counter of a connector.", bounds: [] } : null;
};

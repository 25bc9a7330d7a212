import type { MetricLabels } from "../lib/metric-series.ts";
import type { Metrics } from "../ports/metrics.ts";

/** The trigger that something happened to. */
export interface TriggerSubject {
  readonly tenant: string;
  readonly trigger_id: string;
  /** Version of the binding. */
  readonly version: number;
  readonly provider: string;
}

/** How an attempt ended (spec/triggers 21). */
export type AttemptStatus = "succeeded" | "failed" | "timeout" | "denied" | "waiting" | "cancelled";

/** How a dispatch ended (spec/triggers 8). */
export type DispatchStatus = "succeeded" | "failed" | "dlq" | "skipped" | "waiting" | "cancelled";

/** Why an event became a dead letter (spec/triggers 12.3). */
export type DeadLetterReason = "retry_exhausted" | "circuit_open" | "budget_exhausted";

/** A model call of a trigger, such as of a predicate. */
export interface ModelCallFacts {
  readonly provider: string;
  readonly model: string;
  readonly outcome: "success" | "failure";
  readonly cost_usd: number;
  readonly is_cached: boolean;
}

/** The moments in the life of an event, each with the samples of spec/triggers 21 that belong to it; times in seconds. */
export class TriggerMoments {
  readonly #metrics: Metrics;
  readonly #trigger: MetricLabels;
  readonly #latency: MetricLabels;

  constructor(metrics: Metrics, { tenant, trigger_id, version, provider }: TriggerSubject) {
    this.#metrics = metrics;
    this.#trigger = { trigger_id };
    this.#latency = { trigger_id, binding_key: `${trigger_id}@v${version}`, provider, tenant_id: tenant };
  }

  /** A request to the trigger was answered. */
  answered(facts: {
    readonly method: string;
    readonly status: number;
    readonly seconds: number;
    readonly bytes: number;
  }): void {
    const { method, status, seconds, bytes } = facts;
    const endpoint = { endpoint: `/hooks/${this.#trigger["trigger_id"] ?? ""}`, method };
    this.#metrics.count("harn_http_requests_total", { ...endpoint, status: String(status) });
    this.#metrics.observe("harn_http_request_duration_seconds", endpoint, seconds);
    this.#metrics.observe("harn_http_body_size_bytes", endpoint, bytes);
  }

  /** A delivery was refused before it became an event. */
  rejected(reason: string): void {
    const { provider = "" } = this.#latency;
    this.#metrics.count("godwit_trigger_rejected_total", { ...this.#trigger, provider, reason });
    if (provider === "linear" && reason === "timestamp_out_of_window") {
      this.#metrics.count("connector_linear_timestamp_rejections_total", {});
    }
  }

  /** A delivery was verified and has its common form, so long after its arrival. */
  received(seconds: number): void {
    const { provider = "" } = this.#latency;
    this.#metrics.count("harn_trigger_received_total", { ...this.#trigger, provider });
    this.#late("harn_trigger_webhook_accepted_to_normalized_seconds", "normalized", seconds);
  }

  /** The delivery was a duplicate. */
  duplicate(): void {
    this.#metrics.count("harn_trigger_deduped_total", { ...this.#trigger, reason: "inbox_duplicate" });
    this.#metrics.count("inbox_duplicates_total", {});
  }

  /** The event is stored, so long after its arrival. */
  stored(seconds: number): void {
    this.#late("harn_trigger_webhook_accepted_to_queue_append_seconds", "queued", seconds);
  }

  /** A dispatch of the event begins; the age is counted from its receipt. */
  admitted(age: number): void {
    this.#late("harn_trigger_queue_age_at_dispatch_admission_seconds", "admitted", age);
  }

  /** A predicate was evaluated. */
  predicate(result: "true" | "false" | "error", costUsd = 0): void {
    this.#metrics.count("harn_trigger_predicate_evaluations_total", { ...this.#trigger, result });
    this.#metrics.observe("harn_trigger_predicate_cost_usd", this.#trigger, costUsd);
  }

  /** A model was called for the trigger. */
  modelCalled({ provider, model, outcome, cost_usd: cost, is_cached: isCached }: ModelCallFacts): void {
    if (isCached) {
      this.#metrics.count("harn_llm_cache_hits_total", { provider });
      return;
    }
    this.#metrics.count("harn_llm_calls_total", { provider, model, outcome });
    this.#metrics.count("harn_llm_cost_usd_total", { provider, model }, cost);
  }

  /** A budget was exhausted; the strategy says what became of the event. */
  budgetExhausted(strategy: string): void {
    this.#metrics.count("harn_trigger_budget_exhausted_total", { ...this.#trigger, strategy });
  }

  /** Something held an event back or let it go: `flow_control`, `circuit` (with the actions of 12.4) or `ingest`. */
  backpressure(dimension: string, action: string): void {
    this.#metrics.count("harn_backpressure_events_total", { dimension, action });
  }

  /** An attempt begins; the age is counted from the event's receipt. */
  attemptStarted(age: number): void {
    this.#late("harn_trigger_queue_age_at_dispatch_start_seconds", "started", age);
  }

  /** An attempt has ended, after so long. */
  attemptEnded(status: AttemptStatus, seconds: number): void {
    this.#late("harn_trigger_dispatch_runtime_seconds", status, seconds);
  }

  /** Another agent was called. */
  a2aHop(target: string, outcome: string, seconds: number): void {
    this.#metrics.count("harn_a2a_hops_total", { target, outcome });
    this.#metrics.observe("harn_a2a_hop_duration_seconds", { target }, seconds);
  }

  /** A retry was scheduled after so long. */
  retryScheduled(delay: number): void {
    this.#metrics.count("harn_trigger_retries_total", this.#trigger);
    this.#metrics.count("retry_scheduled_total", {});
    this.#late("harn_trigger_retry_delay_seconds", "scheduled", delay);
  }

  /** The event became a dead letter, so long after its receipt. */
  deadLettered(reason: DeadLetterReason, age: number): void {
    this.#metrics.count("harn_trigger_dlq_total", { ...this.#trigger, reason });
    this.#late("harn_trigger_accepted_to_dlq_seconds", reason, age);
  }

  /** A dispatch has ended: waiting is no success and no failure, being skipped is a success. */
  dispatchEnded(handlerKind: string, outcome: DispatchStatus): void {
    this.#metrics.count("harn_trigger_dispatched_total", { ...this.#trigger, handler_kind: handlerKind, outcome });
    if (outcome === "waiting") return;
    const isSuccess = outcome === "succeeded" || outcome === "skipped";
    this.#metrics.count(isSuccess ? "dispatch_succeeded_total" : "dispatch_failed_total", {});
  }

  #late(name: Parameters<Metrics["observe"]>[0], status: string, seconds: number): void {
    this.#metrics.observe(name, { ...this.#latency, status }, seconds);
  }
}

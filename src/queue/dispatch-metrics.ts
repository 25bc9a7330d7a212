import type { EventAnswer } from "../../durable-objects/trigger.ts";
import type { DispatchPorts } from "../driver/dispatch.ts";
import type { HandlerReport } from "../engine/trigger/event.ts";
import type { Metrics } from "../ports/metrics.ts";
import { type AttemptStatus, type DeadLetterReason, type DispatchStatus, TriggerMoments } from "./trigger-metrics.ts";

const ENDS: Readonly<Record<string, DispatchStatus>> = {
  dispatched: "succeeded",
  skipped: "skipped",
  failed: "failed",
  cancelled: "cancelled",
  dead_lettered: "dlq",
};

const attemptStatus = (report: HandlerReport): AttemptStatus => {
  if (report.type !== "failed") return report.type === "running" ? "waiting" : "succeeded";
  const { class: kind } = report;
  return kind === "timeout" || kind === "denied" || kind === "cancelled" ? kind : "failed";
};

const deadReason = ({ row }: EventAnswer): DeadLetterReason => {
  const error = row.error ?? "";
  if (error.includes("destination circuit")) return "circuit_open";
  return row.error_class === "budget_exhausted" ? "budget_exhausted" : "retry_exhausted";
};

/** Counts what happens while an event is dispatched (spec/triggers 21). */
export class DispatchCounts {
  readonly #metrics: Metrics;
  readonly #tenant: string;
  readonly #now: () => number;
  #receivedAt: number | null = null;
  #moments: TriggerMoments | null = null;

  constructor(metrics: Metrics, tenant: string, now: () => number) {
    this.#metrics = metrics;
    this.#tenant = tenant;
    this.#now = now;
  }

  /** The event has changed, or was only looked at. */
  changed(answer: EventAnswer): void {
    const { row, reply, order, handler_kind: kind } = answer;
    const { trigger_id, provider, binding_version } = row;
    const version = binding_version ?? 0;
    const isFirst = this.#moments === null;
    this.#moments ??= new TriggerMoments(this.#metrics, { tenant: this.#tenant, trigger_id, version, provider });
    this.#receivedAt ??= Date.parse(row.received_at);
    if (isFirst) this.#moments.admitted(this.#age());
    if (order?.type === "handle") this.#moments.attemptStarted(this.#age());
    // Whoever was told nothing has changed nothing.
    if (reply === null) return;
    if (row.status === "parked") this.#moments.backpressure("flow_control", "parked");
    if (row.status === "retrying" && reply.type === "dispatch" && reply.next_at !== null)
      this.#moments.retryScheduled(Math.max(0, Date.parse(reply.next_at) - this.#now()) / 1_000);
    const end = ENDS[row.status];
    if (end === undefined) return;
    if (end === "dlq") this.#moments.deadLettered(deadReason(answer), this.#age());
    this.#moments.dispatchEnded(kind, end);
  }

  /** Measures the performance of a handler. */
  async timed<Report>(work: Promise<Report>, reportOf: (report: Report) => HandlerReport): Promise<Report> {
    const startedAt = this.#now();
    const report = await work;
    this.#moments?.attemptEnded(attemptStatus(reportOf(report)), (this.#now() - startedAt) / 1_000);
    return report;
  }

  #age(): number {
    return Math.max(0, this.#now() - (this.#receivedAt ?? this.#now())) / 1_000;
  }
}

/** The ports of a dispatch, counted. */
export const countedPorts = (ports: DispatchPorts, counts: DispatchCounts): DispatchPorts => ({
  ...ports,
  startRun: (call) => counts.timed(ports.startRun(call), (report) => report),
  perform: (call) =>
    counts.timed(ports.perform(call), (outcome) =>
      outcome.type === "succeeded"
        ? outcome
        : {
            type: "failed",
            class: outcome.class,
            code: outcome.class,
            detail: outcome.error,
            retryable: outcome.retryable,
          },
    ),
  changed: (answer) => {
    counts.changed(answer);
    ports.changed(answer);
  },
});

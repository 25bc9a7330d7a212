import { triggerHealth } from "../engine/trigger/health.ts";
import { rfc3339 } from "../lib/time.ts";
import type { TriggerHour, TriggerStats } from "../schema/trigger-stats.ts";
import type { StatsRows, StatusCount } from "./trigger-stats-rows.ts";

/** What the figures are asked for with; times in milliseconds. */
export interface StatsRequest {
  readonly trigger_id: string;
  readonly now: number;
  readonly window: number;
  readonly silent_after: number | null;
}

const HOUR_MS = 3_600_000;

const HOUR_COLUMNS = ["dispatched", "skipped", "failed", "dead_lettered"] as const;

const sum = (counts: readonly { readonly n: number }[]): number => counts.reduce((total, { n }) => total + n, 0);

const summedBy = (counts: readonly StatusCount[], key: (count: StatusCount) => string): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(counts, key)]
      .map(([name, group]): [string, number] => [name, sum(group)])
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );

const hoursOf = ({ now, window }: StatsRequest, rows: StatsRows): readonly TriggerHour[] => {
  const first = Math.floor((now - window) / HOUR_MS);
  const count = Math.floor(now / HOUR_MS) - first + 1;
  const byHour = Map.groupBy(rows.statuses, ({ hour }) => hour);
  const deliveries = new Map(rows.hours.map((one) => [one.hour, one]));
  return Array.from({ length: count }, (_, index) => {
    const hour = rfc3339((first + index) * HOUR_MS);
    const counts = byHour.get(hour) ?? [];
    const { duplicates = 0, rejected = 0 } = deliveries.get(hour) ?? {};
    const [dispatched, skipped, failed, dead] = HOUR_COLUMNS.map((status) =>
      sum(counts.filter((one) => one.status === status)),
    );
    return {
      hour,
      accepted: sum(counts),
      dispatched: dispatched ?? 0,
      skipped: skipped ?? 0,
      failed: failed ?? 0,
      dead_lettered: dead ?? 0,
      duplicates,
      rejected,
    };
  });
};

/** The figures of a trigger from what the database knows (spec/triggers 22.2). */
export const triggerStats = (request: StatsRequest, state: string, rows: StatsRows): Omit<TriggerStats, "circuit"> => {
  const { trigger_id, now, window } = request;
  const hours = hoursOf(request, rows);
  const total = (name: "duplicates" | "rejected"): number => hours.reduce((all, hour) => all + hour[name], 0);
  const [duplicates, rejected] = [total("duplicates"), total("rejected")];
  const byStatus = summedBy(rows.statuses, ({ status }) => status);
  const { dispatched = 0, failed = 0, dead_lettered = 0 } = byStatus;
  const skipped = rows.statuses.filter(({ status }) => status === "skipped");
  const accepted = sum(rows.statuses);
  const received = accepted + duplicates + rejected;
  const settled = dispatched + failed + dead_lettered;
  const ageOf = (time: string | null): number | null => (time === null ? null : Math.max(0, now - Date.parse(time)));
  const pendingAge = ageOf(rows.oldest_pending_at);
  return {
    trigger_id,
    window_seconds: Math.floor(window / 1000),
    from: rfc3339(now - window),
    to: rfc3339(now),
    received,
    accepted,
    duplicates,
    rejected,
    by_status: byStatus,
    dispatched,
    // Events that a version without stages skipped were skipped by what the trigger matches.
    skipped: summedBy(skipped, (one) => one.skip_stage ?? "match"),
    failed,
    dead_lettered,
    success_ratio: settled === 0 ? null : dispatched / settled,
    latency_ms: { median: rows.median, p99: rows.p99 },
    oldest_pending_age_seconds: pendingAge === null ? null : pendingAge / 1000,
    in_flight: rows.in_flight,
    dlq_pending: rows.dlq_pending,
    last_received_at: rows.last_received_at,
    hours,
    health: triggerHealth({
      state,
      dispatched,
      failed: failed + dead_lettered,
      dlq_pending: rows.dlq_pending,
      dlq_last_hour: rows.dlq_last_hour,
      oldest_pending_age_ms: pendingAge,
      received,
      rejected,
      silence_ms: ageOf(rows.last_received_at),
      silent_after_ms: request.silent_after,
    }),
  };
};

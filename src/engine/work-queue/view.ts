import { byCodePoint } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import type { Job } from "./job.ts";
import { isClaimed, isReady } from "./machine.ts";
import type { QueuePolicy } from "./policy.ts";
import { countOf, fairnessKeyOf, type SchedulerState, weightOf } from "./scheduler.ts";

/** How many jobs of a queue are settled, and how often workers answered. */
export interface SettledCounts {
  readonly acked: number;
  readonly purged: number;
  readonly dead: number;
  readonly responses: number;
}

/** A queue in numbers (spec/triggers 16.3); `waiting` counts jobs that rest before their next delivery. */
export interface QueueSummary extends SettledCounts {
  readonly ready: number;
  readonly in_flight: number;
  readonly waiting: number;
  readonly oldest_unclaimed_age_ms: number | null;
}

/** One fairness key as an operator sees it (spec/triggers 17). */
export interface KeySnapshot {
  readonly fairness_key: string;
  readonly weight: number;
  readonly deficit: number;
  readonly in_flight: number;
  readonly selected_total: number;
  readonly deferred_total: number;
  readonly ready_jobs: number;
  readonly oldest_ready_age_ms: number;
}

/** The scheduler as an operator sees it (spec/triggers 17). */
export interface SchedulerSnapshot {
  readonly strategy: QueuePolicy["strategy"];
  readonly fairness_key: QueuePolicy["fairness_key"];
  readonly rounds_completed: number;
  readonly starvation_promotions_total: number;
  readonly keys: readonly KeySnapshot[];
}

/** The open jobs of a queue, seen at one moment. */
export interface OpenJobs {
  readonly jobs: readonly Job[];
  readonly policy: QueuePolicy;
  readonly now: Timestamp;
}

/** The jobs that can be claimed now. */
export const readyJobs = ({ jobs, policy, now }: OpenJobs): readonly Job[] =>
  jobs.filter((job) => isReady(job, now, policy.max_deliveries));

/** How many jobs of each fairness key are claimed. */
export const inFlightByKey = ({ jobs, policy, now }: OpenJobs): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const job of jobs) {
    if (!isClaimed(job, now)) continue;
    const key = fairnessKeyOf(policy, job.labels);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
};

/** A queue in numbers; `settled` counts the settled jobs and the answers of all jobs. */
export const summarize = (open: OpenJobs, settled: SettledCounts): QueueSummary => {
  const ready = readyJobs(open);
  const claimed = open.jobs.filter((job) => isClaimed(job, open.now)).length;
  const oldest = ready.reduce((least, job) => Math.min(least, job.enqueued_at_ms), Infinity);
  return {
    ready: ready.length,
    in_flight: claimed,
    waiting: open.jobs.length - ready.length - claimed,
    ...settled,
    oldest_unclaimed_age_ms: ready.length === 0 ? null : Math.max(open.now - oldest, 0),
  };
};

/** The scheduler with every key that has a job or had one since the queue was loaded. */
export const snapshot = (open: OpenJobs, state: SchedulerState): SchedulerSnapshot => {
  const { policy, now } = open;
  const ready = new Map<string, { count: number; oldest: number }>();
  for (const job of readyJobs(open)) {
    const key = fairnessKeyOf(policy, job.labels);
    const known = ready.get(key) ?? { count: 0, oldest: Infinity };
    ready.set(key, { count: known.count + 1, oldest: Math.min(known.oldest, job.enqueued_at_ms) });
  }
  const inFlight = inFlightByKey(open);
  const keys = new Set([...ready.keys(), ...inFlight.keys(), ...Object.keys(state.credits)]);
  for (const counts of [state.selected_total, state.deferred_total])
    for (const key of Object.keys(counts)) keys.add(key);
  return {
    strategy: policy.strategy,
    fairness_key: policy.fairness_key,
    rounds_completed: state.rounds_completed,
    starvation_promotions_total: state.starvation_promotions_total,
    keys: [...keys].toSorted(byCodePoint).map((key) => ({
      fairness_key: key,
      weight: weightOf(policy, key),
      deficit: countOf(state.credits, key),
      in_flight: inFlight.get(key) ?? 0,
      selected_total: countOf(state.selected_total, key),
      deferred_total: countOf(state.deferred_total, key),
      ready_jobs: ready.get(key)?.count ?? 0,
      oldest_ready_age_ms: Math.max(now - (ready.get(key)?.oldest ?? now), 0),
    })),
  };
};

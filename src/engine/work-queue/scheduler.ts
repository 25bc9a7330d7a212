import { byCodePoint } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import type { Job, JobLabels, JobPriority } from "./job.ts";
import type { QueuePolicy } from "./policy.ts";

// Which of the ready jobs comes next (spec/triggers 17). Its state is a matter of fairness alone: losing it loses no job.

/** What choosing needs of a job. */
export type Candidate = Pick<Job, "job_id" | "seq" | "priority" | "enqueued_at_ms" | "labels">;

type Counts = Readonly<Record<string, number>>;

/** What choosing remembers. */
export interface SchedulerState {
  readonly credits: Counts;
  readonly last_selected: string | null;
  readonly rounds_completed: number;
  readonly starvation_promotions_total: number;
  readonly selected_total: Counts;
  readonly deferred_total: Counts;
}

/** Nothing was chosen yet. */
export const NEW_SCHEDULER: SchedulerState = {
  credits: {},
  last_selected: null,
  rounds_completed: 0,
  starvation_promotions_total: 0,
  selected_total: {},
  deferred_total: {},
};

/** The jobs to choose from, and how many of each key are claimed. */
export interface Choice {
  readonly ready: readonly Candidate[];
  readonly in_flight: ReadonlyMap<string, number>;
  readonly now: Timestamp;
}

/** The job that was chosen, or null, and what the scheduler remembers from now on. */
export interface Picked {
  readonly job: Candidate | null;
  readonly key: string | null;
  readonly state: SchedulerState;
}

const AGED_MS = 900_000;
const RANKS: Readonly<Record<JobPriority, number>> = { high: 0, normal: 1, low: 2 };

/** 0 comes first. A normal job that has waited for 15 minutes counts as high; a low one never moves up. */
export const effectiveRank = ({ priority, enqueued_at_ms: at }: Candidate, now: Timestamp): number =>
  priority === "normal" && now - at >= AGED_MS ? RANKS.high : RANKS[priority];

const NO_TENANT = "_no_tenant";

/** The key under which a job takes its share. */
export const fairnessKeyOf = (policy: Pick<QueuePolicy, "fairness_key">, labels: JobLabels): string => {
  const tenant = labels.tenant ?? NO_TENANT;
  switch (policy.fairness_key) {
    case "tenant":
      return tenant;
    case "binding":
      return labels.binding_key ?? "";
    case "trigger-id":
      return labels.trigger_id ?? "";
    case "tenant-and-binding":
      return `${tenant}|${labels.binding_key ?? ""}`;
  }
};

const first = (jobs: readonly Candidate[], now: Timestamp): Candidate | undefined => {
  let best: Candidate | undefined;
  for (const job of jobs) if (best === undefined || comesBefore(job, best, now)) best = job;
  return best;
};

const comesBefore = (a: Candidate, b: Candidate, now: Timestamp): boolean => {
  const rank = effectiveRank(a, now) - effectiveRank(b, now);
  if (rank !== 0) return rank < 0;
  if (a.enqueued_at_ms !== b.enqueued_at_ms) return a.enqueued_at_ms < b.enqueued_at_ms;
  return a.seq < b.seq;
};

/** The count of a key, which may be any text: also the name of something that every object has. */
export const countOf = (counts: Counts, key: string): number => (Object.hasOwn(counts, key) ? (counts[key] ?? 0) : 0);

const countUp = (counts: Counts, key: string, by = 1): Counts => ({ ...counts, [key]: countOf(counts, key) + by });

/** The share of a key. */
export const weightOf = (policy: QueuePolicy, key: string): number =>
  (Object.hasOwn(policy.weights, key) ? policy.weights[key] : undefined) ?? policy.default_weight;

interface Head {
  readonly key: string;
  readonly job: Candidate;
}

/** The first job of each key, in the order of the keys. */
const headsOf = (policy: QueuePolicy, { ready, now }: Choice): readonly Head[] => {
  const heads = new Map<string, Candidate>();
  for (const job of ready) {
    const key = fairnessKeyOf(policy, job.labels);
    const best = heads.get(key);
    if (best === undefined || comesBefore(job, best, now)) heads.set(key, job);
  }
  return [...heads].map(([key, job]) => ({ key, job })).toSorted((a, b) => byCodePoint(a.key, b.key));
};

const selected = (state: SchedulerState, { key, job }: Head): Picked => ({
  job,
  key,
  state: { ...state, last_selected: key, selected_total: countUp(state.selected_total, key) },
});

/** The head that has waited longest, if it has waited too long. */
const starving = (policy: QueuePolicy, heads: readonly Head[], now: Timestamp): Head | undefined => {
  const { starvation_age_ms: age } = policy;
  if (age === null) return undefined;
  let oldest: Head | undefined;
  for (const head of heads)
    if (now - head.job.enqueued_at_ms >= age)
      if (oldest === undefined || head.job.enqueued_at_ms < oldest.job.enqueued_at_ms) oldest = head;
  return oldest;
};

const roundRobin = (policy: QueuePolicy, state: SchedulerState, choice: Choice): Picked => {
  const cap = policy.max_concurrent_per_key;
  const heads = headsOf(policy, choice);
  const eligible = heads.filter(({ key }) => cap === 0 || (choice.in_flight.get(key) ?? 0) < cap);
  const starved = starving(policy, eligible, choice.now);
  if (starved !== undefined)
    return selected({ ...state, starvation_promotions_total: state.starvation_promotions_total + 1 }, starved);
  if (eligible.length === 0) {
    const deferred = heads.reduce((counts, { key }) => countUp(counts, key), state.deferred_total);
    return { job: null, key: null, state: { ...state, deferred_total: deferred } };
  }
  const last = state.last_selected;
  const after = last === null ? 0 : eligible.findIndex(({ key }) => byCodePoint(key, last) > 0);
  const start = Math.max(after, 0);
  const turn = [...eligible.slice(start), ...eligible.slice(0, start)];
  return spend(state, turn) ?? (spend(credited(policy, state, eligible), turn) as Picked);
};

const spend = (state: SchedulerState, turn: readonly Head[]): Picked | null => {
  const head = turn.find(({ key }) => countOf(state.credits, key) >= 1);
  return head === undefined ? null : selected({ ...state, credits: countUp(state.credits, head.key, -1) }, head);
};

const credited = (policy: QueuePolicy, state: SchedulerState, eligible: readonly Head[]): SchedulerState => {
  const shares = eligible.map(({ key }) => [key, countOf(state.credits, key) + weightOf(policy, key) * policy.quantum]);
  const credits = { ...state.credits, ...Object.fromEntries(shares) };
  return { ...state, credits, rounds_completed: state.rounds_completed + 1 };
};

/**
 * Chooses the next job. `fifo` goes by rank, age and order of arrival; `drr` shares between keys by their weights, skips
 * keys at their bound, and puts what starves first (spec/triggers 17).
 */
export const pickJob = (policy: QueuePolicy, state: SchedulerState, choice: Choice): Picked => {
  if (choice.ready.length === 0) return { job: null, key: null, state };
  if (policy.strategy === "drr") return roundRobin(policy, state, choice);
  const job = first(choice.ready, choice.now) ?? null;
  return { job, key: job === null ? null : fairnessKeyOf(policy, job.labels), state };
};

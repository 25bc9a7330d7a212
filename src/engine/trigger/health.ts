import type { TriggerHealth } from "../../schema/trigger-stats.ts";

/** What the health of a trigger is judged by. */
export interface HealthFacts {
  readonly state: string;
  /** Events of the window that were dispatched. */
  readonly dispatched: number;
  /** Events of the window that failed or became dead letters. */
  readonly failed: number;
  readonly dlq_pending: number;
  /** Dead letters of the last hour. */
  readonly dlq_last_hour: number;
  readonly oldest_pending_age_ms: number | null;
  /** Deliveries of the window, of any kind. */
  readonly received: number;
  readonly rejected: number;
  /** Since the last event; null when there is none. */
  readonly silence_ms: number | null;
  /** How long a silence may be; null when it may be of any length. */
  readonly silent_after_ms: number | null;
}

/** A single failure among few events is no trend. */
const MIN_FAILURES = 3;
const FAILING_BELOW = 0.5;
const DEGRADED_BELOW = 0.95;
const FAILING_AGE_MS = 3_600_000;
const DEGRADED_AGE_MS = 300_000;
/** The default of `dlq_alerts` (spec/triggers 12.7): so many within an hour. */
const DLQ_ALERT = 5;

const percent = (ratio: number): string => `${Math.floor(ratio * 100)} %`;

const seconds = (ms: number): string => `${Math.floor(ms / 1000)} s`;

const ratioOf = ({ dispatched, failed }: HealthFacts): number | null =>
  dispatched + failed === 0 ? null : dispatched / (dispatched + failed);

const failures = (facts: HealthFacts): readonly string[] => {
  const ratio = ratioOf(facts);
  const { failed, dlq_last_hour: dead, oldest_pending_age_ms: age } = facts;
  return [
    ...(ratio !== null && failed >= MIN_FAILURES && ratio < FAILING_BELOW
      ? [`only ${percent(ratio)} of the events were dispatched`]
      : []),
    ...(dead >= DLQ_ALERT ? [`${dead} events became dead letters within the last hour`] : []),
    ...(age !== null && age >= FAILING_AGE_MS ? [`an event has been waiting for ${seconds(age)}`] : []),
  ];
};

const silence = ({ silence_ms: silent, silent_after_ms: limit }: HealthFacts): readonly string[] => {
  if (limit === null || (silent !== null && silent < limit)) return [];
  return [silent === null ? "nothing was ever received" : `nothing was received for ${seconds(silent)}`];
};

const troubles = (facts: HealthFacts): readonly string[] => {
  const ratio = ratioOf(facts);
  const { dlq_pending: pending, oldest_pending_age_ms: age, rejected, received } = facts;
  return [
    ...(ratio !== null && ratio < DEGRADED_BELOW ? [`${percent(ratio)} of the events were dispatched`] : []),
    ...(pending > 0 ? [`${pending} dead letters wait for a decision`] : []),
    ...(age !== null && age >= DEGRADED_AGE_MS ? [`an event has been waiting for ${seconds(age)}`] : []),
    ...(rejected * 2 > received ? [`${rejected} of ${received} deliveries were refused`] : []),
  ];
};

/**
 * The health of a trigger, the first of: `paused`, `failing`, `silent`, `degraded`, `idle`, `healthy`; the reasons are those
 * of the state. It only ever reads what lists know, so it may lag like they do.
 */
export const triggerHealth = (facts: HealthFacts): TriggerHealth => {
  if (facts.state === "paused") return { state: "paused", reasons: ["deliveries are refused until it is resumed"] };
  const found = (
    [
      ["failing", failures(facts)],
      ["silent", silence(facts)],
      ["degraded", troubles(facts)],
    ] as const
  ).find(([, reasons]) => reasons.length > 0);
  if (found !== undefined) return { state: found[0], reasons: found[1] };
  return facts.received === 0 && facts.dispatched + facts.failed === 0
    ? { state: "idle", reasons: ["nothing was received in the window"] }
    : { state: "healthy", reasons: [] };
};

import { isObject, type Json } from "../../lib/json.ts";
import type { FairnessKey } from "../../schema/api-queue.ts";

/** How a queue chooses the next job, and how often it hands one out (spec/triggers 17). */
export interface QueuePolicy {
  readonly strategy: "fifo" | "drr";
  readonly fairness_key: FairnessKey;
  /** Shares by fairness key; whole numbers from 1. */
  readonly weights: Readonly<Record<string, number>>;
  readonly default_weight: number;
  readonly quantum: number;
  /** A job that has waited so long comes first; null for never. */
  readonly starvation_age_ms: number | null;
  /** Claims of one key at a time under `drr`; 0 for no bound. */
  readonly max_concurrent_per_key: number;
  /** A job that was handed out so often without being settled is a dead letter. */
  readonly max_deliveries: number;
}

/** First in, first out; ten deliveries. */
export const DEFAULT_POLICY: QueuePolicy = {
  strategy: "fifo",
  fairness_key: "tenant",
  weights: {},
  default_weight: 1,
  quantum: 1,
  starvation_age_ms: 300_000,
  max_concurrent_per_key: 0,
  max_deliveries: 10,
};

const STRATEGIES: Readonly<Record<string, QueuePolicy["strategy"]>> = {
  fifo: "fifo",
  drr: "drr",
  "deficit-round-robin": "drr",
  "fair-share": "drr",
};

const FAIRNESS_NAMES: Readonly<Record<string, FairnessKey>> = {
  tenant: "tenant",
  binding: "binding",
  "trigger-id": "trigger-id",
  trigger_id: "trigger-id",
  "tenant-and-binding": "tenant-and-binding",
  tenant_and_binding: "tenant-and-binding",
  composite: "tenant-and-binding",
};

const named = <Value>(names: Readonly<Record<string, Value>>, name: string): Value | undefined =>
  Object.hasOwn(names, name) ? names[name] : undefined;

const atLeast = (least: number, value: Json | undefined): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= least ? value : undefined;

const weightsOf = (value: Json | undefined): QueuePolicy["weights"] =>
  Object.fromEntries(
    Object.entries(isObject(value) ? value : {}).flatMap(([key, weight]) => {
      const valid = atLeast(1, weight);
      return valid === undefined ? [] : [[key, valid]];
    }),
  );

const textAt = (value: Json | undefined): string => (typeof value === "string" ? value : "");

/** A policy from a document; what is missing or not valid keeps the value of `base` (spec/triggers 17). */
export const queuePolicy = (value: Json, base: QueuePolicy = DEFAULT_POLICY): QueuePolicy => {
  const given = isObject(value) ? value : {};
  const starvation = given["starvation_age_ms"];
  return {
    strategy: named(STRATEGIES, textAt(given["strategy"])) ?? base.strategy,
    fairness_key: named(FAIRNESS_NAMES, textAt(given["fairness_key"])) ?? base.fairness_key,
    weights: isObject(given["weights"]) ? weightsOf(given["weights"]) : base.weights,
    default_weight: atLeast(1, given["default_weight"]) ?? base.default_weight,
    quantum: atLeast(1, given["quantum"]) ?? base.quantum,
    starvation_age_ms: starvation === null ? null : (atLeast(1, starvation) ?? base.starvation_age_ms),
    max_concurrent_per_key: atLeast(0, given["max_concurrent_per_key"]) ?? base.max_concurrent_per_key,
    max_deliveries: atLeast(1, given["max_deliveries"]) ?? base.max_deliveries,
  };
};

const wholeNumber = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,15}$/.test(text.trim()) ? Number(text.trim()) : null;

/** `key:weight` pairs divided by commas; the last colon of a pair divides it. */
const weightsIn = (text: string): QueuePolicy["weights"] =>
  weightsOf(
    Object.fromEntries(
      text.split(",").flatMap((pair) => {
        const colon = pair.lastIndexOf(":");
        const weight = wholeNumber(pair.slice(colon + 1));
        const key = pair.slice(0, Math.max(colon, 0)).trim();
        return key === "" || weight === null ? [] : [[key, weight]];
      }),
    ),
  );

/**
 * The policy that settings ask for (spec/triggers 17): `GODWIT_SCHEDULER_*`, or the original's `HARN_SCHEDULER_*`. A
 * value that is not valid counts as absent.
 */
export const policyFromEnv = (env: Readonly<Record<string, unknown>>): QueuePolicy => {
  const setting = (name: string): string | undefined => {
    const value = env[`GODWIT_SCHEDULER_${name}`] ?? env[`HARN_SCHEDULER_${name}`];
    return typeof value === "string" ? value : undefined;
  };
  const starvation = wholeNumber(setting("STARVATION_AGE_MS"));
  const weights = setting("WEIGHTS");
  return queuePolicy({
    strategy: (setting("STRATEGY") ?? "").trim().toLowerCase(),
    fairness_key: (setting("FAIRNESS_KEY") ?? "").trim().toLowerCase(),
    quantum: wholeNumber(setting("QUANTUM")),
    ...(starvation === null ? {} : { starvation_age_ms: starvation === 0 ? null : starvation }),
    max_concurrent_per_key: wholeNumber(setting("MAX_CONCURRENT_PER_KEY")),
    default_weight: wholeNumber(setting("DEFAULT_WEIGHT")),
    ...(weights === undefined ? {} : { weights: weightsIn(weights) }),
  });
};

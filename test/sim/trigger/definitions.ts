import type { TriggerDefinition } from "../../../src/schema/trigger-definition.ts";
import { definition } from "../../unit/trigger/fixture.ts";
import type { Random } from "../../support/random.ts";

type Part = Readonly<Record<string, unknown>>;

/** What no row may ever show. */
export const SECRET = "s3cr3t-that-nobody-sees";

const KEY = "event.provider_payload.key";

const keyed = (random: Random): Part => ({
  ...(random.chance(0.6) ? { key: KEY } : {}),
  ...(random.chance(0.4) ? { across_versions: true } : {}),
});

const concurrency = (random: Random): Part => ({
  concurrency: {
    ...keyed(random),
    max: random.int(1, 2),
    ...(random.chance(0.3) ? { fair_by: "event.provider_payload.owner" } : {}),
  },
  ...(random.chance(0.4) ? { priority: { key: "event.provider_payload.rank", order: ["high", "low"] } } : {}),
});

const singleton = (random: Random): Part => ({ singleton: keyed(random) });
const throttle = (random: Random): Part => ({
  throttle: { ...keyed(random), period: random.pick(["20s", "1m"]), max: random.int(1, 3) },
});
const rateLimit = (random: Random): Part => ({
  rate_limit: { ...keyed(random), period: random.pick(["30s", "2m"]), max: random.int(1, 4) },
});
const debounce = (random: Random): Part => ({ debounce: { key: KEY, period: random.pick(["5s", "15s"]) } });
const batch = (random: Random): Part => ({
  batch: { ...keyed(random), size: random.int(2, 4), timeout: random.pick(["10s", "30s"]) },
});

const GATES = [debounce, rateLimit, throttle, singleton, concurrency] as const;

const flow = (random: Random): Part => {
  const dice = random.next();
  if (dice < 0.15) return {};
  if (dice < 0.3) return batch(random);
  if (dice < 0.75) return random.pick(GATES)(random);
  return Object.assign({}, ...GATES.filter(() => random.chance(0.4)).map((gate) => gate(random))) as Part;
};

const handler = (random: Random): Part =>
  random.pick<() => Part>([
    () => ({ workflow: "triage", completion: "started" }),
    () => ({ workflow: "triage", completion: "finished" }),
    () => ({ workflow: "triage" }),
    () => ({ function: random.pick(["work", "other"]), timeout_ms: random.int(2_000, 20_000) }),
    () => ({ http: { url: "https://example.com/in", timeout_ms: random.int(2_000, 20_000) } }),
    () => ({ queue: "jobs" }),
  ])();

const retry = (random: Random): Part => {
  if (random.chance(0.15)) return {};
  const backoff = random.pick([
    "svix",
    "immediate",
    { kind: "linear", delay_ms: random.int(0, 20_000) },
    { kind: "exponential", base_ms: 500, cap_ms: 8_000 },
  ]);
  return { retry: { max: random.int(1, 5), backoff, ...(random.chance(0.3) ? { jitter: 0.5 } : {}) } };
};

/** What decides about an event beside flow control; it stays the same in every version, so that it can be added up. */
export interface Rules {
  readonly definition: Part;
  /** Of one evaluation, in millionths of a dollar. */
  readonly max_micros: number;
  readonly hourly_micros: number | null;
  readonly per_hour: number | null;
}

/** The predicate and the budgets of a trigger. */
export const randomRules = (random: Random): Rules => {
  const per_hour = random.chance(0.3) ? random.int(2, 6) : null;
  const budget: Record<string, unknown> = per_hour === null ? {} : { max_autonomous_decisions_per_hour: per_hour };
  const dice = random.next();
  const parts: Record<string, unknown> = {};
  let hourly_micros: number | null = null;
  if (dice < 0.25) parts["when"] = `${KEY} != "c"`;
  else if (dice < 0.6) {
    parts["when"] = { model: { prompt: "Is it urgent?" } };
    parts["when_budget"] = { max_cost_usd: 0.01, timeout: "8s" };
    if (random.chance(0.7)) {
      hourly_micros = random.int(30_000, 90_000);
      budget["hourly_cost_usd"] = hourly_micros / 1_000_000;
      budget["on_budget_exhausted"] = random.pick(["false", "retry_later", "fail"]);
    }
  }
  if (random.chance(0.2)) parts["filter"] = `event.provider_payload.owner != "z"`;
  if (Object.keys(budget).length > 0) parts["budget"] = budget;
  return { definition: parts, max_micros: 10_000, hourly_micros, per_hour };
};

/** A version of a trigger with those rules. */
export const randomDefinition = (random: Random, rules: Rules): TriggerDefinition =>
  definition({
    match: {},
    secret: SECRET,
    handler: handler(random),
    ...flow(random),
    ...retry(random),
    ...rules.definition,
  });

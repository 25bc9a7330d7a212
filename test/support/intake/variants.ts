import type { IntakePlan } from "./plan.ts";

const GATE = "event.provider_payload.raw.gate";

const FINISHED = { handler: { workflow: "triage", completion: "finished" } };

const CONCURRENCY = { concurrency: { key: GATE, max: 2 } };

/** What intake is proved with: the platform, the local server, and runs that wait for others. */
export const INTAKE_VARIANTS: Readonly<
  Record<string, Omit<IntakePlan, "seed" | "deliveries" | "duplicates" | "crash_every" | "shards">>
> = {
  plain: { change: {}, queues_forget: false },
  local: { change: {}, queues_forget: true },
  concurrency: { change: CONCURRENCY, queues_forget: false },
  "local concurrency": { change: CONCURRENCY, queues_forget: true },
};

/** What intake in several objects is proved with: what one object decides for all of them holds over all of them. */
export const SHARD_VARIANTS: typeof INTAKE_VARIANTS = {
  ...INTAKE_VARIANTS,
  throttle: {
    change: { throttle: { key: GATE, period: "10s", max: 3 } },
    queues_forget: false,
    throttled: [3, 10_000],
  },
  "rate limit": { change: { rate_limit: { key: GATE, period: "6h", max: 3 } }, queues_forget: false, each: 3 },
  debounce: { change: { debounce: { key: GATE, period: "30m" } }, queues_forget: false, each: 1 },
  singleton: { change: { ...FINISHED, singleton: { key: GATE } }, queues_forget: false, each: "any", at_once: 1 },
  "local singleton": {
    change: { ...FINISHED, singleton: { key: GATE } },
    queues_forget: true,
    each: "any",
    at_once: 1,
  },
};

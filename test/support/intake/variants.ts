import type { IntakePlan } from "./intake.ts";

const CONCURRENCY = { concurrency: { key: "event.provider_payload.raw.gate", max: 2 } };

/** What intake is proved with: the platform, the local server, and runs that wait for others. */
export const INTAKE_VARIANTS: Readonly<Record<string, Pick<IntakePlan, "change" | "queues_forget">>> = {
  plain: { change: {}, queues_forget: false },
  local: { change: {}, queues_forget: true },
  concurrency: { change: CONCURRENCY, queues_forget: false },
  "local concurrency": { change: CONCURRENCY, queues_forget: true },
};

import type { EventRecord } from "../../src/engine/trigger/event.ts";
import { handlerFor } from "../../src/engine/trigger/definition-handler.ts";
import { isFinal } from "../../src/engine/trigger/evolve.ts";
import { RESEND_MS } from "./keyed-outbox.ts";

/** A parked event is woken by what it waits for; this is for the case that the wake-up was lost. */
const PARKED_WATCH_MS = 600_000;

/** How often an event whose run is under way asks whether it still is. */
const RUN_WATCH_MS = 900_000;

/** An event that waits for a person is looked at so rarely that it costs nothing. */
const PERSON_WATCH_MS = 30 * 86_400_000;

const timeOf = (text: string | null, otherwise: number): number => (text === null ? otherwise : Date.parse(text));

/** When an open event is looked after again, should nothing happen to it before (E2); null for one that is over. */
export const wakeTime = (record: EventRecord, now: number): number | null => {
  if (isFinal(record)) return null;
  const { status, next_at, attempts, binding } = record;
  switch (status) {
    case "parked":
      return Math.max(timeOf(next_at, now + PARKED_WATCH_MS), now);
    case "waiting":
      return now + PERSON_WATCH_MS;
    case "dispatching": {
      if (attempts.at(-1)?.is_running === true) return now + RUN_WATCH_MS;
      const isWorkflow = handlerFor(binding.definition).kind === "workflow";
      return isWorkflow ? now + RESEND_MS : Math.max(timeOf(next_at, now + RESEND_MS), now);
    }
    default: {
      const at = timeOf(next_at, now);
      // What is sent at once is looked after a little later.
      return at <= now ? now + RESEND_MS : at;
    }
  }
};

/** Whether an event goes on at once, so that its message is sent with the commit. */
export const goesOnNow = ({ status, next_at }: EventRecord, now: number): boolean =>
  (status === "accepted" || status === "retrying") && (next_at === null || Date.parse(next_at) <= now);

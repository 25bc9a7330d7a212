import type { EventRow } from "../schema/trigger-event.ts";
import type { Call } from "./call.ts";
import { findEvent } from "./event-rows.ts";

/** How old an event is at most that the list may not know yet. */
const RECENT_MS = 10_000;

/** The pauses between looks: the list is written in batches of a second. */
const PAUSES_MS = [150, 300, 300, 300, 500, 500, 1_000] as const;

const MADE_AT = /_([0-9a-f]{8})-([0-9a-f]{4})-7/;

/** Whether an event's id was made a moment ago; its first 48 bits are the time. */
const isRecent = (eventId: string, now: number): boolean => {
  const [, high, low] = MADE_AT.exec(eventId) ?? [];
  return high !== undefined && Math.abs(now - Number.parseInt(`${high}${low}`, 16)) < RECENT_MS;
};

/** How an event is looked for. */
export interface Looking<Found> {
  readonly look: () => Promise<Found | null>;
  readonly pause: (ms: number) => Promise<void>;
  readonly now: number;
}

/** Looks for an event, and again for a few seconds where its id says that it is new: the list lags. */
export const lookFor = async <Found>(eventId: string, { look, pause, now }: Looking<Found>): Promise<Found | null> => {
  const found = await look();
  if (found !== null || !isRecent(eventId, now)) return found;
  for (const ms of PAUSES_MS) {
    await pause(ms);
    const later = await look();
    if (later !== null) return later;
  }
  return null;
};

/** Where an event lies, also one that was accepted a moment ago; null when there is none. */
export const findRecentEvent = (
  { env, tenant }: Pick<Call, "env" | "tenant">,
  eventId: string,
): Promise<EventRow | null> =>
  lookFor(eventId, {
    look: () => findEvent(env.DB, tenant, eventId),
    pause: (ms) => scheduler.wait(ms),
    now: Date.now(),
  });

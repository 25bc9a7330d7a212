import { setTimeout as sleep } from "node:timers/promises";

/** Waits so many milliseconds, or until the signal. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 30_000;

/** How long to wait before the n-th try: doubled each time, at most half a minute, between half of that and one and a half. */
export const backoff = (attempt: number, random: number = Math.random()): number =>
  Math.round(Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempt - 1, 20), MAX_PAUSE_MS) * (0.5 + random));

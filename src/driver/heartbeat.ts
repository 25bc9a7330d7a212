import { type Faults, withFreshStub } from "./retry.ts";

/** A driver gives a sign of life this often; it writes no row. */
const HEARTBEAT_MS = 3_000;

/** Calls a task every so many milliseconds until the returned function is called. */
export type Every = (ms: number, task: () => void) => () => void;

const byInterval: Every = (ms, task) => {
  const timer = setInterval(task, ms);
  return () => clearInterval(timer);
};

/** Keeps the lease of whatever attempt a driver is working on. */
export interface Heartbeat {
  /**
   * Starts to renew an attempt's lease. The signal aborts when the run no longer wants the attempt: it was cancelled, or
   * somebody else has taken over.
   */
  readonly keep: (attemptToken: string) => AbortSignal;
  /** Starts the beats, once for a whole drive. */
  readonly start: () => void;
  readonly stop: () => void;
}

/** Prepares the signs of life of a drive. They are started when there is something to wait for: most drives are short. */
export const prepareHeartbeat = (faults: Faults, every: Every = byInterval): Heartbeat => {
  let attempt: { readonly token: string; readonly lost: AbortController } | null = null;
  const renew = async (): Promise<void> => {
    const kept = attempt;
    if (kept === null) return;
    try {
      const answer = await withFreshStub(faults, (run) => run.renew(kept.token));
      // The driver may have gone on to another attempt in the meantime.
      if (!answer.ok && attempt === kept) kept.lost.abort(new Error(answer.rejection.detail));
    } catch {
      // The object could not be reached: the lease bridges a missed renewal or two.
    }
  };
  let stop: (() => void) | null = null;
  return {
    keep: (token) => {
      const lost = attempt === null || attempt.lost.signal.aborted ? new AbortController() : attempt.lost;
      attempt = { token, lost };
      return lost.signal;
    },
    start: () => {
      stop ??= every(HEARTBEAT_MS, () => void renew());
    },
    stop: () => stop?.(),
  };
};

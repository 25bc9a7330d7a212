import { type Faults, withFreshStub } from "./retry.ts";

/** A driver gives a sign of life this often; it writes no row. */
const HEARTBEAT_MS = 3_000;

/** Calls a task every so many milliseconds until the returned function is called. */
export type Every = (ms: number, task: () => void) => () => void;

const byInterval: Every = (ms, task) => {
  const timer = setInterval(task, ms);
  return () => clearInterval(timer);
};

/** Keeps the leases of whatever attempts a driver is working on. */
export interface Heartbeat {
  /**
   * Starts to renew an attempt's lease, until it is released. The signal aborts when the run no longer wants the attempt:
   * it was cancelled, or somebody else has taken over.
   */
  readonly keep: (attemptToken: string) => AbortSignal;
  readonly release: (attemptToken: string) => void;
  /** Aborts attempts that the run is known not to want any more. */
  readonly abandon: (attemptTokens: readonly string[]) => void;
  /** Starts the beats, once for a whole drive. */
  readonly start: () => void;
  readonly stop: () => void;
}

const LOST = "the run no longer wants this attempt: stop working on it";

/** Prepares the signs of life of a drive. They are started when there is something to wait for: most drives are short. */
export const prepareHeartbeat = (faults: Faults, every: Every = byInterval): Heartbeat => {
  const kept = new Map<string, AbortController>();
  // One that was never aborted serves the next attempt too: making one costs more than a short stage.
  let spare: AbortController | null = null;
  const abandon = (tokens: readonly string[], why = LOST): void => {
    for (const token of tokens) kept.get(token)?.abort(new Error(why));
  };
  const renew = async (): Promise<void> => {
    const tokens = [...kept.keys()];
    if (tokens.length === 0) return;
    try {
      const answer = await withFreshStub(faults, (run) => run.renew(tokens));
      // The driver may have gone on to other attempts in the meantime: those are not touched.
      if (answer.ok) abandon(answer.reply.lost);
      else abandon(tokens, answer.rejection.detail);
    } catch {
      // The object could not be reached: the lease bridges a missed renewal or two.
    }
  };
  let stop: (() => void) | null = null;
  return {
    keep: (token) => {
      const controller = spare ?? new AbortController();
      spare = null;
      kept.set(token, controller);
      return controller.signal;
    },
    release: (token) => {
      const controller = kept.get(token);
      kept.delete(token);
      if (controller !== undefined && !controller.signal.aborted) spare = controller;
    },
    abandon,
    start: () => {
      stop ??= every(HEARTBEAT_MS, () => void renew());
    },
    stop: () => stop?.(),
  };
};

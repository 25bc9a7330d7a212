import type { DriveOptions } from "./drive.ts";
import { withFreshStub } from "./retry.ts";

/** A driver gives a sign of life this often; it writes no row. */
const HEARTBEAT_MS = 3_000;

/** A lease that is being kept. */
export interface KeptLease {
  /** Aborts when the run no longer wants this attempt: it was cancelled, or somebody else has taken over. */
  readonly signal: AbortSignal;
  readonly stop: () => void;
}

/** Renews the lease of an attempt until it is stopped or refused. A renewal that fails is simply tried again next time. */
export const keepLease = (options: Pick<DriveOptions, "run" | "sleep" | "now">, attemptToken: string): KeptLease => {
  const lost = new AbortController();
  const renew = async (): Promise<void> => {
    try {
      const answer = await withFreshStub(options, (run) => run.renew(attemptToken));
      if (!answer.ok) lost.abort(new Error(answer.rejection.detail));
    } catch {
      // The object could not be reached: the lease bridges a missed renewal or two.
    }
  };
  const timer = setInterval(() => void renew(), HEARTBEAT_MS);
  return { signal: lost.signal, stop: () => clearInterval(timer) };
};

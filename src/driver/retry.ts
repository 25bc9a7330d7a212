import type { DrivenRun } from "./drive.ts";

/** A stub that is kept while it works. */
export interface StubHolder {
  readonly current: () => DrivenRun;
  /** Forgets the stub: one whose object was reset stays broken. */
  readonly renew: () => void;
}

/** Holds a stub of a run's object. */
export const holdStub = (resolve: () => DrivenRun): StubHolder => {
  let stub: DrivenRun | null = null;
  return {
    current: () => (stub ??= resolve()),
    renew: () => {
      stub = null;
    },
  };
};

/** What calling a run's object needs. */
export interface Faults {
  readonly stub: StubHolder;
  readonly sleep: (ms: number) => Promise<void>;
}

const BACKOFF_MS = [20, 100, 500, 2_000] as const;

/** True for a fault after which the same call on a new stub may work; the platform says so itself. */
const isPassing = (fault: unknown): boolean => {
  const { retryable, overloaded, durableObjectReset } = (fault ?? {}) as Record<string, unknown>;
  return overloaded !== true && (retryable === true || durableObjectReset === true);
};

/**
 * Calls a run's object, and again on a new stub when the object was reset or could not be reached for a moment.
 *
 * Every call made through this is idempotent: a completion by its attempt token, a renewal by nature, and a bare step
 * because an attempt that was handed out is not handed out twice.
 */
export const withFreshStub = async <Reply>(
  faults: Faults,
  call: (run: DrivenRun) => Promise<Reply>,
): Promise<Reply> => {
  for (const backoff of BACKOFF_MS) {
    try {
      return await call(faults.stub.current());
    } catch (fault) {
      if (!isPassing(fault)) throw fault;
      faults.stub.renew();
      await faults.sleep(backoff);
    }
  }
  return call(faults.stub.current());
};

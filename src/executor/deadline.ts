/** The end of an execution: by its own time limit, or because the caller gave up. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Rejects at the end of the time and never resolves. */
  readonly expired: Promise<never>;
  /** True when the time limit ended the execution, not the caller. */
  readonly timedOut: () => boolean;
  /** Forgets the timer and the caller's signal. */
  readonly stop: () => void;
}

// Timers take 32 bits; a longer limit would fire at once.
const MAX_TIMER = 2_147_483_647;

/** Starts a time limit in milliseconds below the caller's signal. */
export const startDeadline = (limit: number, caller: AbortSignal): Deadline => {
  const controller = new AbortController();
  let late = false;
  const timer = setTimeout(
    () => {
      late = !controller.signal.aborted;
      controller.abort(new DOMException("the time limit is over", "TimeoutError"));
    },
    Math.min(limit, MAX_TIMER),
  );
  const giveUp = (): void => controller.abort(caller.reason);
  caller.addEventListener("abort", giveUp, { once: true });
  const expired = new Promise<never>((_resolve, reject) => {
    controller.signal.addEventListener("abort", () => reject(controller.signal.reason), { once: true });
  });
  const stop = (): void => {
    clearTimeout(timer);
    caller.removeEventListener("abort", giveUp);
  };
  return { signal: controller.signal, expired, timedOut: () => late, stop };
};

/** The end of an execution: by its own time limit, or because the caller gave up. */
export interface Deadline {
  /** Aborts with the execution; made when it is first asked for, since many executions never look at it. */
  readonly signal: () => AbortSignal;
  /** Rejects at the end of the time and never resolves. */
  readonly expired: Promise<never>;
  /** How the execution was ended from outside; null while it was not. */
  readonly ending: () => "timeout" | "cancelled" | null;
  /** Forgets the timer and the caller's signal. */
  readonly stop: () => void;
}

// Timers take 32 bits; a longer limit would fire at once.
const MAX_TIMER = 2_147_483_647;

/** Starts a time limit in milliseconds below the caller's signal. */
export const startDeadline = (limit: number, caller: AbortSignal): Deadline => {
  const { promise, reject } = Promise.withResolvers<never>();
  // Who does not race against the end still must not see it as an unhandled rejection.
  promise.catch(() => undefined);
  let controller: AbortController | null = null;
  let ending: "timeout" | "cancelled" | null = null;
  let reason: unknown;
  const end = (how: "timeout" | "cancelled", why: unknown): void => {
    if (ending !== null) return;
    ending = how;
    reason = why;
    controller?.abort(why);
    reject(why);
  };
  const late = (): void => end("timeout", new DOMException("the time limit is over", "TimeoutError"));
  const giveUp = (): void => end("cancelled", caller.reason);
  const timer = setTimeout(late, Math.min(limit, MAX_TIMER));
  caller.addEventListener("abort", giveUp, { once: true });
  return {
    signal: () => {
      if (controller === null) {
        controller = new AbortController();
        if (ending !== null) controller.abort(reason);
      }
      return controller.signal;
    },
    expired: promise,
    ending: () => ending,
    stop: () => {
      clearTimeout(timer);
      caller.removeEventListener("abort", giveUp);
    },
  };
};

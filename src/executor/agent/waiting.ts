/** Waits, unless the signal aborts: then it rejects with the signal's reason at once. */
export const waitFor = async (ms: number, signal: AbortSignal): Promise<void> => {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const abort = (): void => reject(signal.reason);
  const timer = setTimeout(() => resolve(undefined), ms);
  signal.addEventListener("abort", abort, { once: true });
  await promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  });
};

/** The longest wait between two tries. */
const MAX_WAIT_MS = 60_000;

/** How long to wait before the try after `tries`: doubled each time, never less than what the other side asked for. */
export const backoffMs = (base: number, tries: number, asked: number | undefined): number =>
  Math.max(Math.min(base * 2 ** (tries - 1), MAX_WAIT_MS), asked ?? 0);

/** A server has this long to stop, then the process ends anyway; nothing is lost by that. */
const STOP_WITHIN_MS = 4_000;

/** Stops what serves, within four seconds. */
export const stopWithin = async (stop: () => Promise<void>): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), STOP_WITHIN_MS);
  });
  const inTime = await Promise.race([stop().then(() => true), late]);
  clearTimeout(timer);
  return inTime;
};

/** How often a server that npm started looks whether it still has the parent it had. */
const PARENT_CHECK_MS = 100;

/**
 * Calls `stop` when the parent is gone. npm starts a shell which starts this; npm hands a SIGTERM to that shell, which
 * ends without handing it on.
 */
const watchParent = (stop: () => void): void => {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop();
  }, PARENT_CHECK_MS);
  timer.unref();
};

/**
 * Waits for SIGINT or SIGTERM and then stops the server: the first signal gracefully, the second at once. Call it when
 * the runtime has been started, because it takes the place of the runtime's own handlers, which would not wait.
 */
export const stopOnSignal = (stop: () => Promise<void>, tell: (signal: string) => void): void => {
  let asked = false;
  const onSignal = async (signal: string): Promise<void> => {
    if (asked) process.exit(130);
    asked = true;
    tell(signal);
    process.exit((await stopWithin(stop)) ? 0 : 1);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.removeAllListeners(signal);
    process.on(signal, (name) => void onSignal(name));
  }
  if (process.env["npm_lifecycle_event"] !== undefined) watchParent(() => void onSignal("the end of npm"));
};

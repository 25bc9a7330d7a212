/** How often a command that npm started looks whether it still has the parent it had. */
const PARENT_CHECK_MS = 100;

/** What asks a command to end: gently at first, then at once. */
export interface Endings {
  readonly gently: (why: string) => void;
  readonly atOnce: () => void;
}

/**
 * Calls `gently` at the first SIGINT, SIGTERM or SIGHUP and `atOnce` at the second; answers what ends that. npm starts a
 * shell which starts this, and hands a SIGTERM to that shell, which may end without handing it on: the end of the parent
 * counts as a signal too.
 */
export const onEnding = (endings: Endings): (() => void) => {
  let asked = false;
  const hear = (why: string): void => {
    if (asked) return endings.atOnce();
    asked = true;
    endings.gently(why);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, hear);
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.env["npm_lifecycle_event"] === undefined || process.ppid === parent) return;
    clearInterval(timer);
    if (!asked) hear("the end of npm");
  }, PARENT_CHECK_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    for (const signal of signals) process.off(signal, hear);
  };
};

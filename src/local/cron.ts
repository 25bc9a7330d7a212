/** How often the scheduled handler is called, as `crons` in wrangler.toml says. */
const PERIOD_MS = 300_000;

/** The cron expression of that period. */
export const CRON = "*/5 * * * *";

/** A clock that goes on until it is stopped. */
export interface CronClock {
  readonly stop: () => void;
}

/** The next whole five minutes after a moment, in milliseconds. */
export const nextTick = (now: number): number => (Math.floor(now / PERIOD_MS) + 1) * PERIOD_MS;

/** Calls `tick` at every whole five minutes; the platform does so, the local runtime does not. */
export const startCron = (tick: (scheduledTime: Date) => Promise<void>): CronClock => {
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const at = nextTick(Date.now());
    timer = setTimeout(() => {
      arm();
      void tick(new Date(at));
    }, at - Date.now());
    timer.unref();
  };
  arm();
  return { stop: () => clearTimeout(timer) };
};

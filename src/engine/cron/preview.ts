import type { CronExpression } from "../../lib/cron-expression.ts";
import type { Timestamp } from "../../lib/time.ts";
import { localTime } from "../../lib/time-zone.ts";
import { tickTime } from "./event.ts";

/** A tick to come, in UTC and on the clocks of its zone. */
export interface CronPreview {
  readonly at: string;
  readonly local: string;
}

/** The next ticks after a moment, fewer where the schedule ends. */
export const previewCron = (
  expression: CronExpression,
  options: { readonly timezone: string; readonly after: Timestamp; readonly count: number },
): readonly CronPreview[] => {
  const ticks: CronPreview[] = [];
  let at = expression.next(options.after);
  while (at !== null && ticks.length < options.count) {
    ticks.push({ at: tickTime(at), local: localTime(options.timezone, at) });
    at = expression.next(at);
  }
  return ticks;
};

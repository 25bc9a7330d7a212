import { Cron } from "croner";
import { err, ok, type Result } from "./result.ts";
import type { Timestamp } from "./time.ts";
import { isTimeZone, zoneOffset } from "./time-zone.ts";

/** Why a schedule cannot be used, and which of its two fields is the reason. */
export interface CronProblem {
  readonly path: "schedule" | "timezone";
  readonly message: string;
}

/** The ticks of a schedule in a time zone, whole seconds; a function of its arguments alone (spec/triggers 18). */
export interface CronExpression {
  /** The first tick after a moment, or null when there is none any more. */
  readonly next: (after: Timestamp) => Timestamp | null;
  /** The newest tick at a moment or before it, or null when there was none. */
  readonly latest: (until: Timestamp) => Timestamp | null;
}

const ZONE_IF_NONE = "UTC";

/** The longest time in which a zone changes its clocks only once. */
const ONE_CHANGE_MS = 26 * 3_600_000;

/** A moment from which every schedule without a year that can fire at all fires within a calendar's cycle. */
const LONG_AGO = Date.UTC(2000, 0, 1);

const OFFSET = /^(?:(?:UTC|GMT)[+-]|[+-][\d:]{2,}$)/i;

const problem = (path: CronProblem["path"], given: string, reason: string): Result<never, CronProblem> =>
  err({ path, message: `invalid cron ${path} '${given}': ${reason}` });

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/^CronPattern: (?:Syntax error, )?/, "");

/** What the library takes for something else than a cron expression. */
const syntaxProblem = (schedule: string): string | null => {
  if (schedule.includes(":")) return "a moment is no schedule; give five, six or seven fields";
  return /(?:^|[\s,])\//.test(schedule) ? "a step needs what it starts from, such as */5" : null;
};

/** Whether the hours are named, so that the schedule means hours of the clock and not a distance in time. */
const namesHours = (schedule: string): boolean => {
  const fields = schedule.trim().split(/\s+/);
  if (fields.length === 1) return schedule.trim().toLowerCase() !== "@hourly";
  const hours = fields[fields.length === 5 ? 1 : 2] ?? "*";
  return /^[\d,-]+$/.test(hours) && hours !== "0-23";
};

/** The earlier moment that shows the same local time, where clocks were set back in between; else null. */
const firstOfTwo = (zone: string, at: Timestamp): Timestamp | null => {
  const offset = zoneOffset(zone, at);
  const before = zoneOffset(zone, at - ONE_CHANGE_MS);
  if (before <= offset) return null;
  const earlier = at + offset - before;
  return zoneOffset(zone, earlier) === before ? earlier : null;
};

/**
 * Whether a moment that the library proposes is a tick. A local time that does not exist is left out, not moved. A local
 * time that exists twice fires the first time only, where the schedule names its hours or had no tick in between.
 */
const tickRule = (cron: Cron, schedule: string, zone: string): ((at: Date) => boolean) => {
  if (zone === ZONE_IF_NONE) return () => true;
  const named = namesHours(schedule);
  return (at) => {
    if (!cron.match(at)) return false;
    const earlier = firstOfTwo(zone, at.getTime());
    if (earlier === null) return true;
    return !named && cron.nextRun(new Date(earlier))?.getTime() !== at.getTime();
  };
};

const ticksOf = (cron: Cron, schedule: string, zone: string): CronExpression => {
  const isTick = tickRule(cron, schedule, zone);
  const first = (from: Date, step: (from: Date) => Date | null): Timestamp | null => {
    let at = step(from);
    while (at !== null && !isTick(at)) at = step(at);
    return at === null ? null : at.getTime();
  };
  return {
    next: (after) => first(new Date(after), (from) => cron.nextRun(from)),
    // The library goes back from a moment exclusively.
    latest: (until) =>
      first(new Date((Math.floor(until / 1000) + 1) * 1000), (from) => cron.previousRuns(1, from)[0] ?? null),
  };
};

const zoneProblem = (zone: string): Result<null, CronProblem> => {
  if (OFFSET.test(zone)) {
    return problem("timezone", zone, "use an IANA timezone name like 'America/New_York', not a UTC offset");
  }
  return isTimeZone(zone) ? ok(null) : problem("timezone", zone, "there is no IANA timezone of that name");
};

/**
 * Reads a schedule of five fields, six with seconds or seven with years as well, or a nickname such as `@daily`
 * (spec/triggers 18). The zone is `UTC` unless one is given.
 */
export const compileCron = (
  schedule: unknown,
  timezone: string = ZONE_IF_NONE,
): Result<CronExpression, CronProblem> => {
  if (typeof schedule !== "string") {
    return err({ path: "schedule", message: "cron triggers require a string schedule field" });
  }
  const wrong = syntaxProblem(schedule);
  if (wrong !== null) return problem("schedule", schedule, wrong);
  const zone = zoneProblem(timezone);
  const read = readCron(schedule, zone.ok ? timezone : ZONE_IF_NONE);
  if (!read.ok) return problem("schedule", schedule, read.error);
  return zone.ok ? ok(ticksOf(read.value, schedule, timezone)) : zone;
};

const readCron = (schedule: string, zone: string): Result<Cron, string> => {
  try {
    const cron = new Cron(schedule, { timezone: zone, paused: true, sloppyRanges: true });
    return cron.nextRun(new Date(LONG_AGO)) === null && !cron.previousRuns(1, new Date(LONG_AGO))[0]
      ? err("no date fits it")
      : ok(cron);
  } catch (error) {
    return err(reasonOf(error));
  }
};

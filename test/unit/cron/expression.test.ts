import { describe, expect, it } from "vitest";
import { dueTicks } from "../../../src/engine/cron/schedule.ts";
import { tickTime } from "../../../src/engine/cron/event.ts";
import { compileCron, type CronExpression } from "../../../src/lib/cron-expression.ts";
import { localTime } from "../../../src/lib/time-zone.ts";

const compiled = (schedule: string, timezone?: string): CronExpression => {
  const result = compileCron(schedule, timezone);
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
};

const between = (schedule: string, timezone: string, [after, until]: readonly [string, string]): readonly string[] =>
  dueTicks(compiled(schedule, timezone), { after: Date.parse(after), until: Date.parse(until) }).map(tickTime);

const next = (schedule: string, after: string, count = 1): readonly string[] => {
  const ticks: string[] = [];
  let at: number | null = Date.parse(after);
  while (ticks.length < count && (at = compiled(schedule).next(at)) !== null) ticks.push(tickTime(at));
  return ticks;
};

const messageOf = (schedule: unknown, timezone?: string): string => {
  const result = compileCron(schedule, timezone);
  return result.ok ? "valid" : `${result.error.path}: ${result.error.message}`;
};

describe("the syntax of schedules", () => {
  it.each([
    ["*/15 * * * *", ["2026-04-19T10:15:00Z", "2026-04-19T10:30:00Z"]],
    ["0/20 * * * *", ["2026-04-19T10:20:00Z", "2026-04-19T10:40:00Z"]],
    ["*/20 * * * * *", ["2026-04-19T10:01:20Z", "2026-04-19T10:01:40Z"]],
    ["* * * * * *", ["2026-04-19T10:01:01Z", "2026-04-19T10:01:02Z"]],
    ["0 0 12 1 1 * 2030", ["2030-01-01T12:00:00Z"]],
    ["0 0 * JAN,JUL SUN", ["2026-07-05T00:00:00Z", "2026-07-12T00:00:00Z"]],
    ["0 0 * * 0", ["2026-04-26T00:00:00Z", "2026-05-03T00:00:00Z"]],
    ["0 0 * * 7", ["2026-04-26T00:00:00Z", "2026-05-03T00:00:00Z"]],
    ["0 0 ? * MON", ["2026-04-20T00:00:00Z", "2026-04-27T00:00:00Z"]],
    ["0 0 L * *", ["2026-04-30T00:00:00Z", "2026-05-31T00:00:00Z"]],
    ["0 0 LW * *", ["2026-04-30T00:00:00Z", "2026-05-29T00:00:00Z"]],
    ["0 0 16W * *", ["2026-05-15T00:00:00Z", "2026-06-16T00:00:00Z"]],
    ["0 0 * * FRI#2", ["2026-05-08T00:00:00Z", "2026-06-12T00:00:00Z"]],
    ["0 0 * * 5L", ["2026-04-24T00:00:00Z", "2026-05-29T00:00:00Z"]],
    ["0 0 13 * FRI", ["2026-04-24T00:00:00Z", "2026-05-01T00:00:00Z"]],
    ["0 0 13 * +FRI", ["2026-11-13T00:00:00Z", "2027-08-13T00:00:00Z"]],
    ["@yearly", ["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"]],
    ["@annually", ["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"]],
    ["@monthly", ["2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"]],
    ["@weekly", ["2026-04-26T00:00:00Z", "2026-05-03T00:00:00Z"]],
    ["@daily", ["2026-04-20T00:00:00Z", "2026-04-21T00:00:00Z"]],
    ["@Hourly", ["2026-04-19T11:00:00Z", "2026-04-19T12:00:00Z"]],
  ])("[T-18] %s", (schedule, ticks) => {
    expect(next(schedule, "2026-04-19T10:01:00Z", 2)).toEqual(ticks);
  });

  it("[T-18] days of the month and of the week are joined by or, unless the second begins with a plus", () => {
    const range = ["2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"] as const;
    expect(between("0 12 13 * FRI", "UTC", range)).toHaveLength(4);
    expect(between("0 12 14 * FRI", "UTC", range)).toHaveLength(5);
    expect(between("0 12 14 * +FRI", "UTC", range)).toHaveLength(0);
  });

  it("[T-5.7] what is wrong is said with the schedule", () => {
    expect(messageOf(undefined)).toBe("schedule: cron triggers require a string schedule field");
    expect(messageOf(5)).toBe("schedule: cron triggers require a string schedule field");
    expect(messageOf("60 * * * *")).toBe("schedule: invalid cron schedule '60 * * * *': Invalid value for minute: 60");
    for (const bad of ["", "* * * *", "* * * * * * * *", "a * * * *", "* * * * * * 10000", "@reboot", "*/0 * * * *"]) {
      expect(messageOf(bad)).toContain(`schedule: invalid cron schedule '${bad}': `);
    }
    expect(messageOf("2030-01-01T00:00:00")).toContain("a moment is no schedule");
    expect(messageOf("/5 * * * *")).toContain("a step needs what it starts from");
    expect(messageOf("0 0 31 2 *")).toBe("schedule: invalid cron schedule '0 0 31 2 *': no date fits it");
    expect(messageOf("0 0 0 1 1 * 1999")).toBe("valid");
    expect(messageOf("bad", "+02:00")).toContain("schedule: ");
  });

  it.each(["UTC+2", "GMT-05:00", "utc+1", "+02:00", "-0500", "+02"])("[T-18] %s is refused as an offset", (zone) => {
    expect(messageOf("* * * * *", zone)).toBe(
      `timezone: invalid cron timezone '${zone}': use an IANA timezone name like 'America/New_York', not a UTC offset`,
    );
  });

  it("[T-18] a zone has to exist; without one it is UTC", () => {
    expect(messageOf("* * * * *", "Mars/Base")).toBe(
      "timezone: invalid cron timezone 'Mars/Base': there is no IANA timezone of that name",
    );
    expect(messageOf("* * * * *", "")).toContain("timezone: invalid cron timezone ''");
    expect(messageOf("* * * * *", "Etc/GMT+5")).toBe("valid");
    expect(next("0 9 * * *", "2026-07-01T00:00:00Z")).toEqual(["2026-07-01T09:00:00Z"]);
  });

  it("[T-18] a schedule that has ended has no next tick, but a newest one", () => {
    const ended = compiled("0 0 0 1 1 * 2020");
    expect(ended.next(Date.parse("2026-01-01T00:00:00Z"))).toBeNull();
    expect(ended.latest(Date.parse("2026-01-01T00:00:00Z"))).toBe(Date.parse("2020-01-01T00:00:00Z"));
    expect(ended.latest(Date.parse("2020-01-01T00:00:00Z"))).toBe(Date.parse("2020-01-01T00:00:00Z"));
    expect(ended.latest(Date.parse("2019-12-31T23:59:59.999Z"))).toBeNull();
  });

  it("[T-18] a fraction of a second neither hides nor repeats a tick", () => {
    expect(next("* * * * * *", "2026-04-19T10:00:00.001Z")).toEqual(["2026-04-19T10:00:01Z"]);
    expect(next("* * * * * *", "2026-04-19T10:00:00.999Z")).toEqual(["2026-04-19T10:00:01Z"]);
    expect(compiled("* * * * * *").latest(1500)).toBe(1000);
  });
});

describe("changes of the clocks", () => {
  it("[T-18] local midnight follows the offsets of the zone", () => {
    const newYork = compiled("0 0 * * *", "America/New_York");
    expect(newYork.next(Date.parse("2026-01-15T04:59:00Z"))).toBe(Date.parse("2026-01-15T05:00:00Z"));
    expect(newYork.next(Date.parse("2026-07-15T03:59:00Z"))).toBe(Date.parse("2026-07-15T04:00:00Z"));
  });

  it.each([
    ["0 2 * * *", "America/New_York", "2026-03-08T06:59:00Z", "2026-03-09T06:00:00Z"],
    ["30 2 * * *", "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-30T00:30:00Z"],
    ["0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-05T02:00:00Z"],
    ["0 0 * * *", "Asia/Beirut", "2026-03-28T12:00:00Z", "2026-03-29T21:00:00Z"],
    ["@daily", "Asia/Beirut", "2026-03-28T12:00:00Z", "2026-03-29T21:00:00Z"],
    ["15 2 * * *", "Australia/Lord_Howe", "2026-10-03T10:00:00Z", "2026-10-04T15:15:00Z"],
    ["0 12 30 12 *", "Pacific/Apia", "2011-01-01T00:00:00Z", "2012-12-29T22:00:00Z"],
  ])(
    "[T-18] %s in %s does not fire where its local time does not exist, and is not moved",
    (schedule, zone, after, at) => {
      expect(tickTime(compiled(schedule, zone).next(Date.parse(after)) ?? 0)).toBe(at);
    },
  );

  it.each([
    ["0 1 * * *", "America/New_York", "2026-11-01", ["2026-11-01T05:00:00Z"]],
    ["0,30 1 * * *", "America/New_York", "2026-11-01", ["2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z"]],
    ["30 2 * * *", "Europe/Berlin", "2026-10-25", ["2026-10-25T00:30:00Z"]],
    ["45 1 * * *", "Australia/Lord_Howe", "2026-04-04", ["2026-04-04T14:45:00Z"]],
    ["0 0 * * *", "Asia/Beirut", "2026-10-24", ["2026-10-24T22:00:00Z"]],
  ])("[T-18] %s in %s fires once where its local time exists twice", (schedule, zone, day, ticks) => {
    expect(between(schedule, zone, [`${day}T00:00:00Z`, `${day}T23:59:59Z`])).toEqual(ticks);
  });

  it("[T-18] an hourly schedule leaves out the second of two equal local times in a row", () => {
    const range = ["2026-11-01T03:30:00Z", "2026-11-01T07:30:00Z"] as const;
    const hours = ["2026-11-01T04:00:00Z", "2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z"];
    expect(between("0 * * * *", "America/New_York", range)).toEqual(hours);
    expect(between("@hourly", "America/New_York", range)).toEqual(hours);
    expect(compiled("0 * * * *", "America/New_York").latest(Date.parse("2026-11-01T06:10:00Z"))).toBe(
      Date.parse("2026-11-01T05:00:00Z"),
    );
  });

  it("[T-18] a schedule of minutes or seconds goes on through the repeated hour", () => {
    const night = ["2026-11-01T04:59:59Z", "2026-11-01T07:00:00Z"] as const;
    expect(between("*/30 * * * *", "America/New_York", night)).toHaveLength(5);
    expect(between("* * * * *", "America/New_York", night)).toHaveLength(121);
    expect(
      between("*/10 * * * * *", "Australia/Lord_Howe", ["2026-04-04T14:30:00Z", "2026-04-04T15:30:00Z"]),
    ).toHaveLength(360);
  });

  it("[T-18] local time is shown with its offset", () => {
    expect(localTime("America/New_York", Date.parse("2026-07-01T13:00:00Z"))).toBe("2026-07-01T09:00:00-04:00");
    expect(localTime("Asia/Kathmandu", Date.parse("2026-07-01T00:00:00Z"))).toBe("2026-07-01T05:45:00+05:45");
    expect(localTime("UTC", 0)).toBe("1970-01-01T00:00:00+00:00");
  });
});

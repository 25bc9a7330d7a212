import type { Timestamp } from "./time.ts";

const formats = new Map<string, Intl.DateTimeFormat>();

const formatOf = (zone: string): Intl.DateTimeFormat => {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      calendar: "gregory",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, format);
  }
  return format;
};

/** Whether the platform knows a time zone of this name. */
export const isTimeZone = (zone: string): boolean => {
  try {
    formatOf(zone);
    return true;
  } catch {
    return false;
  }
};

/** How far local time is ahead of UTC at a moment, in milliseconds. */
export const zoneOffset = (zone: string, at: Timestamp): number => {
  const second = Math.floor(at / 1000) * 1000;
  const fields = new Map(
    formatOf(zone)
      .formatToParts(second)
      .map((part) => [part.type, Number(part.value)]),
  );
  const field = (name: Intl.DateTimeFormatPartTypes): number => fields.get(name) ?? 0;
  const wall = Date.UTC(
    field("year"),
    field("month") - 1,
    field("day"),
    field("hour"),
    field("minute"),
    field("second"),
  );
  return wall - second;
};

const two = (value: number): string => String(value).padStart(2, "0");

/** Local time with its offset from UTC, such as `2026-07-01T09:00:00-04:00`. */
export const localTime = (zone: string, at: Timestamp): string => {
  const offset = zoneOffset(zone, at);
  const minutes = Math.floor(Math.abs(offset) / 60_000);
  const sign = offset < 0 ? "-" : "+";
  const wall = new Date(at + offset).toISOString().slice(0, 19);
  return `${wall}${sign}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
};

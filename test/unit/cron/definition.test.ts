import { describe, expect, it } from "vitest";
import {
  checkCron,
  checkNotCron,
  cronBinding,
  cronRetentionDays,
  type CronFields,
} from "../../../src/schema/trigger-cron.ts";

const issues = (fields: unknown): readonly string[] => {
  const found: string[] = [];
  checkCron(fields as CronFields, (path, message) => found.push(`${path}: ${message}`));
  return found;
};

describe("the cron keys of a definition", () => {
  it("[T-5.7] schedule and zone are checked", () => {
    expect(issues({})).toEqual(["schedule: cron triggers require a string schedule field"]);
    expect(issues({ schedule: "0 9 * * *" })).toEqual([]);
    expect(issues({ schedule: "x" })[0]).toContain("schedule: invalid cron schedule 'x': ");
    expect(issues({ schedule: "0 9 * * *", timezone: "+02:00" })).toEqual([
      "timezone: invalid cron timezone '+02:00': use an IANA timezone name like 'America/New_York', not a UTC offset",
    ]);
  });

  it("[T-18] the mode has three names, which may not contradict each other", () => {
    const schedule = "0 9 * * *";
    const defaults = { trigger_id: "t", schedule, timezone: "UTC", catchup_mode: "skip" };
    expect(cronBinding("t", { schedule })).toEqual(defaults);
    for (const name of ["catchup_mode", "catch_up", "catchup"]) {
      expect(cronBinding("t", { schedule, [name]: "all" })).toEqual({ ...defaults, catchup_mode: "all" });
    }
    expect(issues({ schedule, catchup_mode: "all", catchup: "all" })).toEqual([]);
    expect(issues({ schedule, catch_up: "all", catchup: "skip" })).toEqual([
      "catchup: `catchup` says otherwise than `catch_up`",
    ]);
  });

  it("[T-18] a tick's dedupe key is claimed for seven days unless a key says otherwise", () => {
    expect(cronRetentionDays({})).toBe(7);
    expect(cronRetentionDays({ dedupe: { retention_days: 3 } })).toBe(3);
    expect(cronRetentionDays({ retry: { retention_days: 2 }, dedupe: { retention_days: 3 } })).toBe(2);
    expect(cronRetentionDays({ retention_days: 1, retry: { retention_days: 2 } })).toBe(1);
  });

  it("[T-5.1] a trigger of another provider has none of them", () => {
    const found: string[] = [];
    checkNotCron({ schedule: "0 9 * * *", retention_days: 1 }, (path, message) => found.push(`${path}: ${message}`));
    checkNotCron({}, (path) => found.push(path));
    expect(found).toEqual([
      "schedule: `schedule` is for provider 'cron'",
      "retention_days: `retention_days` is for provider 'cron'",
    ]);
  });
});

import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import type { Bindings } from "../../src/http/call.ts";
import { wakeLostSchedules } from "../../src/cron/lost-ticks.ts";
import { clientFor, get, migrateDatabase, refusal, send } from "./http-setup.ts";

beforeAll(migrateDatabase);

const NOON = Date.parse("2026-04-19T12:00:30Z");

const listTrigger = async (id: string, change: { schedule?: unknown; state?: string; updated_at?: string } = {}) => {
  const { schedule = "* * * * *", state = "active", updated_at = "2026-04-19T00:00:00.000Z" } = change;
  await env.DB.prepare(
    "INSERT INTO triggers (tenant, trigger_id, seq, provider, state, version, definition, created_at, updated_at) VALUES ('default', ?, 1, 'cron', ?, 1, ?, ?, ?)",
  )
    .bind(id, state, JSON.stringify({ schedule, timezone: "Europe/Berlin" }), updated_at, updated_at)
    .run();
};

const listEvent = async (trigger: string, receivedAt: string) => {
  await env.DB.prepare(
    "INSERT INTO events (tenant, event_id, seq, trigger_id, provider, kind, dedupe_key, status, received_at, updated_at) VALUES ('default', ?, 1, ?, 'cron', 'tick', 'k', 'accepted', ?, ?)",
  )
    .bind(`e-${trigger}-${receivedAt}`, trigger, receivedAt, receivedAt)
    .run();
};

/** Bindings whose triggers only say that they were woken. */
const watched = (fails = ""): { readonly woken: string[]; readonly bindings: Bindings } => {
  const woken: string[] = [];
  const recover = (name: string) => () => {
    woken.push(name);
    return name === fails ? Promise.reject(new Error("reset")) : Promise.resolve();
  };
  const TRIGGER = { getByName: (name: string) => ({ recover: recover(name) }) };
  return { woken, bindings: { ...env, TRIGGER } as unknown as Bindings };
};

const bad = (query: string) => refusal(get(`/v1/cron/next?${query}`));

describe("help with schedules", () => {
  it("[T-18] the next ticks are shown in UTC and in local time", async () => {
    const answer = await clientFor().triggers.previewCron({
      schedule: "0 2 * * *",
      timezone: "America/New_York",
      after: "2026-03-07T12:00:00Z",
      count: "1",
    });
    expect(answer).toEqual({
      schedule: "0 2 * * *",
      timezone: "America/New_York",
      ticks: [{ at: "2026-03-09T06:00:00Z", local: "2026-03-09T02:00:00-04:00" }],
    });
    const now = await (await get("/v1/cron/next?schedule=@hourly")).json<{ ticks: { at: string }[] }>();
    expect(now.ticks).toHaveLength(5);
    expect(Date.parse(now.ticks[0]?.at ?? "")).toBeGreaterThan(Date.now());
  });

  it("[T-5.7] what cannot be read is refused with its field", async () => {
    expect(await bad("schedule=nonsense")).toMatchObject({
      status: 400,
      details: {
        issues: [{ path: "schedule", message: expect.stringContaining("invalid cron schedule 'nonsense': ") }],
      },
    });
    expect(await bad("schedule=@daily&timezone=UTC%2B2")).toMatchObject({
      details: { issues: [{ path: "timezone" }] },
    });
    expect(await bad("schedule=@daily&count=101")).toMatchObject({ details: { issues: [{ path: "count" }] } });
    expect(await bad("")).toMatchObject({ details: { issues: [{ path: "schedule" }] } });
    expect(await refusal(send("/v1/cron/next?schedule=@daily"))).toMatchObject({ status: 401 });
  });

  it("[T-18] time zones are known here as they are elsewhere", async () => {
    for (const zone of ["Asia/Beirut", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu"]) {
      const query = `schedule=@daily&timezone=${zone}&after=2026-03-28T12:00:00Z`;
      const { ticks } = await (await get(`/v1/cron/next?${query}`)).json<{ ticks: { local: string }[] }>();
      expect(ticks.every(({ local }) => local.includes("T00:00:00"))).toBe(true);
    }
  });
});

describe("the watchdog of schedules", () => {
  it("[T-26.2] wakes the triggers that had a tick without an event, and no others", async () => {
    await listTrigger("lost");
    await listTrigger("stopped", { state: "paused" });
    await listTrigger("young", { updated_at: "2026-04-19T11:59:50.000Z" });
    await listTrigger("fine");
    await listEvent("fine", "2026-04-19T11:58:00.100Z");
    await listTrigger("silent");
    await listEvent("silent", "2026-04-19T11:50:00.100Z");
    await listTrigger("broken", { schedule: "nonsense" });
    const { woken, bindings } = watched("default/lost");
    await wakeLostSchedules(bindings, NOON);
    expect(woken).toEqual(["default/lost", "default/silent"]);
  });

  it("[T-26.2] looks at every page of the list", async () => {
    await env.DB.prepare("DELETE FROM triggers").run();
    for (let index = 0; index < 205; index++) await listTrigger(`t${String(index).padStart(3, "0")}`);
    const { woken, bindings } = watched();
    await wakeLostSchedules(bindings, NOON);
    expect(woken).toHaveLength(205);
    expect(new Set(woken).size).toBe(205);
  });
});

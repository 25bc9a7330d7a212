import { describe, expect, it } from "vitest";
import { CRON_TAKES_NOTHING, cronStateView, tickEvent, tickTime } from "../../../src/engine/cron/event.ts";
import { previewCron } from "../../../src/engine/cron/preview.ts";
import { activateCron, wakeCron } from "../../../src/engine/cron/schedule.ts";
import type { CatchupMode, CronBinding, CronState, CronStep } from "../../../src/engine/cron/state.ts";
import { isTickMissing } from "../../../src/engine/cron/watch.ts";
import { compileCron } from "../../../src/lib/cron-expression.ts";

const at = (time: string): number => Date.parse(`2026-04-19T${time}Z`);

const binding = (mode: CatchupMode = "skip", schedule = "* * * * *"): CronBinding => ({
  trigger_id: "every",
  schedule,
  timezone: "UTC",
  catchup_mode: mode,
});

const state = (change: Partial<CronState> = {}): CronState => ({
  schedule: "* * * * *",
  timezone: "UTC",
  last_fired_at_ms: at("00:00:00"),
  cursor_ms: at("00:00:00"),
  next_at_ms: at("00:01:00"),
  owed: null,
  ...change,
});

const stepOf = (result: ReturnType<typeof activateCron>): CronStep => {
  if (!result.ok) throw new Error(result.error);
  return result.value;
};

const shown = ({ ticks }: CronStep): readonly string[] =>
  ticks.map(({ tick_at_ms, catchup }) => `${tickTime(tick_at_ms).slice(11, -1)}${catchup ? " late" : ""}`);

const activate = (before: CronState | null, mode: CatchupMode, now: number, limit?: number): CronStep =>
  stepOf(activateCron(before, { binding: binding(mode), now, ...(limit === undefined ? {} : { limit }) }));

const wake = (
  before: CronState,
  now: number,
  change: { mode?: CatchupMode; wasRunning?: boolean; limit?: number } = {},
) => stepOf(wakeCron(before, { binding: binding(change.mode), now, wasRunning: false, limit: 1_000, ...change }));

describe("activation", () => {
  it.each([
    ["skip", []],
    ["all", ["00:01:00 late", "00:02:00 late", "00:03:00 late"]],
    ["latest", ["00:03:00 late"]],
  ] as const)("[T-18] after three missed minutes, %s fires %j", (mode, ticks) => {
    const step = activate(state(), mode, at("00:03:30"));
    expect(shown(step)).toEqual(ticks);
    expect(step.state).toMatchObject({ cursor_ms: at("00:03:30"), next_at_ms: at("00:04:00"), owed: null });
    expect(step.state.last_fired_at_ms).toBe(mode === "skip" ? at("00:00:00") : at("00:03:00"));
  });

  it.each(["all", "latest"] as const)("[T-18] the first activation with %s looks at the last minute", (mode) => {
    expect(shown(activate(null, mode, at("00:03:30")))).toEqual(["00:03:00 late"]);
    expect(shown(activate(null, mode, at("00:03:00")))).toEqual(["00:03:00 late"]);
    expect(shown(activate(null, "skip", at("00:03:00")))).toEqual([]);
  });

  it.each(["all", "latest"] as const)("[T-18] with %s nothing is caught up where nothing was missed", (mode) => {
    const step = activate(state({ cursor_ms: at("00:03:00") }), mode, at("00:03:30"));
    expect(step).toMatchObject({ ticks: [], state: { next_at_ms: at("00:04:00"), last_fired_at_ms: at("00:00:00") } });
    const ended = { binding: binding(mode, "0 0 0 1 1 * 2030"), now: at("00:03:30") };
    expect(stepOf(activateCron(null, ended))).toMatchObject({
      ticks: [],
      state: { next_at_ms: Date.parse("2030-01-01") },
    });
  });

  it.each([{ schedule: "0 * * * *" }, { timezone: "Europe/Berlin" }])(
    "[T-18] another schedule or zone than before has missed nothing: %j",
    (before) => {
      const step = activate(state(before), "all", at("00:03:30"));
      expect(step).toMatchObject({ ticks: [], state: { schedule: "* * * * *", timezone: "UTC" } });
    },
  );

  it("[T-18] a schedule that cannot be read is an error", () => {
    const moment = { binding: binding("all", "nonsense"), now: 0 };
    expect(activateCron(null, moment)).toMatchObject({ ok: false });
    expect(wakeCron(state(), { ...moment, wasRunning: true })).toMatchObject({ ok: false });
  });

  it("[T-18] what does not fit into one step is owed, and stays what it was", () => {
    const first = activate(state(), "all", at("00:05:30"), 2);
    expect(shown(first)).toEqual(["00:01:00 late", "00:02:00 late"]);
    expect(first).toMatchObject({ more: true, state: { next_at_ms: at("00:05:30"), cursor_ms: at("00:02:00") } });
    const second = wake(first.state, at("00:40:00"), { limit: 4 });
    expect(shown(second)).toEqual(["00:03:00 late", "00:04:00 late", "00:05:00 late", "00:06:00"]);
    expect(second.more).toBe(true);
    const third = wake(second.state, at("00:40:01"));
    expect(shown(third).slice(0, 1)).toEqual(["00:07:00"]);
    expect(third.ticks).toHaveLength(34);
    expect(third).toMatchObject({ more: false, state: { next_at_ms: at("00:41:00"), owed: null } });
  });
});

describe("waking", () => {
  it("[T-18] a late wake-up of a running schedule fires every tick as a normal one, whatever the mode", () => {
    for (const mode of ["skip", "all", "latest"] as const) {
      const step = wake(state(), at("02:00:00"), { mode, wasRunning: true });
      expect(step.ticks).toHaveLength(120);
      expect(shown(step)[119]).toBe("02:00:00");
    }
  });

  it("[T-26.2] more than ten minutes late in a new process, the mode decides", () => {
    expect(wake(state(), at("00:11:00")).ticks).toHaveLength(11);
    expect(wake(state(), at("00:11:01")).ticks).toHaveLength(0);
    expect(shown(wake(state(), at("00:11:01"), { mode: "latest" }))).toEqual(["00:11:00 late"]);
    expect(wake(state(), at("00:11:01"), { mode: "all" }).ticks).toHaveLength(11);
  });

  it("[T-18] a wake-up that is early or repeated fires nothing", () => {
    const early = wake(state(), at("00:00:59"));
    expect(early).toMatchObject({ ticks: [], state: { next_at_ms: at("00:01:00"), cursor_ms: at("00:00:59") } });
    const once = wake(early.state, at("00:01:00"));
    expect(shown(once)).toEqual(["00:01:00"]);
    expect(wake(once.state, at("00:01:00")).ticks).toEqual([]);
  });

  it("[T-18] a clock that goes back fires nothing again; one that was far ahead is forgotten", () => {
    const back = wake(state({ cursor_ms: at("00:05:00") }), at("00:00:30"));
    expect(back).toMatchObject({ ticks: [], state: { cursor_ms: at("00:05:00"), next_at_ms: at("00:06:00") } });
    const ahead = wake(state({ cursor_ms: at("12:00:00"), next_at_ms: at("12:01:00") }), at("00:00:30"));
    expect(ahead.state).toMatchObject({ cursor_ms: at("00:00:30"), next_at_ms: at("00:01:00") });
  });

  it("[T-18] a schedule that has ended is not woken again", () => {
    const moment = { binding: binding("skip", "0 0 0 1 1 * 2020"), now: at("00:00:00") };
    expect(stepOf(activateCron(null, moment)).state.next_at_ms).toBeNull();
    const ended = state({ schedule: "0 0 0 1 1 * 2020", next_at_ms: null });
    const step = stepOf(wakeCron(ended, { ...moment, wasRunning: false }));
    expect(step).toMatchObject({ ticks: [], more: false, state: { next_at_ms: null } });
  });
});

describe("what is shown of a schedule", () => {
  it("[T-4.2] a tick is an unsigned event whose dedupe key says trigger and second", () => {
    const london = { ...binding(), trigger_id: "nightly", timezone: "Europe/London" };
    expect(tickEvent(london, { tick_at_ms: at("00:01:00"), catchup: true })).toEqual({
      provider: "cron",
      kind: "tick",
      occurred_at: "2026-04-19T00:01:00Z",
      dedupe_key: "cron:nightly:1776556860",
      headers: {},
      provider_payload: {
        provider: "cron",
        cron_id: "nightly",
        schedule: "* * * * *",
        tick_at: "2026-04-19T00:01:00Z",
        raw: { catchup: true, timezone: "Europe/London" },
      },
      signature_status: { state: "unsigned" },
    });
    expect(CRON_TAKES_NOTHING).toBe("cron is an in-process scheduler and does not accept inbound payloads");
  });

  it("[T-18] the state is shown once there was a tick", () => {
    expect(cronStateView("a", null)).toBeNull();
    expect(cronStateView("a", state({ last_fired_at_ms: null }))).toBeNull();
    expect(cronStateView("a", state())).toEqual({ trigger_id: "a", last_fired_at: "2026-04-19T00:00:00Z" });
  });

  it("[T-18] a preview has the next ticks in both times, and ends with the schedule", () => {
    const expression = compileCron("0 0 9 1 7 * 2026-2027", "America/New_York");
    if (!expression.ok) throw new Error(expression.error.message);
    const options = { timezone: "America/New_York", after: at("00:00:00"), count: 1 };
    const first = { at: "2026-07-01T13:00:00Z", local: "2026-07-01T09:00:00-04:00" };
    expect(previewCron(expression.value, options)).toEqual([first]);
    expect(previewCron(expression.value, { ...options, count: 9 })).toHaveLength(2);
  });

  it("[T-26.2] a tick without an event is missing after two minutes, unless the trigger is younger", () => {
    const hourly = compileCron("0 * * * *");
    if (!hourly.ok) throw new Error(hourly.error.message);
    const seen = { since: at("00:30:00"), lastEventAt: null, now: at("01:03:00") };
    const missing = (change: Partial<typeof seen> | { lastEventAt: number }): boolean =>
      isTickMissing(hourly.value, { ...seen, ...change });
    expect(missing({})).toBe(true);
    expect(missing({ now: at("01:01:00") })).toBe(false);
    expect(missing({ since: at("01:00:01") })).toBe(false);
    expect(missing({ lastEventAt: at("00:00:01") })).toBe(true);
    expect(missing({ lastEventAt: at("01:00:01") })).toBe(false);
  });
});

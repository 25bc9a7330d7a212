import { describe, expect, it } from "vitest";
import { CronClock } from "../../../durable-objects/shell/cron-clock.ts";
import { type SqliteStore, sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import type { CronBinding } from "../../../src/engine/cron/state.ts";

const MIDNIGHT = Date.parse("2026-04-19T00:00:00Z");
const MINUTE = 60_000;

const every = (change: Partial<CronBinding> = {}): CronBinding => ({
  trigger_id: "every",
  schedule: "* * * * *",
  timezone: "UTC",
  catchup_mode: "skip",
  ...change,
});

/** A clock at midnight with the dedupe keys it handed over; `fails` makes the next intake throw. */
const clockOn = (store: SqliteStore) => {
  const world = { now: MIDNIGHT, keys: [] as string[], fails: false };
  const load = () =>
    new CronClock({
      store,
      now: () => world.now,
      accept: (event) => {
        if (world.fails) throw new Error("the store is full");
        world.keys.push(event.dedupe_key);
      },
    });
  return { world, load };
};

const key = (minute: number): string => `cron:every:${(MIDNIGHT + minute * MINUTE) / 1000}`;

describe("the clock of a cron trigger", () => {
  it("[T-18] a trigger that is none of cron has no state and no row", () => {
    const store = sqliteStore();
    const { load } = clockOn(store);
    expect(load()).toMatchObject({ state: null, nextAt: null });
    expect(store.query("SELECT name FROM sqlite_master")).toEqual([]);
  });

  it("[T-18] each tick is handed over once, and the state survives the instance", () => {
    const { world, load } = clockOn(sqliteStore());
    expect(load().activate(every())).toEqual({ ok: true, value: null });
    expect(load().nextAt).toBe(MIDNIGHT + MINUTE);
    for (const minute of [1, 1, 2]) {
      world.now = MIDNIGHT + minute * MINUTE;
      load().wake(every());
    }
    expect(world.keys).toEqual([key(1), key(2)]);
    expect(load().state).toMatchObject({ last_fired_at_ms: MIDNIGHT + 2 * MINUTE, next_at_ms: MIDNIGHT + 3 * MINUTE });
  });

  it("[T-18] an intake that fails keeps nothing, so that the ticks are offered again", () => {
    const { world, load } = clockOn(sqliteStore());
    load().activate(every());
    const before = load().state;
    Object.assign(world, { now: MIDNIGHT + 2 * MINUTE, fails: true });
    expect(() => load().wake(every())).toThrow("the store is full");
    expect(load().state).toEqual(before);
    world.fails = false;
    load().wake(every());
    expect(world.keys).toEqual([key(1), key(2)]);
  });

  it("[T-18] many ticks are handed over a hundred at a time, with the alarm at once in between", () => {
    const { world, load } = clockOn(sqliteStore());
    load().activate(every({ catchup_mode: "all" }));
    world.now = MIDNIGHT + 250 * MINUTE;
    const counts = [1, 2, 3].map(() => {
      load().wake(every({ catchup_mode: "all" }));
      return [world.keys.length, load().nextAt === world.now] as const;
    });
    // The tick of midnight itself was caught up by the first activation.
    expect(counts).toEqual([
      [101, true],
      [201, true],
      [251, false],
    ]);
  });

  it("[T-26.2] an instance that was there fires what it slept through, a new one follows the mode", () => {
    const first = clockOn(sqliteStore());
    const running = first.load();
    running.activate(every());
    first.world.now = MIDNIGHT + 30 * MINUTE;
    running.wake(every());
    expect(first.world.keys).toHaveLength(30);
    const second = clockOn(sqliteStore());
    second.load().activate(every());
    second.world.now = MIDNIGHT + 30 * MINUTE;
    second.load().wake(every());
    expect(second.world.keys).toEqual([]);
    expect(second.load().nextAt).toBe(MIDNIGHT + 31 * MINUTE);
  });

  it("[T-18] a wake-up starts a schedule that is not started or is another one by now", () => {
    const { world, load } = clockOn(sqliteStore());
    load().wake(every());
    expect(load().nextAt).toBe(MIDNIGHT + MINUTE);
    world.now = MIDNIGHT + 5 * MINUTE;
    load().wake(every({ schedule: "30 * * * *" }));
    load().wake(every({ schedule: "30 * * * *", timezone: "Asia/Kathmandu" }));
    expect(world.keys).toEqual([]);
    expect(load().state).toMatchObject({ timezone: "Asia/Kathmandu", next_at_ms: MIDNIGHT + 45 * MINUTE });
  });

  it("[T-18] a schedule that cannot be read is an error and changes nothing", () => {
    const { load } = clockOn(sqliteStore());
    expect(load().activate(every({ timezone: "Mars/Base" })).ok).toBe(false);
    expect(load().state).toBeNull();
  });
});

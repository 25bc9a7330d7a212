import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CronClock } from "../../durable-objects/shell/cron-clock.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import { dueTicks } from "../../src/engine/cron/schedule.ts";
import type { CatchupMode, CronBinding } from "../../src/engine/cron/state.ts";
import { compileCron, type CronExpression } from "../../src/lib/cron-expression.ts";
import { zoneOffset } from "../../src/lib/time-zone.ts";

const HOUR = 3_600_000;
const MINUTE = 60_000;

const compiled = (schedule: string, zone: string): CronExpression => {
  const result = compileCron(schedule, zone);
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
};

/** Zones with the moments around which their clocks change. */
const CHANGES = [
  ["America/New_York", "2026-03-08T07:00:00Z"],
  ["America/New_York", "2026-11-01T06:00:00Z"],
  ["Europe/Berlin", "2026-10-25T01:00:00Z"],
  ["Asia/Beirut", "2026-03-28T22:00:00Z"],
  ["Asia/Beirut", "2026-10-24T21:00:00Z"],
  ["America/Sao_Paulo", "2018-11-04T03:00:00Z"],
  ["America/Sao_Paulo", "2018-02-18T02:00:00Z"],
  ["Australia/Lord_Howe", "2026-04-04T15:00:00Z"],
  ["Australia/Lord_Howe", "2026-10-03T15:30:00Z"],
  ["Asia/Kathmandu", "2026-05-05T00:00:00Z"],
] as const;

const values = (max: number) => fc.uniqueArray(fc.integer({ min: 0, max }), { minLength: 1, maxLength: 3 });

interface Fields {
  readonly minutes: readonly number[] | null;
  readonly hours: readonly number[] | null;
}

const matches = ({ minutes, hours }: Fields, wall: number): boolean =>
  (minutes?.includes(new Date(wall).getUTCMinutes()) ?? true) &&
  (hours?.includes(new Date(wall).getUTCHours()) ?? true);

/** The rule said plainly: every minute of the range is looked at on the clocks of the zone. */
const expected = (fields: Fields, zone: string, range: readonly [number, number]): readonly number[] => {
  const seen = new Map<number, number>();
  const ticks: number[] = [];
  let previous: number | null = null;
  // A day earlier than the range, so that what came before its first tick is known.
  for (let at = range[0] - 24 * HOUR; at <= range[1]; at += MINUTE) {
    const wall = at + zoneOffset(zone, at);
    if (!matches(fields, wall)) continue;
    const isSecond = seen.has(wall) && (fields.hours !== null || previous === wall);
    seen.set(wall, at);
    previous = wall;
    if (!isSecond && at > range[0]) ticks.push(at);
  }
  return ticks;
};

describe("ticks", () => {
  it("[T-18] a schedule fires at the minutes its fields name on the clocks of the zone, and at no other", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CHANGES),
        fc.record({ minutes: fc.option(values(59)), hours: fc.option(values(5)) }),
        ([zone, around], fields) => {
          const middle = Date.parse(around);
          const range = [middle - 6 * HOUR, middle + 6 * HOUR] as const;
          const schedule = `${fields.minutes?.join(",") ?? "*"} ${fields.hours?.join(",") ?? "*"} * * *`;
          const expression = compiled(schedule, zone);
          const ticks = dueTicks(expression, { after: range[0], until: range[1] });
          expect(ticks).toEqual(expected(fields, zone, range));
          for (const tick of ticks) expect(expression.latest(tick + 30_000)).toBe(tick);
        },
      ),
      { numRuns: 60 },
    );
  });
});

const START = Date.parse("2026-11-01T04:00:00Z");

/** What happens to a schedule, in order. */
const happening = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant("alarm" as const), late: fc.integer({ min: 0, max: 200_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("early" as const), late: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("crash" as const), late: fc.integer({ min: 0, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("restart" as const), late: fc.constant(0) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("sleep" as const), late: fc.integer({ min: 0, max: 2 * HOUR }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("back" as const), late: fc.integer({ min: 0, max: 500_000 }) }),
  },
);

const LONGEST_BACK_MS = 500_000;

class World {
  now = START;
  /** The latest that the clock has ever shown. */
  latest = START;
  /** Intakes until the process ends; null: it does not. */
  fuse: number | null = null;
  readonly accepted: { readonly key: string; readonly at: string; readonly catchup: boolean }[] = [];
  readonly #store = sqliteStore();
  readonly #binding: CronBinding;
  #clock = this.#load();

  constructor(binding: CronBinding) {
    this.#binding = binding;
    this.#clock.activate(binding);
  }

  get nextAt(): number {
    return this.#clock.nextAt ?? Infinity;
  }

  restart(): void {
    this.#clock = this.#load();
  }

  /** The alarm rings until nothing is due at once; a crash loses what was not committed and the process with it. */
  ring(): void {
    do {
      const before = this.accepted.length;
      try {
        this.#clock.wake(this.#binding);
      } catch {
        this.fuse = null;
        this.accepted.length = before;
        this.restart();
      }
    } while (this.nextAt <= this.now);
  }

  #load(): CronClock {
    return new CronClock({
      store: this.#store,
      now: () => this.now,
      accept: ({ dedupe_key: key, occurred_at: at, provider_payload }) => {
        if (this.accepted.some((other) => other.key === key)) return;
        if (this.fuse === 0) throw new Error("the process ends here");
        if (this.fuse !== null) this.fuse -= 1;
        const { catchup } = provider_payload["raw"] as { readonly catchup: boolean };
        this.accepted.push({ key, at: at ?? "", catchup });
      },
    });
  }
}

const happen = (world: World, { type, late }: { readonly type: string; readonly late: number }): void => {
  if (type === "restart") world.restart();
  // A clock that is further behind than ten minutes is taken for one that had been wrong before: ticks then come again.
  if (type === "back") world.now = Math.max(world.now - late, world.latest - LONGEST_BACK_MS);
  if (type === "early") world.ring();
  if (type === "crash") world.fuse = late;
  if (type === "alarm" || type === "sleep" || type === "crash") {
    world.now = Math.max(world.now, world.nextAt) + (type === "crash" ? 0 : late);
    world.ring();
  }
  world.latest = Math.max(world.latest, world.now);
};

const run = (mode: CatchupMode, schedule: string, events: readonly { type: string; late: number }[]): World => {
  const world = new World({ trigger_id: "t", schedule, timezone: "America/New_York", catchup_mode: mode });
  for (const event of events) happen(world, event);
  world.now = Math.max(world.now, world.nextAt);
  world.ring();
  return world;
};

const schedules = fc.constantFrom("* * * * *", "*/15 * * * *", "*/20 * * * * *", "0 * * * *", "30 1 * * *");

describe("a schedule over crashes, restarts, late and repeated alarms and clocks that jump", () => {
  it("[T-18] `all` takes in every tick once and in order", () => {
    fc.assert(
      fc.property(schedules, fc.array(happening, { maxLength: 30 }), (schedule, events) => {
        const world = run("all", schedule, events);
        const ticks = world.accepted.map(({ at }) => Date.parse(at));
        const last = ticks.at(-1) ?? START;
        const after = ticks[0] !== undefined && ticks[0] <= START ? START - MINUTE : START;
        expect(ticks).toEqual(dueTicks(compiled(schedule, "America/New_York"), { after, until: last }));
        expect(world.nextAt).toBeGreaterThan(last);
      }),
      { numRuns: 60 },
    );
  });

  it("[T-18] `skip` and `latest` double nothing, and leave out nothing but what a new process missed", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("skip" as const, "latest" as const),
        schedules,
        fc.array(happening, { maxLength: 30 }),
        (mode, schedule, events) => {
          const world = run(mode, schedule, events);
          const keys = world.accepted.map(({ key }) => key);
          expect(new Set(keys).size).toBe(keys.length);
          const ticks = world.accepted.map(({ at }) => Date.parse(at));
          expect(ticks).toEqual(ticks.toSorted((a, b) => a - b));
          if (mode === "skip") expect(world.accepted.filter(({ catchup }) => catchup)).toEqual([]);
          // Without a new process there is nothing that the mode could leave out.
          if (events.some(({ type }) => type === "restart" || type === "crash")) return;
          const from = ticks.find((tick) => tick > START) ?? START;
          const all = dueTicks(compiled(schedule, "America/New_York"), {
            after: from - 1,
            until: ticks.at(-1) ?? START,
          });
          expect(ticks.filter((tick) => tick > START)).toEqual(all);
        },
      ),
      { numRuns: 60 },
    );
  });
});

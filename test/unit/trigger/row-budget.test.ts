import { beforeAll, describe, expect, it } from "vitest";
import { CostRig, type EventCost } from "../../support/intake/costs.ts";

const EVENTS = 20;

interface Case {
  readonly name: string;
  readonly change: Readonly<Record<string, unknown>>;
  /** How many deliveries come together; the others come a minute apart. */
  readonly together?: number;
  /** What an event may cost from its delivery to its end. */
  readonly whole: number;
}

const KEY = "event.provider_payload.raw.gate";

const GROUP = "event.provider_payload.raw.group";

const CASES: readonly Case[] = [
  { name: "workflow, over when its run has started", change: {}, whole: 6 },
  {
    name: "workflow, over when its run has ended",
    change: { handler: { workflow: "w", completion: "finished" } },
    whole: 8,
  },
  { name: "function", change: { handler: { function: "echo" } }, whole: 7 },
  { name: "concurrency with room", change: { concurrency: { key: KEY, max: 10 } }, whole: 11.5 },
  {
    name: "concurrency, nine of ten wait",
    change: { concurrency: { key: GROUP, max: 1 } },
    together: 10,
    whole: 14,
  },
  { name: "singleton", change: { singleton: { key: KEY } }, whole: 11.5 },
  { name: "debounce", change: { debounce: { key: KEY, period: "10s" } }, whole: 14.5 },
  { name: "rate_limit", change: { rate_limit: { key: KEY, period: "1m", max: 10 } }, whole: 8.5 },
  { name: "throttle with room", change: { throttle: { key: KEY, period: "1m", max: 10 } }, whole: 8.5 },
  { name: "batch of 10", change: { batch: { key: GROUP, size: 10, timeout: "1m" } }, together: 10, whole: 8.5 },
];

const measured = async ({ change, together = 1 }: Case): Promise<EventCost> => {
  const rig = new CostRig(change);
  const before = rig.rows;
  let accept = 0;
  for (let number = 0; number < EVENTS; number += 1) {
    accept = Math.max(accept, rig.delivery(number));
    if ((number + 1) % together === 0) await rig.pass(60_000);
  }
  await rig.pass(3_600_000);
  expect(rig.left, JSON.stringify(change)).toBe(0);
  expect(rig.started).toBeGreaterThan(0);
  return { accept, whole: (rig.rows - before) / EVENTS };
};

describe("rows of an event", () => {
  const costs = new Map<string, EventCost>();
  const table = (): string =>
    [...costs].map(([name, { accept, whole }]) => `| ${name} | ${accept} | ${whole.toFixed(1)} |`).join("\n");

  beforeAll(async () => {
    for (const one of CASES) costs.set(one.name, await measured(one));
    const rig = new CostRig({ provider: "cron", secret: undefined, schedule: "* * * * *" });
    const before = rig.rows;
    await rig.pass(EVENTS * 60_000);
    expect(rig.started).toBe(EVENTS);
    costs.set("tick of a schedule", { accept: 3, whole: (rig.rows - before) / EVENTS });
  });

  it("[T-20] taking a delivery in costs three rows: the event, its message, the alarm", () => {
    for (const { accept } of costs.values()) expect(accept, table()).toBeLessThanOrEqual(3);
  });

  it.each(CASES)("[T-20] from delivery to end: $name", ({ name, whole }) => {
    expect(costs.get(name)?.whole, table()).toBeLessThanOrEqual(whole);
  });

  it("[T-20] a tick of a schedule costs two rows more: the schedule, the alarm for the next one", () => {
    expect(costs.get("tick of a schedule")?.whole, table()).toBeLessThanOrEqual(8.5);
  });

  it("[T-7.2] a duplicate costs nothing", async () => {
    const rig = new CostRig({});
    expect(rig.delivery(1)).toBe(3);
    expect(rig.delivery(1)).toBe(0);
    await rig.pass(60_000);
    expect(rig.delivery(1)).toBe(0);
  });
});

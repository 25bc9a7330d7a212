import { describe, expect, it } from "vitest";
import { lookFor } from "../../../src/http/recent-event.ts";

/** Made at 2026-11-21T02:22:34.367Z. */
const ID = "trigger_evt_01a1fbe9-9f7f-7170-b637-de71e79e8620";
const MADE_AT = Date.parse("2026-11-21T02:22:34.367Z");

const looking = (now: number, foundAt: number) => {
  const pauses: number[] = [];
  let looks = 0;
  const look = () => {
    looks += 1;
    return Promise.resolve(looks === foundAt ? "found" : null);
  };
  const pause = (ms: number) => {
    pauses.push(ms);
    return Promise.resolve();
  };
  return { pauses, looks: () => looks, looking: { look, pause, now } };
};

describe("looking for an event", () => {
  it("[T-22.1] one that the list knows is found at once", async () => {
    const { looking: how, pauses } = looking(MADE_AT, 1);
    expect([await lookFor(ID, how), pauses]).toEqual(["found", []]);
  });

  it("[T-22.1] one that was accepted a moment ago is looked for again until the list knows it", async () => {
    const { looking: how, pauses } = looking(MADE_AT + 900, 4);
    expect([await lookFor(ID, how), pauses.length]).toEqual(["found", 3]);
  });

  it("[T-22.1] nothing is waited for beyond some seconds", async () => {
    const { looking: how, pauses, looks } = looking(MADE_AT, Number.NaN);
    expect([await lookFor(ID, how), looks()]).toEqual([null, pauses.length + 1]);
    expect(pauses.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(5_000);
  });

  it.each(["nope", "trigger_evt_mine", ID.replace("-7170-", "-4170-")])(
    "[T-22.1] nobody waits for %s, whose id does not say that it is new",
    async (id) => {
      const { looking: how, looks } = looking(MADE_AT, 2);
      expect([await lookFor(id, how), looks()]).toEqual([null, 1]);
    },
  );

  it("[T-22.1] nobody waits for an old one", async () => {
    const { looking: how, looks } = looking(MADE_AT + 60_000, 2);
    expect([await lookFor(ID, how), looks()]).toEqual([null, 1]);
  });
});

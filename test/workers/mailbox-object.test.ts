import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { type Heard, mailbox, ringAlarm, tell, withRuns } from "./mailbox-setup.ts";

const signal = (payload: number) => ({ type: "signal", name: "go", payload }) as const;
const waits = (stage: string) => ({ type: "subscribe", run_id: "r", stage_id: stage, name: "go" }) as const;

const settled = (id: string): Promise<void> =>
  vi.waitFor(async () => expect((await mailbox(id).status(id)).delivering_count).toBe(0));

const rowsOf = (id: string, table: string): Promise<number> =>
  runInDurableObject(mailbox(id), (_object, { storage }) => {
    const known = storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = ?", table).toArray();
    return known.length === 0 ? 0 : Number(storage.sql.exec(`SELECT count(*) AS rows FROM ${table}`).one()["rows"]);
  });

describe("a mailbox's object", () => {
  it("[M5] hands a message to the stage that waits, once, and keeps no effect", async () => {
    const heard: Heard[] = [];
    await withRuns("heard", (one) => heard.push(one) > 0);
    await tell("heard", waits("s"));
    await tell("heard", signal(1));
    await settled("heard");
    expect(heard).toMatchObject([
      { run: "default/r", stage_id: "s", message: { seq: 1, kind: "signal", name: "go", payload: 1 } },
    ]);
    expect(heard[0]?.message).not.toHaveProperty("bytes");
    expect(await mailbox("heard").status("heard")).toMatchObject({ pending_count: 0, subscriber_count: 0 });
    await vi.waitFor(async () => expect(await rowsOf("heard", "outbox")).toBe(0));
  });

  it("[M2] gives a message that nobody waits for any more to the next stage", async () => {
    const heard: string[] = [];
    await withRuns("gone", ({ stage_id }) => heard.push(stage_id) > 1);
    await tell("gone", waits("gone"));
    await tell("gone", waits("still-there"));
    await tell("gone", signal(1));
    await settled("gone");
    expect(heard).toEqual(["gone", "still-there"]);
  });

  it("[I1] tries again when the run could not be reached, also after an eviction", async () => {
    await withRuns("away", () => {
      throw new Error("away");
    });
    await tell("away", signal(1));
    await tell("away", waits("s"));
    await evictDurableObject(mailbox("away"));
    const heard: number[] = [];
    await withRuns("away", ({ message }) => heard.push(message.seq) > 0);
    await vi.waitFor(
      async () => {
        await ringAlarm("away");
        expect(heard).toEqual([1]);
      },
      { timeout: 10_000, interval: 100 },
    );
    await settled("away");
  });

  it("[I2] a mailbox survives its instance, and one that was only read has no storage", async () => {
    await tell("kept", signal(1));
    await tell("kept", { type: "publish_query", name: "q", value: [1] });
    const before = await mailbox("kept").status("kept");
    await evictDurableObject(mailbox("kept"));
    expect(await mailbox("kept").status("kept")).toEqual(before);
    expect(await mailbox("kept").query("q")).toMatchObject({ value: [1] });
    expect(await mailbox("read").status("read")).toMatchObject({ generation: 1, pending_count: 0 });
    await tell("read", { type: "unsubscribe", run_id: "r", stage_id: "s" });
    expect(await rowsOf("read", "journal")).toBe(0);
  });

  it("[I2] the journal of a mailbox that is used for long is cut, and its effects keep ids of their own", async () => {
    await withRuns("long", () => true);
    for (let i = 0; i < 510; i++) {
      await tell("long", signal(i));
      await tell("long", { type: "receive" });
    }
    await tell("long", signal(511));
    await evictDurableObject(mailbox("long"));
    expect(await mailbox("long").status("long")).toMatchObject({ pending_count: 1 });
    expect(await rowsOf("long", "journal")).toBe(1);
    const heard: number[] = [];
    await withRuns("long", ({ message }) => heard.push(message.seq) > 0);
    await tell("long", waits("s"));
    await settled("long");
    expect(heard).toEqual([511]);
  }, 60_000);
});

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RESEND_MS } from "../../../durable-objects/shell/keyed-outbox.ts";
import { opened } from "./fixture.ts";
import { HostedTrigger } from "./hosted.ts";

const every = (schedule: string) => ({ provider: "cron", secret: undefined, match: {}, schedule });

const WORKFLOW = { handler: { workflow: "triage" } };

let host: HostedTrigger;

beforeEach(() => {
  host = new HostedTrigger(WORKFLOW);
});

afterEach(() => host.store.close());

describe("the binding", () => {
  it("[T-26.2] a change of the trigger puts off nothing, and nothing afterwards either", () => {
    host = new HostedTrigger({ concurrency: { max: 1 } });
    host.deliver("a");
    host.begin("a");
    host.put();
    expect(host.store.alarmAt()).toBeLessThanOrEqual(host.outbox[0]?.next_at ?? 0);
    host.deliver("b");
    expect(host.store.alarmAt()).toBeLessThanOrEqual(host.now + RESEND_MS);
  });
});

/** The store refuses the next write that begins like this. */
const breakOn = (start: string): (() => void) => {
  const { write } = host.store;
  const broken = (sql: string, ...rest: readonly (string | number | null)[]): number => {
    if (sql.startsWith(start)) throw new Error("disk full");
    return write(sql, ...rest);
  };
  Object.assign(host.store, { write: broken });
  return () => Object.assign(host.store, { write });
};

describe("what goes wrong", () => {
  it("[T-26.2] a definition that could not be committed is not the one that goes on", () => {
    host = new HostedTrigger(every("* * * * *"));
    const mend = breakOn("INSERT INTO control_state");
    expect(() => host.put(every("*/5 * * * *"))).toThrow("disk full");
    mend();
    expect(host.shell.binding.seq).toBe(1);
    host.put(every("*/7 * * * *"));
    host.restart();
    expect([host.shell.binding.quarantine, host.shell.binding.seq]).toEqual([null, 2]);
  });

  it("[T-26.2] what could not be committed has not happened, in memory neither", () => {
    host.put({ handler: { function: "echo" }, concurrency: { max: 1 } });
    host.deliver("a");
    host.takeSent();
    for (const table of ["UPDATE event", "INSERT INTO flow_ticket"]) {
      const mend = breakOn(table);
      expect(() => host.dispatch("a")).toThrow("disk full");
      mend();
      expect(host.status("a")).toBe("accepted");
    }
    const mend = breakOn("INSERT INTO outbox");
    expect(() => host.deliver("b")).toThrow("disk full");
    mend();
    expect([host.takeSent(), host.shell.latest("b"), host.shell.load]).toMatchObject([[], null, {}]);
    // The slot that was not taken is free.
    host.deliver("b");
    expect(host.begin("b")).toMatchObject({ type: "handle" });
    expect(host.begin("a")).toBeNull();
    host.settle("b", { type: "succeeded", result: null });
    expect(host.status("a")).toBe("accepted");
    expect(host.begin("a")).toMatchObject({ type: "handle" });
  });

  it("[T-26.2] an alarm that could not be served changes nothing, and the next one serves it", () => {
    host.deliver("a");
    const mend = breakOn("UPDATE outbox");
    host.now += RESEND_MS;
    expect(() => host.shell.alarm()).toThrow("disk full");
    mend();
    expect(host.shell.alarm()).toMatchObject([{ dedupe_key: "a" }]);
    expect(host.store.alarmAt()).toBe(host.now + 2 * RESEND_MS);
  });

  it("[T-26.2] a late alarm is never put off by what comes in meanwhile", () => {
    host.deliver("a");
    host.now += 2 * RESEND_MS;
    host.deliver("b");
    expect(host.store.alarmAt()).toBeLessThanOrEqual(host.now);
    expect(host.shell.alarm()).toMatchObject([{ dedupe_key: "a" }]);
  });

  it("[T-20.2] what is too large for a row is refused and leaves nothing", () => {
    const event = { ...opened, dedupe_key: "a", provider_payload: { raw: "x".repeat(65_000_000) } };
    expect(host.shell.accept({ tenant: "t1", version: 1, event })).toMatchObject({
      ok: false,
      rejection: { code: "payload_too_large" },
    });
    expect([host.rows.size, host.outbox]).toEqual([0, []]);
  });
});

describe("where queues forget", () => {
  it("[T-26.2] an event that is over is listed once more, and then leaves", () => {
    host = new HostedTrigger(WORKFLOW, { queuesForget: true });
    const { id } = host.deliver("a").record.event;
    host.handle("a");
    expect(host.outbox.map((row) => row.id)).toEqual([id]);
    const due = host.pass(RESEND_MS);
    expect(due).toEqual([{ v: 1, id, listed: "a" }]);
    host.shell.forget(id);
    expect(host.outbox).toEqual([]);
  });

  it("[T-26.2] after a restart everything open can be sent again, and the alarm is set", () => {
    for (const key of ["a", "b", "c"]) host.deliver(key);
    host.handle("b");
    host.store.setAlarm(null);
    host.restart();
    host.shell.rearm();
    expect(host.store.alarmAt()).toBe(host.now);
    expect([...host.shell.openMessages()].flat()).toMatchObject([{ dedupe_key: "a" }, { dedupe_key: "c" }]);
  });
});

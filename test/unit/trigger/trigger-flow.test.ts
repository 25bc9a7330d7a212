import { afterEach, describe, expect, it } from "vitest";
import { replayKey } from "../../../durable-objects/shell/keyed-events.ts";
import { given, HostedTrigger } from "./hosted.ts";
import { FAILURE } from "./telling.ts";

const BY = { requested_by: null, audit_id: null };
const LEASE_MS = 1_800_000;

let host: HostedTrigger;

const hosted = (definition: Readonly<Record<string, unknown>>): HostedTrigger => {
  host = new HostedTrigger(definition);
  return host;
};

afterEach(() => host.store.close());

/** Delivers and dispatches as far as it goes, with a destination that is well. */
const arrive = (key: string, payload: Readonly<Record<string, string>> = {}): string => {
  host.deliver(key, payload);
  host.begin(key);
  return host.status(key);
};

const tickets = (): readonly string[] =>
  host.store.query("SELECT id FROM flow_ticket ORDER BY id").map((row) => String(row["id"]));

describe("concurrency", () => {
  it("[T-10] the next one waits for the slot, is woken by the end of the first, and goes on as the first would", () => {
    hosted({ concurrency: { max: 1 } });
    expect([arrive("a"), arrive("b"), arrive("c")]).toEqual(["dispatching", "parked", "parked"]);
    host.takeSent();
    // One that waits is looked after rarely: it is woken by what it waits for.
    expect(host.outbox.map(({ next_at }) => next_at - host.now)).toContain(86_400_000);
    expect(host.begin("b")).toBeNull();
    host.settle("a", { type: "succeeded", result: null });
    expect(host.takeSent()).toEqual(["b"]);
    expect([host.status("b"), host.status("c")]).toEqual(["accepted", "parked"]);
    expect(host.begin("c")).toBeNull();
    expect(host.begin("b")).toMatchObject({ type: "handle", call: { event_id: host.record("b").event.id } });
  });

  it("[T-10] the slot is kept over retries, and free after the dead letter", () => {
    hosted({ concurrency: { max: 1 }, retry: { max: 2, backoff: { kind: "linear", delay_ms: 4 * LEASE_MS } } });
    arrive("a");
    arrive("b");
    host.settle("a", FAILURE);
    host.pass(4 * LEASE_MS);
    expect(host.status("b")).toBe("parked");
    expect(host.begin("a")).toMatchObject({ call: { attempt: 2 } });
    host.takeSent();
    host.settle("a", FAILURE);
    expect([host.status("a"), host.takeSent()]).toEqual(["dead_lettered", ["b"]]);
  });

  it("[T-13.1] cancelling the holder, or one that waits, lets the next one go on", () => {
    hosted({ concurrency: { max: 1 }, handler: { workflow: "triage" } });
    arrive("a");
    arrive("b");
    arrive("c");
    expect(given(host.shell.cancel("b", BY)).record).toMatchObject({
      status: "cancelled",
      error: { detail: "trigger cancel request cancelled dispatch before attempt 1" },
    });
    host.takeSent();
    host.settle("a", FAILURE);
    given(host.shell.cancel("a", BY));
    expect([host.status("a"), host.takeSent()]).toEqual(["cancelled", ["c"]]);
  });

  it("[T-10] a run that is looked at keeps its slot; one that nobody looks at loses it after the lease", () => {
    hosted({ concurrency: { max: 1 }, handler: { workflow: "triage" } });
    arrive("a");
    expect(host.settle("a", { type: "running" }).record.status).toBe("dispatching");
    arrive("b");
    for (let look = 0; look < 5; look += 1) {
      host.pass(LEASE_MS / 2);
      host.begin("a");
      host.settle("a", { type: "running" });
    }
    expect(host.status("b")).toBe("parked");
    host.pass(LEASE_MS);
    expect(host.status("b")).toBe("accepted");
  });

  it("[T-10] those who wait go by priority, then by arrival", () => {
    hosted({ concurrency: { max: 1 }, priority: { key: "event.provider_payload.tier", order: ["gold"] } });
    arrive("a", { tier: "tin" });
    arrive("b", { tier: "tin" });
    arrive("c", { tier: "gold" });
    arrive("d", { tier: "gold" });
    const order: string[] = [];
    for (let key = "a"; order.length < 4; key = host.sent[0]?.dedupe_key ?? "") {
      order.push(key);
      host.takeSent();
      if (key !== "a") host.begin(key);
      host.settle(key, { type: "succeeded", result: null });
    }
    expect(order).toEqual(["a", "c", "d", "b"]);
  });

  it("[T-26.2] a restart keeps who holds the slot and who waits for it", () => {
    hosted({ concurrency: { max: 1 } });
    arrive("a");
    arrive("b");
    host.restart();
    expect(arrive("c")).toBe("parked");
    host.restart();
    host.takeSent();
    host.settle("a", { type: "succeeded", result: null });
    expect(host.takeSent()).toEqual(["b"]);
    host.restart();
    expect([host.begin("c"), host.begin("b")]).toMatchObject([null, { type: "handle" }]);
  });

  it("[T-5.4] `budget.max_concurrent` is the same", () => {
    hosted({ budget: { max_concurrent: 1 } });
    expect([arrive("a"), arrive("b")]).toEqual(["dispatching", "parked"]);
  });
});

describe("singleton", () => {
  it("[T-10] while one is at work the others are skipped; after its end, failed or not, the next one goes on", () => {
    hosted({ singleton: { key: "event.provider_payload.who" } });
    expect([arrive("a", { who: "x" }), arrive("b", { who: "x" }), arrive("c", { who: "y" })]).toEqual([
      "dispatching",
      "skipped",
      "dispatching",
    ]);
    expect(host.record("b")).toMatchObject({
      verdicts: [{}, { stage: "flow_control", outcome: "skipped", reason: "singleton_active" }],
      result: { skipped: true, flow_control: "singleton_active" },
    });
    host.settle("a", { ...FAILURE, retryable: false });
    expect(arrive("d", { who: "x" })).toBe("dispatching");
    host.settle("d", { type: "succeeded", result: null });
    expect(arrive("e", { who: "x" })).toBe("dispatching");
  });
});

describe("batch", () => {
  const BATCH = { batch: { size: 3, timeout: "1m" } };

  it("[T-10] a full batch goes on as its first event with all the others in it, which are skipped in the same moment", () => {
    hosted({ ...BATCH, handler: { function: "echo" } });
    expect([arrive("a"), arrive("b")]).toEqual(["parked", "parked"]);
    host.takeSent();
    expect(arrive("c")).toBe("skipped");
    expect(host.takeSent()).toContain("a");
    for (const key of ["b", "c"])
      expect(host.record(key)).toMatchObject({ status: "skipped", result: { flow_control: "batch_merged" } });
    expect(host.record("a")).toMatchObject({ status: "accepted", batch: ["a", "b", "c"] });
    const order = host.begin("a");
    const batch = order?.type === "handle" ? order.call.event.batch : [];
    expect(batch?.map((one) => (one as { dedupe_key: string }).dedupe_key)).toEqual(["a", "b", "c"]);
    expect(batch?.[0]).not.toHaveProperty("batch");
    expect(host.outbox).toHaveLength(1);
  });

  it("[T-10] a batch that does not fill goes on at its deadline, also after a restart", () => {
    hosted(BATCH);
    arrive("a");
    arrive("b");
    const deadline = host.now + 60_000;
    host.restart();
    host.shell.rearm();
    host.takeSent();
    host.pass(59_999);
    expect(host.status("a")).toBe("parked");
    host.pass(1);
    expect(host.now).toBe(deadline);
    expect([host.record("a").batch, host.status("b"), host.takeSent()]).toEqual([["a", "b"], "skipped", ["a"]]);
    expect(host.changed.map(({ record }) => record.event.dedupe_key)).toEqual(expect.arrayContaining(["a", "b"]));
  });

  it("[T-23] a replay that merges into another batch is over for its original as well", () => {
    hosted(BATCH);
    arrive("a");
    host.pass(60_000);
    host.handle("a");
    expect(host.status("a")).toBe("dispatched");
    arrive("b");
    host.replay("a");
    host.begin(replayKey("a", 1));
    expect(host.status(replayKey("a", 1))).toBe("parked");
    host.pass(60_000);
    expect(host.status(replayKey("a", 1))).toBe("skipped");
    expect(host.record("a").replays).toMatchObject([{ number: 1, status: "skipped" }]);
    expect(host.record("a").replays[0]?.settled_at).not.toBeNull();
  });
});

describe("debounce", () => {
  it("[T-10] only the newest goes on, after a quiet period", () => {
    hosted({ debounce: { key: "event.kind", period: "10s" } });
    expect(arrive("a")).toBe("parked");
    host.pass(9_999);
    expect(arrive("b")).toBe("parked");
    expect(host.record("a")).toMatchObject({ status: "skipped", result: { flow_control: "debounced" } });
    host.pass(9_999);
    expect(host.status("b")).toBe("parked");
    host.takeSent();
    host.pass(1);
    expect([host.status("b"), host.takeSent()]).toEqual(["accepted", ["b"]]);
    expect(host.begin("b")).toMatchObject({ type: "handle" });
  });
});

describe("windows", () => {
  it("[T-10] throttled events wait for room and go on in the order of their arrival", () => {
    hosted({ throttle: { period: "10s", max: 1 } });
    expect([arrive("a"), arrive("b"), arrive("c")]).toEqual(["dispatching", "parked", "parked"]);
    host.takeSent();
    host.restart();
    host.shell.rearm();
    host.pass(10_000);
    expect(host.takeSent()).toEqual(["b"]);
    host.pass(10_000);
    expect(host.takeSent()).toEqual(["c"]);
  });

  it("[T-10] what is over a rate limit is skipped, and counted anew after the period", () => {
    hosted({ rate_limit: { period: "10s", max: 2 } });
    expect([arrive("a"), arrive("b"), arrive("c")]).toEqual(["dispatching", "dispatching", "skipped"]);
    host.restart();
    expect(arrive("d")).toBe("skipped");
    host.pass(10_000);
    expect(arrive("e")).toBe("dispatching");
  });
});

describe("rows", () => {
  it("[T-10] no ticket outlives its event", () => {
    hosted({ concurrency: { max: 2 } });
    for (const key of ["a", "b", "c", "d"]) arrive(key);
    given(host.shell.cancel("d", BY));
    host.settle("a", { type: "succeeded", result: null });
    host.settle("b", { ...FAILURE, retryable: false });
    expect(tickets()).toEqual(["c"]);
    host.handle("c");
    expect(tickets()).toEqual([]);
  });

  it("[T-10] the audit trail of a gate is in the log", () => {
    hosted({ concurrency: { max: 1 } });
    arrive("a");
    host.settle("a", { type: "succeeded", result: null });
    const audit = host.log.filter(({ topic }) => topic.startsWith("trigger.concurrency."));
    expect(audit.map(({ kind, topic }) => [kind, topic])).toEqual([
      ["concurrency_acquired", "trigger.concurrency.hub_v1__global"],
      ["concurrency_released", "trigger.concurrency.hub_v1__global"],
    ]);
  });
});

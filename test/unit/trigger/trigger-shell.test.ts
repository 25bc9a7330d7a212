import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { replayKey } from "../../../durable-objects/shell/keyed-events.ts";
import { RESEND_MS } from "../../../durable-objects/shell/keyed-outbox.ts";
import { opened } from "./fixture.ts";
import { codeOf, given, HostedTrigger } from "./hosted.ts";
import { FAILURE } from "./telling.ts";

const WORKFLOW = { handler: { workflow: "triage" } };
const RUNNING = { handler: { workflow: "triage", completion: "finished" } };
const DAY_MS = 86_400_000;

let host: HostedTrigger;

beforeEach(() => {
  host = new HostedTrigger(WORKFLOW);
});

afterEach(() => host.store.close());

/** The moment of the only row of the outbox, seen from now. */
const heldFor = (): number => (host.outbox[0]?.next_at ?? Number.NaN) - host.now;

describe("deliveries", () => {
  it("[T-26.2] event, waker and alarm are there with the answer, and the message is sent", () => {
    const { record, seq, reply } = host.deliver("a");
    expect(reply).toMatchObject({ type: "receipt", duplicate: false, event_id: record.event.id });
    expect(seq).toBe(1);
    expect(host.sent).toMatchObject([{ v: 1, tenant: "t1", trigger_id: "hub", dedupe_key: "a" }]);
    expect(host.outbox).toEqual([{ id: record.event.id, next_at: host.now + RESEND_MS }]);
    expect(host.store.alarmAt()).toBe(host.now + RESEND_MS);
  });

  it("[T-7.1] a duplicate gets the first receipt, writes nothing and sends nothing, also after a restart", () => {
    const first = host.deliver("a").record;
    host.takeSent();
    host.restart();
    const rows = host.store.rowsWritten();
    const again = host.deliver("a", { other: true });
    expect(again.reply).toMatchObject({ duplicate: true, receipt: first.receipt, event_id: first.event.id });
    expect([host.store.rowsWritten() - rows, host.takeSent()]).toEqual([0, []]);
  });

  it("[T-6.1] what was verified under another version is stale, and a trigger that is paused or gone takes nothing", () => {
    const event = { ...opened, dedupe_key: "a" };
    host.put({ ...WORKFLOW, priority: "high" });
    expect(host.shell.accept({ tenant: "t1", version: 1, event })).toBe("stale");
    given(host.shell.configure({ type: "pause" }));
    expect(host.shell.accept({ tenant: "t1", version: 2, event })).toMatchObject({ ok: false });
    given(host.shell.configure({ type: "resume" }));
    host.deliver("a");
    given(host.shell.configure({ type: "delete" }));
    expect(host.shell.accept({ tenant: "t1", version: 2, event })).toMatchObject({ ok: false });
    expect(host.begin("a")).toMatchObject({ type: "handle" });
  });

  it("[T-7.1] a key that could be taken for another row is refused", () => {
    const deliver = (dedupe_key: string) =>
      host.shell.accept({ tenant: "t1", version: 1, event: { ...opened, dedupe_key } });
    expect(deliver("")).toMatchObject({ ok: false, rejection: { code: "invalid_request" } });
    expect(deliver(replayKey("a", 1))).toMatchObject({ ok: false, rejection: { code: "invalid_request" } });
    expect(host.rows.size).toBe(0);
  });

  it("[T-7.1] a key is free again after its days, and not before its event is over", () => {
    host.put({ ...WORKFLOW, dedupe: { retention_days: 1 } });
    const first = host.deliver("a").record.event.id;
    const open = host.deliver("open").record.event.id;
    host.handle("a");
    host.now += DAY_MS - 1;
    expect(host.deliver("a").record.event.id).toBe(first);
    host.now += 1;
    const second = host.deliver("a");
    expect(second).toMatchObject({ seq: 1, record: { status: "accepted" }, reply: { duplicate: false } });
    expect(second.record.event.id).not.toBe(first);
    expect(host.shell.event("a", first)).toBeNull();
    expect(host.deliver("open").record.event.id).toBe(open);
  });

  it("[T-23] a replay of an event is never mistaken for one of the event that had its key before", () => {
    host.put({ ...WORKFLOW, dedupe: { retention_days: 1 } });
    host.deliver("a");
    host.handle("a");
    host.replay("a");
    host.now += DAY_MS;
    // As long as a replay is under way its event keeps the key.
    expect(host.deliver("a").reply).toMatchObject({ duplicate: true });
    host.handle(replayKey("a", 1));
    const second = host.deliver("a").record;
    host.handle("a");
    const { record, reply } = host.replay("a");
    expect(record).toMatchObject({ status: "accepted", event: { id: second.event.id } });
    expect(reply).toMatchObject({ duplicate: false });
  });

  it("[T-5.5] an event that does not match leaves nothing to look after", () => {
    host.put({ ...WORKFLOW, match: { events: ["push"] } });
    expect(host.deliver("a").record.status).toBe("skipped");
    expect([host.outbox, host.takeSent(), host.store.alarmAt()]).toEqual([[], [], null]);
  });
});

describe("dispatch", () => {
  it("[T-26.2] a workflow needs one row to begin and two to end, and leaves no message", () => {
    host.deliver("a");
    const begun = host.store.rowsWritten();
    const { order } = host.dispatch("a");
    const settled = host.store.rowsWritten();
    expect(order).toMatchObject({ type: "handle", call: { kind: "workflow", attempt: 1, completion: "started" } });
    host.settle("a", { type: "succeeded", result: { run_id: "r" } });
    expect([settled - begun, host.store.rowsWritten() - settled]).toEqual([1, 2]);
    expect([host.status("a"), host.outbox]).toEqual(["dispatched", []]);
  });

  it("[T-26.2] what was not reported on is ordered again after the alarm, as the same request", () => {
    host.deliver("a");
    const first = host.dispatch("a").order;
    host.restart();
    expect(host.pass(RESEND_MS)).toMatchObject([{ dedupe_key: "a" }]);
    expect(host.dispatch("a").order).toEqual(first);
  });

  it("[T-26.2] messages come again after ever longer waits until the event is over", () => {
    host.deliver("a");
    const waits: number[] = [];
    for (let since = host.now; waits.length < 8;) {
      const alarm = host.store.alarmAt() ?? 0;
      expect(host.pass(alarm - host.now)).toHaveLength(1);
      waits.push(alarm - since);
      since = host.now;
    }
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
    host.handle("a");
    expect(host.pass(DAY_MS)).toEqual([]);
  });

  it("[T-12.4] a destination is asked for before every attempt, and permits to start none", () => {
    host.put();
    host.deliver("a");
    expect(host.dispatch("a").order).toMatchObject({ type: "check_circuit", destination: "local:echo" });
    expect(host.begin("a")).toMatchObject({ type: "handle", call: { kind: "local", function: "echo" } });
    host.settle("a", FAILURE);
    host.pass(5_000);
    expect(host.dispatch("a").order).toMatchObject({ type: "check_circuit", destination: "local:echo" });
  });

  it("[T-12.3] an open circuit makes a dead letter, and its message goes", () => {
    host.put();
    host.deliver("a");
    const { record } = host.dispatch("a", { circuit: { type: "open", retry_after_ms: 1_000 } });
    expect(record).toMatchObject({ status: "dead_lettered", dead_letter: { reason: "circuit_open" } });
    expect(host.outbox).toEqual([]);
  });

  it("[T-8] an attempt of another handler has a lease, and is given up for lost after it", () => {
    host.put({ handler: { function: "echo", timeout_ms: 60_000 } });
    host.deliver("a");
    host.begin("a");
    expect(heldFor()).toBe(90_000);
    expect(host.begin("a")).toBeNull();
    expect(host.pass(90_000)).toMatchObject([{ dedupe_key: "a" }]);
    expect(host.begin("a")).toBeNull();
    expect(host.record("a")).toMatchObject({ status: "retrying", error: { code: "attempt_lost" } });
  });

  it("[T-12.1] a retry is looked after when its time has come", () => {
    host.deliver("a");
    host.dispatch("a");
    expect(host.settle("a", FAILURE).record.status).toBe("retrying");
    expect([heldFor(), host.store.alarmAt()]).toEqual([5_000, host.now + 5_000]);
    expect(host.pass(4_999)).toEqual([]);
    expect(host.dispatch("a").order).toBeNull();
    expect(host.pass(1)).toMatchObject([{ dedupe_key: "a" }]);
    expect(host.dispatch("a").order).toMatchObject({ call: { attempt: 2 } });
  });

  it("[T-26.2] a run that is under way is looked at now and then, until its end is told", () => {
    host.put(RUNNING);
    host.deliver("a");
    const order = host.begin("a");
    expect(order).toMatchObject({ call: { completion: "finished" } });
    expect(host.settle("a", { type: "running" }).record).toMatchObject({ status: "dispatching", next_at: null });
    expect(heldFor()).toBe(900_000);
    expect(host.begin("a")).toEqual(order);
    expect(host.settle("a", { type: "succeeded", result: { status: "completed" } }).record.status).toBe("dispatched");
    expect(host.outbox).toEqual([]);
  });

  it("[T-12.2] a run that failed is a dead letter without `retry`, even when nobody heard that it had begun", () => {
    host.put(RUNNING);
    const failed = { type: "failed", class: "local", code: "run_failed", detail: "boom", retryable: true } as const;
    for (const key of ["heard", "unheard"]) {
      host.deliver(key);
      host.begin(key);
      if (key === "heard") host.settle(key, { type: "running" });
      expect(host.settle(key, failed).record).toMatchObject({ status: "dead_lettered", error: { detail: "boom" } });
    }
  });

  it("[T-12.2] with `retry` the next attempt starts a new run, whatever was heard of the one before", () => {
    host.put({ ...RUNNING, retry: { max: 3, backoff: "immediate" } });
    const failed = { type: "failed", class: "local", code: "run_failed", detail: "boom", retryable: true } as const;
    for (const key of ["heard", "unheard"]) {
      host.deliver(key);
      const runs = [1, 2, 3].map(() => {
        const order = host.begin(key);
        if (key === "heard") host.settle(key, { type: "running" });
        host.settle(key, failed);
        return order?.type === "handle" && order.call.kind === "workflow" ? order.call.run.run_id : "";
      });
      expect(new Set(runs).size).toBe(3);
      expect(host.record(key)).toMatchObject({ status: "dead_lettered", dead_letter: { attempt_count: 3 } });
    }
  });

  it("[T-8] an event that nobody has accepted is refused", () => {
    expect(codeOf(host.shell.dispatch("nobody"))).toBe("event_not_found");
    expect(codeOf(host.shell.cancel("nobody", { requested_by: null, audit_id: null }))).toBe("event_not_found");
    expect(host.shell.latest("nobody")).toBeNull();
    expect(host.shell.eventLog("nobody")).toEqual([]);
  });
});

const bury = (key: string): string => {
  host.deliver(key);
  return host.handle(key, { ...FAILURE, retryable: false }).dead_letter?.id ?? "";
};

describe("dead letters and replays", () => {
  it("[T-12.6] a dead letter is tried again, goes on where that fails, and is resolved where it succeeds", () => {
    const id = bury("a");
    const first = host.replay("a", { dlq_id: id });
    expect(first.record).toMatchObject({ status: "accepted", replay: { number: 1, dlq_id: id } });
    expect(host.changed).toMatchObject([{ record: { status: "dead_lettered", replays: [{ status: "accepted" }] } }]);
    expect(host.handle(replayKey("a", 1), { ...FAILURE, retryable: false })).toMatchObject({
      dead_letter: { reason: "not_retryable" },
    });
    expect(host.record("a").dead_letter).toMatchObject({ id, state: "pending" });
    host.replay("a", { dlq_id: id });
    host.handle(replayKey("a", 2));
    expect(host.record("a").dead_letter?.history.map(({ status }) => status)).toEqual([
      "dlq",
      "replay_dlq",
      "replay_succeeded",
    ]);
    expect(host.record("a")).toMatchObject({
      status: "dead_lettered",
      replay_count: 2,
      dead_letter: { state: "resolved" },
      replays: [{ status: "dead_lettered" }, { status: "dispatched" }],
    });
    expect(
      host.shell.replay("a", { version: 1, as_of: null, dlq_id: id, requested_by: null, not_before: null }),
    ).toMatchObject({
      ok: false,
      rejection: { code: "dead_letter_not_found", detail: `unknown pending DLQ entry '${id}'` },
    });
  });

  it("[T-12.6] only a pending letter of that event can be discarded, once", () => {
    const id = bury("a");
    expect(codeOf(host.shell.discard("a", "dlq_other"))).toBe("dead_letter_not_found");
    expect(given(host.shell.discard("a", id)).record.dead_letter?.state).toBe("discarded");
    expect(codeOf(host.shell.discard("a", id))).toBe("dead_letter_not_found");
    expect(codeOf(host.shell.discard("nobody", id))).toBe("dead_letter_not_found");
  });

  it("[T-23] a replay waits for its time, keeps the event's ids, and has a dispatch of its own", () => {
    host.deliver("a");
    host.handle("a");
    const original = host.record("a");
    host.takeSent();
    const { record } = host.replay("a", { not_before: host.now + 60_000, requested_by: "me" });
    expect(record.event).toEqual(original.event);
    expect(host.takeSent()).toEqual([]);
    expect(host.begin(replayKey("a", 1))).toBeNull();
    expect(host.pass(60_000)).toMatchObject([{ dedupe_key: replayKey("a", 1) }]);
    const order = host.begin(replayKey("a", 1));
    expect(order).toMatchObject({ call: { replay_of_event_id: original.event.id, event_id: original.event.id } });
    expect(host.record(replayKey("a", 1)).dispatch_id).not.toBe(original.dispatch_id);
  });

  it("[T-23] a version that never was cannot handle a replay", () => {
    host.deliver("a");
    const request = { as_of: null, dlq_id: null, requested_by: null, not_before: null };
    expect(host.shell.replay("a", { ...request, version: 7 })).toMatchObject({
      ok: false,
      rejection: {
        detail: "unknown trigger binding 'hub' version 7",
        details: { issues: [{ path: "version", message: "unknown trigger binding 'hub' version 7" }] },
      },
    });
    expect(codeOf(host.shell.replay("nobody", { ...request, version: 1 }))).toBe("event_not_found");
    expect(host.record("a").replays).toEqual([]);
  });
});

describe("cancellation", () => {
  const BY = { requested_by: "me", audit_id: "audit_1" };

  it("[T-13.1] a run that is under way is to be stopped, now and whenever it is looked at until it ends", () => {
    host.put(RUNNING);
    host.deliver("a");
    host.begin("a");
    host.settle("a", { type: "running" });
    const { run_id } = host.record("a");
    expect(given(host.shell.cancel("a", BY))).toMatchObject({ cancel_run: run_id, record: { status: "dispatching" } });
    host.begin("a");
    expect(host.settle("a", { type: "running" }).cancel_run).toBe(run_id);
    const gone = {
      type: "failed",
      class: "cancelled",
      code: "run_cancelled",
      detail: "stopped",
      retryable: false,
    } as const;
    expect(host.settle("a", gone).record).toMatchObject({ status: "cancelled", error: { detail: "stopped" } });
    expect(codeOf(host.shell.cancel("a", BY))).toBe("event_settled");
    expect(host.outbox).toEqual([]);
  });
});

const statesOf = (): readonly string[] => {
  const { state } = host.shell.binding;
  return state.status === "absent" ? [] : state.versions.map((one) => `${one.version} ${one.state}`);
};

describe("versions", () => {
  it("[T-6.4] a version drains until its last event is over, and its events keep their definition", () => {
    host.deliver("a");
    host.deliver("b");
    host.put({ handler: { workflow: "other" } });
    expect(statesOf()).toContain("1 draining");
    expect(host.begin("a")).toMatchObject({ call: { run: { workflow_id: "triage" }, binding_version: 1 } });
    host.settle("a", { type: "succeeded", result: null });
    host.restart();
    expect(statesOf()).toContain("1 draining");
    host.handle("b");
    expect(statesOf()).toContain("1 terminated");
    host.deliver("c");
    expect(host.begin("c")).toMatchObject({ call: { run: { workflow_id: "other" }, binding_version: 2 } });
  });

  it("[T-6.4] without anything in flight a version ends at once", () => {
    host.deliver("a");
    host.handle("a");
    host.put({ handler: { workflow: "other" } });
    expect(statesOf()).toContain("1 terminated");
  });
});

import { afterEach, describe, expect, it } from "vitest";
import type { Order } from "../../../durable-objects/shell/trigger-requests.ts";
import { TriggerShell } from "../../../durable-objects/shell/trigger-shell.ts";
import { sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import type { EventRecord } from "../../../src/engine/trigger/event.ts";
import type { LogRecord } from "../../../src/engine/trigger/log.ts";
import { contextAt, NOON, stored } from "./fixture.ts";

const store = { current: sqliteStore() };
const clock = { now: NOON, ids: 0 };
const log: LogRecord[] = [];
const sent: string[] = [];

/** A trigger on a store of its own, whose handler is a function. */
const shellOf = (change: Readonly<Record<string, unknown>> = {}): TriggerShell => {
  store.current = sqliteStore();
  const shell = new TriggerShell({
    store: store.current,
    context: () => contextAt(clock.now, (clock.ids += 100)),
    objectId: "trigger",
    queuesForget: false,
    send: (messages) => void sent.push(...messages.map(({ dedupe_key }) => dedupe_key)),
    changed: () => {},
    log: (records) => void log.push(...records),
  });
  const definition = stored({ handler: { function: "f" }, match: {}, ...change });
  shell.configure({ type: "configure", trigger_id: "hub", definition });
  return shell;
};

const event = (dedupe_key: string) =>
  ({
    provider: "github",
    kind: "issues.opened",
    occurred_at: null,
    dedupe_key,
    headers: {},
    provider_payload: {},
    signature_status: { state: "verified" },
  }) as const;

const accept = (shell: TriggerShell, dedupe_key: string, more: { readonly key?: string } = {}): void => {
  const answer = shell.accept({ tenant: null, version: 1, event: event(dedupe_key), ...more });
  if (typeof answer === "string" || !answer.ok) throw new Error("the event was not accepted");
};

const orderOf = (shell: TriggerShell, key: string, isAllowed = false): Order | null => {
  const answer = shell.dispatch(key, isAllowed ? { circuit: { type: "closed" } } : {});
  if (!answer.ok) throw new Error(answer.rejection.detail);
  return answer.reply.order;
};

const recordOf = (shell: TriggerShell, key: string): EventRecord | undefined => shell.latest(key)?.record;

const fail = (shell: TriggerShell, key: string, attempt: number): void => {
  const dispatch_id = recordOf(shell, key)?.dispatch_id ?? "";
  const outcome = { type: "failed", class: "local", code: "local", detail: "boom", retryable: true } as const;
  shell.settle(key, { dispatch_id, attempt, outcome });
};

describe("events that are dispatched by hand", () => {
  afterEach(() => {
    store.current.close();
    clock.now = NOON;
    log.length = 0;
    sent.length = 0;
  });

  it("[T-12.4] names each attempt by itself to the circuit, also within a millisecond", () => {
    const shell = shellOf({ retry: { max: 3, backoff: { kind: "linear", delay_ms: 0 } } });
    accept(shell, "a");
    const first = orderOf(shell, "a");
    expect(orderOf(shell, "a")).toEqual(first);
    orderOf(shell, "a", true);
    fail(shell, "a", 1);
    const second = orderOf(shell, "a");
    expect(second).toMatchObject({ type: "check_circuit" });
    expect(second).not.toEqual(first);
  });

  it("[T-13.2] ends a retry wait with the process that dispatches, which is no request to cancel", () => {
    const shell = shellOf({ retry: { max: 3, backoff: { kind: "linear", delay_ms: 1_000 } } });
    accept(shell, "a");
    orderOf(shell, "a", true);
    fail(shell, "a", 1);
    expect(recordOf(shell, "a")?.status).toBe("retrying");
    shell.cancel("a", { requested_by: null, audit_id: null, cause: "dispatcher shutdown" });
    const record = recordOf(shell, "a");
    expect(record?.status).toBe("cancelled");
    expect(record?.error?.detail).toBe("dispatcher shutdown cancelled retry wait");
    expect(record?.cancel).toBeNull();
    expect(log.map(({ topic }) => topic)).not.toContain("trigger.cancel.requests");
  });

  it("[T-8] dispatches an event under a key of its own without claiming its dedupe key", () => {
    const shell = shellOf();
    accept(shell, "a", { key: "by-hand#1" });
    accept(shell, "a", { key: "by-hand#2" });
    expect(recordOf(shell, "by-hand#2")?.event.dedupe_key).toBe("a");
    expect(recordOf(shell, "a")).toBeUndefined();
  });

  it("[T-23] replays an event that was recorded elsewhere", () => {
    const shell = shellOf();
    accept(shell, "a");
    const recorded = recordOf(shell, "a")?.event;
    if (recorded === undefined) throw new Error("the event is missing");
    const replay = { event_id: "elsewhere", number: 1, dlq_id: null, as_of: null, requested_by: null };
    const answer = shell.replayRecorded("other", recorded, replay);
    expect(answer).toMatchObject({ ok: true, reply: { record: { status: "accepted", replay, event: recorded } } });
    expect(recordOf(shell, "a")?.replay_count).toBe(0);
  });

  it("[T-12.6] tells the dead letter of an event under a key of its own how its replay ended", () => {
    const shell = shellOf({ retry: { max: 1 } });
    accept(shell, "a", { key: "by-hand#1" });
    orderOf(shell, "by-hand#1", true);
    fail(shell, "by-hand#1", 1);
    const letter = recordOf(shell, "by-hand#1")?.dead_letter;
    expect(letter?.state).toBe("pending");
    const request = { version: 1, as_of: null, dlq_id: letter?.id ?? "", requested_by: null, not_before: null };
    shell.replay("by-hand#1", request);
    const key = sent.at(-1) ?? "";
    orderOf(shell, key, true);
    const dispatch_id = recordOf(shell, key)?.dispatch_id ?? "";
    shell.settle(key, { dispatch_id, attempt: 1, outcome: { type: "succeeded", result: "ok" } });
    expect(recordOf(shell, "by-hand#1")?.dead_letter?.state).toBe("resolved");
  });
});

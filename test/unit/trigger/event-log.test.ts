import { afterEach, describe, expect, it } from "vitest";
import { replayKey } from "../../../durable-objects/shell/keyed-events.ts";
import type { LogRecord } from "../../../src/engine/trigger/log.ts";
import { given, HostedTrigger } from "./hosted.ts";
import { FAILURE } from "./telling.ts";

let host: HostedTrigger;

const hosted = (definition: Readonly<Record<string, unknown>> = {}): string => {
  host = new HostedTrigger(definition);
  return host.deliver("a").record.event.id;
};

afterEach(() => host.store.close());

const kinds = (records: readonly LogRecord[]): readonly string[] =>
  records.map(({ topic, kind }) => `${topic} ${kind}`);

const find = (kind: string): LogRecord => {
  const record = host.log.find((one) => one.kind === kind);
  if (record === undefined) throw new Error(`there is no ${kind}`);
  return record;
};

const HANDLED = { handler_kind: "local", target_uri: "echo", replay_of_event_id: null };
const NAMED = { trigger_id: "hub", binding_key: "hub@v1" };

describe("event log", () => {
  it("[T-8] a dispatch that succeeds: its records, their headers and their payloads", () => {
    const event_id = hosted();
    host.handle("a", { type: "succeeded", result: { done: true } });
    expect(kinds(host.log)).toEqual([
      "triggers.lifecycle DispatchStarted",
      "trigger.outbox dispatch_started",
      "trigger.attempts attempt_recorded",
      "triggers.lifecycle DispatchSucceeded",
      "trigger.outbox dispatch_succeeded",
    ]);
    const { trace_id } = host.record("a").event;
    for (const { headers, occurred_at } of host.log) {
      expect(headers).toEqual({
        event_id,
        trace_id,
        provider: "github",
        kind: "issues.opened",
        tenant_id: "t1",
        handler_kind: "local",
        attempt: "1",
        ...NAMED,
      });
      expect(occurred_at).toBe("2026-04-19T12:00:00.000Z");
    }
    expect(find("DispatchStarted").payload).toEqual({ event_id, attempt: 1, ...HANDLED });
    expect(find("dispatch_started").payload).toEqual({ event_id, attempt: 1, ...HANDLED, ...NAMED });
    expect(find("dispatch_succeeded").payload).toEqual({
      event_id,
      attempt: 1,
      ...HANDLED,
      ...NAMED,
      result: { done: true },
    });
    expect(find("attempt_recorded").payload).toEqual({
      ...NAMED,
      event_id,
      attempt: 1,
      handler_kind: "local",
      started_at: "2026-04-19T12:00:00.000Z",
      completed_at: "2026-04-19T12:00:00.000Z",
      outcome: "success",
      error_msg: null,
    });
  });

  it("[T-12.1] a failure that is tried again", () => {
    const event_id = hosted();
    host.handle("a", FAILURE);
    expect(kinds(host.log).slice(2)).toEqual([
      "trigger.attempts attempt_recorded",
      "triggers.lifecycle DispatchFailed",
      "trigger.outbox dispatch_failed",
      "triggers.lifecycle RetryScheduled",
      "trigger.attempts retry_scheduled",
    ]);
    const retry = { event_id, attempt: 2, delay_ms: 5_000, error: "no", replay_of_event_id: null };
    expect(find("RetryScheduled").payload).toEqual(retry);
    expect(find("retry_scheduled")).toMatchObject({ payload: { ...retry, ...NAMED }, headers: { attempt: "2" } });
    expect(find("dispatch_failed")).toMatchObject({
      payload: { event_id, attempt: 1, ...HANDLED, ...NAMED, error: "no" },
      headers: { attempt: "1" },
    });
  });

  it("[T-12.3] a dead letter, with why, and with all its attempts", () => {
    const event_id = hosted({ retry: { max: 1 } });
    host.handle("a", FAILURE);
    expect(find("DlqMoved").payload).toEqual({
      event_id,
      attempt_count: 1,
      final_error: "no",
      replay_of_event_id: null,
    });
    expect(find("dlq_moved")).toMatchObject({
      topic: "trigger.dlq",
      headers: { event_id, attempt: "1" },
      payload: {
        ...NAMED,
        attempt_count: 1,
        final_error: "no",
        error_class: "unknown",
        attempts: [{ attempt: 1, outcome: "failed", error_msg: "no" }],
        event: { id: event_id },
      },
    });
  });

  it("[T-25] a dead letter before any attempt is in the outbox as well, without the header of an attempt", () => {
    const event_id = hosted();
    host.dispatch("a", { circuit: { type: "open", retry_after_ms: 5_000 } });
    expect(kinds(host.log)).toEqual([
      "trigger.outbox dispatch_failed",
      "triggers.lifecycle DlqMoved",
      "trigger.dlq dlq_moved",
    ]);
    expect(find("DlqMoved").payload).toMatchObject({ event_id, reason: "circuit_open", destination: "local:echo" });
    expect(find("dispatch_failed").payload).toMatchObject({ attempt: 0 });
    expect(find("dlq_moved").headers).not.toHaveProperty("attempt");
  });

  it("[T-13.1] a cancellation before any attempt: the request, and a record that ends it", () => {
    const event_id = hosted();
    given(host.shell.cancel("a", { requested_by: "me", audit_id: "audit_1" }));
    expect(kinds(host.log)).toEqual([
      "trigger.cancel.requests dispatch_cancel_requested",
      "trigger.outbox dispatch_failed",
    ]);
    expect(find("dispatch_cancel_requested").payload).toEqual({
      binding_key: "hub@v1",
      event_id,
      requested_at: "2026-04-19T12:00:00.000Z",
      requested_by: "me",
      audit_id: "audit_1",
    });
  });

  it("[T-8] what a predicate or flow control skips says at which stage", () => {
    hosted({ when: "false" });
    host.dispatch("a");
    expect(find("dispatch_skipped").payload).toEqual({
      event_id: host.record("a").event.id,
      ...NAMED,
      ...HANDLED,
      skip_stage: "predicate",
      detail: { predicate: "false", reason: null },
    });
    host.put({ rate_limit: { period: "1m", max: 1 } });
    host.deliver("b");
    host.dispatch("b");
    host.deliver("c");
    host.dispatch("c");
    expect(host.log.findLast(({ kind }) => kind === "dispatch_skipped")).toMatchObject({
      payload: { skip_stage: "flow_control", detail: { flow_control: "rate_limited" }, binding_key: "hub@v2" },
    });
  });

  it("[T-3.1] every record of a replay names what it replays", () => {
    const event_id = hosted();
    host.handle("a");
    host.log = [];
    host.replay("a");
    host.handle(replayKey("a", 1));
    expect(host.log.length).toBeGreaterThan(0);
    for (const { headers, payload, kind } of host.log) {
      expect(headers).toMatchObject({ event_id, replay_of_event_id: event_id });
      if (kind !== "attempt_recorded") expect(payload).toMatchObject({ replay_of_event_id: event_id });
    }
  });

  it("[T-3] the journal of an event gives the same records as its life did", () => {
    hosted({ retry: { max: 2, backoff: "immediate" } });
    host.handle("a", FAILURE);
    host.handle("a", FAILURE);
    const { id } = host.record("a").dead_letter ?? { id: "" };
    host.replay("a", { dlq_id: id });
    host.handle(replayKey("a", 1));
    const ofReplay = host.log.filter(({ headers }) => headers["replay_of_event_id"] !== undefined);
    expect(host.shell.eventLog("a")).toEqual(host.log.filter((record) => !ofReplay.includes(record)));
    expect(host.shell.eventLog(replayKey("a", 1))).toEqual(ofReplay);
    host.restart();
    expect(host.shell.eventLog("a").length).toBeGreaterThan(8);
  });
});

import { describe, expect, it } from "vitest";
import { fold } from "../../../src/engine/machine.ts";
import { bindingMachine, type BindingCommand, type BindingState } from "../../../src/engine/trigger/binding.ts";
import { bulkRecord, bulkStanding } from "../../../src/engine/trigger/bulk-record.ts";
import { driftOf, replayReport } from "../../../src/engine/trigger/drift.ts";
import type { EventCommand, EventRecord, EventState } from "../../../src/engine/trigger/event.ts";
import { eventMachine } from "../../../src/engine/trigger/machine.ts";
import { compileBulkFilter, matchesBulkFilter } from "../../../src/engine/trigger/predicate/bulk-filter.ts";
import { replayVersion } from "../../../src/engine/trigger/replay-version.ts";
import { eventView } from "../../../src/engine/trigger/view.ts";
import { asOfProblem, parseAsOf } from "../../../src/lib/as-of.ts";
import { accept, binding, contextAt, NOON, opened, settle, stored } from "./fixture.ts";

const HOUR = 3_600_000;

const after = (state: EventState, command: EventCommand, now = NOON): EventRecord => {
  const decision = eventMachine.decide(state, command, contextAt(now));
  if (!decision.ok) throw new Error(decision.rejection.detail);
  const next = fold(eventMachine, state, decision.events);
  if (next.status === "absent") throw new Error("the event is absent");
  return next;
};

const ADMITTED = { type: "admit", admission: { type: "admitted", verdicts: [], batch: null } } as const;
const ATTEMPT = { type: "attempt", circuit: { type: "closed" }, lease_ms: 1_000 } as const;

const accepted = (): EventRecord => after(eventMachine.initial, accept());
const atWork = (state = accepted()): EventRecord => after(after(state, ADMITTED), ATTEMPT);
const handled = (state: EventRecord, result: object): EventRecord =>
  after(state, settle(state, { type: "succeeded", result: result as never }));
const failed = (state: EventRecord, retryable: boolean): EventRecord =>
  after(state, settle(state, { type: "failed", class: "local", code: "x", detail: "it broke", retryable }));

const replayOf = (original: EventRecord): EventRecord =>
  after(eventMachine.initial, {
    type: "accept_replay",
    event: original.event,
    binding: binding(),
    replay: {
      event_id: original.event.id,
      number: 1,
      dlq_id: null,
      as_of: "2026-04-19T12:00:00.000Z",
      requested_by: null,
    },
    not_before: null,
  });

describe("the report about a replay", () => {
  it("[T-23] names the fields that differ, deeply compared, once both are over", () => {
    const original = handled(atWork(), { a: [1], b: 2 });
    const open = replayOf(original);
    expect(replayReport(original, open)).toMatchObject({
      event_id: original.event.id,
      binding_id: "hub",
      binding_version: 3,
      as_of: "2026-04-19T12:00:00.000Z",
      replay: { status: "waiting", attempt_count: 0 },
      original: null,
      drift: null,
    });
    expect(replayReport(accepted(), handled(atWork(open), {})).drift).toBeNull();
    expect(replayReport(original, handled(atWork(open), { b: 2, a: [1] })).drift).toEqual({
      changed: false,
      fields: {},
    });
    const other = replayReport(original, failed(atWork(open), false));
    expect(other.original).toMatchObject({ status: "succeeded", handler_kind: "workflow" });
    expect(other.drift).toEqual({
      changed: true,
      fields: {
        status: { original: "succeeded", replayed: "dlq" },
        result: { original: { a: [1], b: 2 }, replayed: null },
        error: { original: null, replayed: "it broke" },
      },
    });
  });

  it("[T-23] every field is compared", () => {
    const one = {
      status: "failed",
      attempt_count: 1,
      handler_kind: "a",
      target_uri: "b",
      result: 1,
      error: "c",
    } as const;
    const two = {
      status: "dlq",
      attempt_count: 2,
      handler_kind: "x",
      target_uri: "y",
      result: 2,
      error: null,
    } as const;
    expect(Object.keys(driftOf(one, two).fields)).toEqual(Object.keys(one));
  });
});

const tell = (state: BindingState, command: BindingCommand, now: number): BindingState => {
  const decision = bindingMachine.decide(state, command, contextAt(now));
  if (!decision.ok) throw new Error(decision.rejection.detail);
  return fold(bindingMachine, state, decision.events);
};
const put = (workflow: string): BindingCommand => ({
  type: "configure",
  trigger_id: "hub",
  definition: stored({ handler: { workflow } }),
});

describe("the version of a replay", () => {
  const first = tell(bindingMachine.initial, put("a"), NOON);
  const second = tell(first, put("b"), NOON + HOUR);
  const event = { ...accepted().event, received_at: "2026-04-19T12:00:00.000Z" };
  const recorded = { binding: { ...binding(), version: 1 }, event };

  it("[T-23] is the recorded one, or the one that was active when the event came, with a warning", () => {
    expect(replayVersion(first, recorded, {})).toEqual({
      ok: true,
      value: { version: 1, as_of: null, fallback: null },
    });
    expect(replayVersion(second, recorded, {})).toEqual({
      ok: true,
      value: {
        version: 1,
        as_of: null,
        fallback: {
          category: "replay.binding_version_gc_fallback",
          trigger_id: "hub",
          recorded_version: 1,
          received_at: "2026-04-19T12:00:00Z",
          resolved_version: 1,
        },
      },
    });
    const early = { ...recorded, event: { ...event, received_at: "2026-04-19T11:00:00.000Z" } };
    expect(replayVersion(second, early, {})).toMatchObject({ ok: false, error: { code: "invalid_request" } });
  });

  it("[T-23] may be named although it has ended, or be the one of a time", () => {
    expect(replayVersion(second, recorded, { version: 1 })).toMatchObject({ ok: true, value: { version: 1 } });
    const message = "unknown trigger binding 'hub' version 3";
    expect(replayVersion(second, recorded, { version: 3 })).toEqual({
      ok: false,
      error: { code: "invalid_request", detail: message, details: { issues: [{ path: "version", message }] } },
    });
    expect(replayVersion({ status: "absent" }, recorded, { version: 1 }).ok).toBe(false);
    const late = { version: 2, as_of: "2026-04-19T13:00:00.000Z", fallback: null };
    expect(replayVersion(second, recorded, { as_of: NOON + HOUR })).toEqual({ ok: true, value: late });
    expect(replayVersion(second, recorded, { as_of: NOON - 1 })).toMatchObject({
      error: {
        details: { issues: [{ path: "as_of" }] },
        detail: expect.stringMatching(/^failed to resolve binding 'hub' as of 2026-04-19T11:59:59.999Z: no /),
      },
    });
  });

  it("[T-23] a time is RFC 3339, seconds, or milliseconds with more than ten characters", () => {
    expect(parseAsOf("2026-04-19T12:00:00Z")).toBe(NOON);
    expect(parseAsOf(" 2026-04-19t14:00:00+02:00 ")).toBe(NOON);
    expect(parseAsOf(String(NOON / 1000))).toBe(NOON);
    expect(parseAsOf(String(NOON))).toBe(NOON);
    expect(parseAsOf("0")).toBe(0);
    for (const text of ["", "soon", "2026-04-19", "2026-13-41T99:00:00Z", "99999999999999999", "1.5"])
      expect(parseAsOf(text)).toBeNull();
    expect(asOfProblem("soon")).toBe("invalid --as-of timestamp 'soon': expected RFC3339 or unix seconds/milliseconds");
  });
});

const standing = (status: EventRecord["status"], cancel: EventRecord["cancel"] = null) =>
  bulkStanding({ status, cancel });

describe("what a filter of many events sees", () => {
  it("[T-22.6] every status has its word; what is over or was asked to stop cannot be cancelled", () => {
    const open = { terminal: false, cancellable: true };
    const over = { terminal: true, cancellable: false };
    for (const status of ["accepted", "parked", "deferred", "waiting"] as const)
      expect(standing(status)).toEqual({ status: "pending", ...open });
    expect(standing("dispatching")).toEqual({ status: "in_progress", ...open });
    expect(standing("retrying")).toEqual({ status: "retry_scheduled", ...open });
    expect(standing("dispatched")).toEqual({ status: "succeeded", ...over });
    expect(standing("skipped")).toEqual({ status: "skipped", ...over });
    expect(standing("cancelled")).toEqual({ status: "cancelled", ...over });
    expect(standing("dead_lettered")).toEqual({ status: "dlq", ...over });
    expect(standing("failed")).toEqual({ status: "failed", terminal: false, cancellable: false });
    const asked = { requested_at: "2026-04-19T12:00:00.000Z", requested_by: null, audit_id: null };
    expect(standing("dispatching", asked)).toMatchObject({ cancellable: false });
  });

  it("[T-22.6] the record has the event, its binding, its attempt and its outcome", () => {
    const fresh = bulkRecord(eventView(accepted()));
    expect(fresh.event).toMatchObject({
      provider: "github",
      kind: "issues.opened",
      tenant: "t1",
      dedupe_key: "delivery-123",
      payload: opened.provider_payload["raw"],
      provider_payload: opened.provider_payload,
      replay_of_event_id: null,
    });
    expect(fresh.binding).toMatchObject({ id: "hub", version: 3, key: "hub@v3", handler_kind: "workflow" });
    expect(fresh.attempt).toMatchObject({
      attempt: 0,
      count: 0,
      started_at: null,
      completed_at: null,
      failed_at: null,
    });
    expect(fresh.audit).toEqual({ replay_of_event_id: null, cancel_requested: false });
    const done = bulkRecord(eventView(handled(atWork(), { a: 1 })));
    expect(done.attempt).toMatchObject({
      status: "succeeded",
      attempt: 1,
      completed_at: "2026-04-19T12:00:00.000Z",
      failed_at: null,
    });
    const dead = bulkRecord(eventView(failed(atWork(), false)));
    expect(dead.attempt).toMatchObject({ status: "dlq", error: "it broke", completed_at: null });
    expect(dead.attempt["failed_at"]).toBe("2026-04-19T12:00:00.000Z");
    expect(dead.outcome).toEqual({ status: "dlq", attempt_count: 1, error: "it broke", terminal: true });
    const retried = bulkRecord(eventView(failed(atWork(), true)));
    expect(retried.attempt).toMatchObject({ status: "retry_scheduled", error: "it broke" });
    const bare = accepted();
    const empty = { ...bare, event: { ...bare.event, provider_payload: {} } };
    expect(bulkRecord(eventView(empty)).event["payload"]).toBeNull();
    const filter = compileBulkFilter("event.payload.issue.number == 99 AND NOT outcome.terminal");
    expect(filter.ok && matchesBulkFilter(filter.value, fresh)).toBe(true);
    expect(filter.ok && matchesBulkFilter(filter.value, dead)).toBe(false);
  });
});

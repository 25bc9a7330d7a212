import { describe, expect, it } from "vitest";
import type { EventEffect, EventState } from "../../../src/engine/trigger/event.ts";
import { claimIsExpired, eventMachine } from "../../../src/engine/trigger/machine.ts";
import { triggerEventSchema } from "../../../src/schema/trigger.ts";
import { accept, binding, NOON, opened, settle } from "./fixture.ts";
import { begin, FAILURE, settled, STARTED, tell } from "./telling.ts";

const accepted = tell(eventMachine.initial, accept()).state;
const dispatching = begin(accepted).state;
const skipped = tell(
  eventMachine.initial,
  accept({ event: { ...opened, kind: "push", provider_payload: { ...opened.provider_payload, event: "push" } } }),
);
const dispatched = settled(dispatching, STARTED);
const refused = settled(dispatching, { ...FAILURE, retryable: false });

describe("accept", () => {
  it("[T-26.2] the claim, the event and its waker are one decision", () => {
    const told = tell(eventMachine.initial, accept({ trace_id: "trace_given", raw_body: "e30=" }));
    expect(told.events).toEqual(["accepted"]);
    expect(told.effects).toEqual([{ type: "enqueue_dispatch", at_ms: NOON }]);
    expect(told.reply).toEqual({
      type: "receipt",
      event_id: "trigger_evt_1",
      receipt: "receipt_2",
      duplicate: false,
      status: "accepted",
    });
    expect(told.state).toMatchObject({
      status: "accepted",
      binding: { trigger_id: "hub", version: 3 },
      verdicts: [{ stage: "match", outcome: "passed" }],
      is_admitted: false,
      claim_expires_at: null,
    });
  });

  it("[T-4.1] the envelope has every field", () => {
    const given = tell(eventMachine.initial, accept({ trace_id: "trace_given", raw_body: "e30=" })).state;
    const envelope = given.status === "absent" ? null : given.event;
    expect(triggerEventSchema.parse(envelope)).toEqual(envelope);
    expect(envelope).toEqual({
      ...opened,
      id: "trigger_evt_1",
      received_at: "2026-04-19T12:00:00.000Z",
      trace_id: "trace_given",
      tenant_id: "t1",
      raw_body: "e30=",
    });
    expect(accepted).toMatchObject({ event: { trace_id: "trace_2" } });
  });

  it("[T-7.1] a second delivery gets the same receipt and changes nothing, whatever became of the first", () => {
    for (const state of [accepted, dispatching, dispatched.state, refused.state, skipped.state]) {
      const again = tell(state, accept({ binding: binding({ match: { events: ["other"] } }) }), NOON + 5000);
      expect(again).toMatchObject({ events: [], effects: [], state });
      expect(again.reply).toMatchObject({ event_id: "trigger_evt_1", duplicate: true, status: state.status });
      expect(again.reply?.type === "receipt" ? again.reply.receipt : null).toBe(
        state.status === "absent" ? null : state.receipt,
      );
    }
  });

  it("[T-5.5] an event that does not match is recorded as skipped with its reason, and never dispatched", () => {
    expect(skipped).toMatchObject({
      events: ["intake_skipped"],
      effects: [],
      reply: { duplicate: false, status: "skipped" },
    });
    expect(skipped.state).toMatchObject({
      verdicts: [{ stage: "match", outcome: "skipped", reason: "kind `push` is not in match.events" }],
    });
    expect(begin(skipped.state)).toMatchObject({
      events: [],
      effects: [],
      reply: { status: "skipped", run_id: null },
    });
  });
});

describe("claim", () => {
  const forWeek = accept({ binding: binding({ dedupe: { retention_days: 7 } }) });
  const week = 7 * 86_400_000;

  it("[T-7.1] a claim lasts for ever, or for the days of the trigger once the event is done", () => {
    expect(claimIsExpired(eventMachine.initial, NOON)).toBe(false);
    expect(claimIsExpired(dispatched.state, NOON + 100 * week)).toBe(false);
    const open = tell(eventMachine.initial, forWeek).state;
    expect(open).toMatchObject({ claim_expires_at: "2026-04-26T12:00:00.000Z" });
    expect(claimIsExpired(open, NOON + week)).toBe(false);
    const started = begin(open).state;
    const done = tell(started, settle(started, STARTED)).state;
    expect(claimIsExpired(done, NOON + week - 1)).toBe(false);
    expect(claimIsExpired(done, NOON + week)).toBe(true);
  });
});

describe("dispatch", () => {
  it("[T-26.2] starts the run under an id that follows from the event and the version", () => {
    const told = begin(accepted);
    expect(told.events).toEqual(["dispatch_started"]);
    expect(told.effects).toMatchObject([{ type: "handle", attempt: 1 }]);
    const [effect] = told.effects;
    const runId = effect?.type === "handle" ? effect.run_id : null;
    expect(runId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(told.reply).toMatchObject({ status: "dispatching", run_id: runId, attempt: 1 });
  });

  it("[T-26.2] a message that comes again or too late changes nothing and names the same run", () => {
    for (const state of [dispatched.state, refused.state]) {
      const again = begin(state, NOON + 1);
      expect(again).toMatchObject({ events: [], effects: [], state });
      expect(again.reply).toMatchObject({ run_id: dispatching.status === "absent" ? "" : dispatching.run_id });
    }
    expect(begin(eventMachine.initial).rejection).toBe("event_not_found");
  });

  it("[T-26.2] an attempt that was not reported on is ordered again, as the same attempt of the same run", () => {
    const first = begin(accepted);
    const again = begin(first.state, NOON + 60_000);
    expect(again).toMatchObject({ events: [], state: first.state, reply: { status: "dispatching", attempt: 1 } });
    expect(again.effects).toEqual(first.effects);
    expect(again.effects).toMatchObject([{ type: "handle", attempt: 1 }]);
  });
});

describe("settle", () => {
  it("[T-26.2] a run that started ends the dispatch", () => {
    expect(dispatched.events).toEqual(["attempt_ended", "dispatched"]);
    expect(dispatched.state).toMatchObject({
      status: "dispatched",
      attempts: [{ attempt: 1, outcome: "success", error: null, settled_at: "2026-04-19T12:00:00.000Z" }],
      result: { run_id: "r" },
      error: null,
    });
  });

  it("[T-12.1] a failure that may pass is tried again after the ladder's delay, not before", () => {
    const failed = tell(dispatching, settle(dispatching, FAILURE));
    expect(failed.events).toEqual(["attempt_ended", "retry_scheduled"]);
    expect(failed.effects).toEqual([{ type: "enqueue_dispatch", at_ms: NOON + 5000 }]);
    expect(failed.state).toMatchObject({
      status: "retrying",
      next_at: "2026-04-19T12:00:05.000Z",
      error: { code: "unavailable", detail: "no" },
    });
    expect(begin(failed.state, NOON + 4999)).toMatchObject({ events: [], effects: [] });
    const second = begin(failed.state, NOON + 5000);
    expect(second).toMatchObject({ events: ["dispatch_started"], reply: { status: "dispatching", attempt: 2 } });
  });

  it("[T-12.3] after seven attempts the event is dead, and every attempt asked for the same run", () => {
    let state: EventState = accepted;
    let now = NOON;
    const requests = new Set<string>();
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 7; attempt += 1) {
      const begun = begin(state, now);
      for (const { attempt: _attempt, ...request } of begun.effects as readonly (EventEffect & { attempt: number })[]) {
        requests.add(JSON.stringify(request));
      }
      const ended = tell(begun.state, settle(begun.state, FAILURE), now);
      const wake = ended.effects.find((effect) => effect.type === "enqueue_dispatch");
      delays.push((wake?.at_ms ?? now) - now);
      now = wake?.at_ms ?? now;
      state = ended.state;
    }
    expect(delays).toEqual([5000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 0]);
    expect(requests.size).toBe(1);
    expect(state).toMatchObject({
      status: "dead_lettered",
      next_at: null,
      error: { code: "unknown", detail: "no" },
      dead_letter: { state: "pending", error: "no", attempt_count: 7, reason: null },
    });
    expect(state.status === "absent" ? [] : state.attempts.map((one) => one.outcome)).toEqual(Array(7).fill("failed"));
  });

  it("[T-12.3] a failure that cannot pass is final at once", () => {
    expect(refused).toMatchObject({
      events: ["attempt_ended", "dead_lettered"],
      effects: [],
      state: { status: "dead_lettered", dead_letter: { reason: "not_retryable", attempt_count: 1 } },
    });
  });

  it("[T-26.2] a late report that the run exists counts; a late failure does not", () => {
    const waiting = tell(dispatching, settle(dispatching, FAILURE)).state;
    expect(tell(waiting, settle(waiting, STARTED, 1))).toMatchObject({ state: { status: "dispatched" } });
    expect(tell(waiting, settle(waiting, FAILURE, 1))).toMatchObject({ rejection: "stale_attempt", state: waiting });
    const second = begin(waiting, NOON + 5000).state;
    expect(tell(second, settle(second, FAILURE, 1)).rejection).toBe("stale_attempt");
    expect(tell(second, settle(second, STARTED, 1)).state.status).toBe("dispatched");
  });

  it("[T-26.2] a report about another dispatch, or about an attempt that never was, is refused", () => {
    const foreign = { ...settle(dispatching, STARTED), dispatch_id: "dispatch_other" };
    expect(tell(dispatching, foreign).rejection).toBe("stale_attempt");
    expect(tell(dispatching, settle(dispatching, STARTED, 2)).rejection).toBe("stale_attempt");
    expect(tell(accepted, settle(accepted, FAILURE, 1)).rejection).toBe("stale_attempt");
    expect(tell(eventMachine.initial, settle(accepted, FAILURE)).rejection).toBe("event_not_found");
  });

  it("[T-26.2] reports after the end are answered and change nothing", () => {
    for (const state of [dispatched.state, refused.state, skipped.state]) {
      for (const outcome of [STARTED, FAILURE]) {
        expect(tell(state, settle(state, outcome, 1))).toMatchObject({
          events: [],
          effects: [],
          rejection: null,
          state,
        });
      }
    }
  });

  it("[T-26.2] events that do not fit change nothing", () => {
    const late = { type: "dispatched", result: null, at: "2026-04-19T12:00:00.000Z" } as const;
    expect(eventMachine.evolve(eventMachine.initial, late)).toEqual(eventMachine.initial);
    expect(eventMachine.evolve(refused.state, late)).toBe(refused.state);
  });
});

import { describe, expect, it } from "vitest";
import type { Admission } from "../../../src/engine/trigger/admission.ts";
import { eventMachine } from "../../../src/engine/trigger/machine.ts";
import { nextStep } from "../../../src/engine/trigger/proceed.ts";
import { accept, binding, NOON, opened } from "./fixture.ts";
import { acceptedWith, ADMITTED, ATTEMPT, begin, FAILURE, recordOf, settled, tell, type Told } from "./telling.ts";

const accepted = acceptedWith();
const told = (admission: Admission, state = accepted, now = NOON): Told =>
  tell(state, { type: "admit", admission }, now);

const passed = { stage: "predicate", outcome: "passed", reason: "it is true" } as const;
const held = { stage: "flow_control", outcome: "held", reason: "it waits for concurrency" } as const;

const APPROVAL: Admission = {
  type: "approval",
  verdicts: [{ stage: "autonomy", outcome: "held", reason: "hourly_autonomy_budget_exceeded" }],
  needed: { title: "approve", reason: "hourly_autonomy_budget_exceeded", detail: { a: 1 }, reviewers: ["operator"] },
};

const days = (definition: Readonly<Record<string, unknown>>): number | null => {
  const { claim_expires_at: at } = change(definition);
  return at === null ? null : (Date.parse(at) - NOON) / 86_400_000;
};

const change = (definition: Readonly<Record<string, unknown>>, event = opened) =>
  recordOf(acceptedWith({ match: {}, ...definition }, { event }));

describe("intake", () => {
  it("[T-5.5] `match` comes before `filter`, and both are written down", () => {
    const filter = 'event.provider_payload.action == "opened"';
    expect(change({ filter })).toMatchObject({
      status: "accepted",
      verdicts: [
        { stage: "match", outcome: "passed" },
        { stage: "filter", outcome: "passed" },
      ],
    });
    expect(change({ filter: "event.kind == 'push'" })).toMatchObject({
      status: "skipped",
      verdicts: [{ stage: "match" }, { stage: "filter", outcome: "skipped" }],
    });
    expect(change({ filter, match: { events: ["push"] } }).verdicts).toHaveLength(1);
  });

  it("[T-5.5] a filter that fails lets nothing through", () => {
    const { status, verdicts } = change({ filter: "event.provider_payload.missing.deep == 1" });
    expect([status, verdicts.at(-1)?.outcome]).toEqual(["skipped", "skipped"]);
  });

  it("[T-5.5] with the original's behaviour neither is enforced", () => {
    const { status, verdicts } = change({ compatibility: "harn", match: { events: ["push"] }, filter: "false" });
    expect([status, verdicts]).toEqual([
      "accepted",
      [{ stage: "match", outcome: "passed", reason: "kinds are not enforced" }],
    ]);
  });

  it("[T-18] the ticks of a schedule are claimed for a week unless told otherwise, other events for ever", () => {
    expect(days({})).toBeNull();
    expect(days({ dedupe: { retention_days: 3 } })).toBe(3);
    expect(days({ retry: { retention_days: 4 } })).toBe(4);
    const cron = { provider: "cron", secret: undefined, schedule: "* * * * *", timezone: "UTC" };
    expect(days(cron)).toBe(7);
    expect(days({ ...cron, retention_days: 2 })).toBe(2);
  });
});

describe("admission", () => {
  it("[T-8] an admitted event is admitted once, and attempted next", () => {
    const first = told({ ...ADMITTED, verdicts: [passed], batch: ["a", "b"] });
    expect(first.events).toEqual(["admitted"]);
    expect(first.state).toMatchObject({ status: "accepted", is_admitted: true, batch: ["a", "b"], next_at: null });
    expect(recordOf(first.state).verdicts).toEqual([...recordOf(accepted).verdicts, passed]);
    expect(nextStep(recordOf(first.state), NOON)).toBe("attempt");
    expect(told(APPROVAL, first.state).events).toEqual([]);
  });

  it("[T-8] nothing is attempted before the admission", () => {
    expect(tell(accepted, ATTEMPT)).toMatchObject({ events: [], effects: [], state: accepted });
    expect(nextStep(recordOf(accepted), NOON)).toBe("admission");
  });

  it("[T-10] a parked event waits for what it waits for, is asked again, and is parked once", () => {
    const parked = told({ type: "parked", verdicts: [held], due_at: null });
    expect(parked).toMatchObject({ events: ["parked"], effects: [], state: { status: "parked", next_at: null } });
    expect(nextStep(recordOf(parked.state), NOON)).toBe("admission");
    expect(told({ type: "parked", verdicts: [], due_at: null }, parked.state).events).toEqual([]);
    const timed = told({ type: "parked", verdicts: [], due_at: NOON + 5_000 }, parked.state);
    expect(timed.state).toMatchObject({ next_at: "2026-04-19T12:00:05.000Z" });
    expect(told(ADMITTED, timed.state).state).toMatchObject({ status: "accepted", is_admitted: true, next_at: null });
  });

  it("[T-8] what is skipped is over, with what skipped it as the result", () => {
    const verdict = { stage: "predicate", outcome: "skipped", reason: "it is false" } as const;
    const skip = { detail: { predicate: "p", reason: null }, result: { skipped: true, predicate: "p", reason: null } };
    const skipped = told({ type: "skipped", stage: "predicate", verdicts: [verdict], ...skip });
    expect(skipped).toMatchObject({
      events: ["skipped"],
      effects: [],
      state: { status: "skipped", result: skip.result },
    });
    expect(told(ADMITTED, skipped.state)).toMatchObject({ events: [], state: skipped.state });
    expect(nextStep(recordOf(skipped.state), NOON)).toBe("none");
  });

  it("[T-8] a deferred event is looked at again when it may go on, and not before", () => {
    const result = { deferred: true, reason: "hourly_budget_exceeded" };
    const until = NOON + 3_600_000;
    const deferred = told({ type: "deferred", verdicts: [], until, reason: "hourly_budget_exceeded", result });
    expect(deferred).toMatchObject({
      effects: [{ type: "enqueue_dispatch", at_ms: until }],
      state: { status: "deferred", next_at: "2026-04-19T13:00:00.000Z", result },
    });
    expect(nextStep(recordOf(deferred.state), until - 1)).toBe("none");
    expect(nextStep(recordOf(deferred.state), until)).toBe("admission");
    // What it was put off with is not its result once it goes on.
    expect(told(ADMITTED, deferred.state, until).state).toMatchObject({ status: "accepted", result: null });
  });

  it("[T-8] a budget that is used up can make a dead letter", () => {
    expect(told({ type: "exhausted", verdicts: [], reason: "daily_budget_exceeded" }).state).toMatchObject({
      status: "dead_lettered",
      attempts: [],
      error: { code: "budget_exhausted", detail: "trigger budget exhausted: daily_budget_exceeded" },
      dead_letter: { reason: "budget_exhausted", attempt_count: 0, error_class: "budget_exhausted" },
    });
  });

  it("[T-8] nobody admits what is not there", () => {
    expect(told(ADMITTED, eventMachine.initial).rejection).toBe("event_not_found");
  });
});

describe("approval", () => {
  const waiting = told(APPROVAL);
  const respond = (approved: boolean, state = waiting.state, now = NOON + 60_000) =>
    tell(state, { type: "respond", approved, reviewer: "ann", reason: approved ? null : "not now" }, now);

  it("[T-9.5] a person is asked, and nothing happens until the answer", () => {
    expect(waiting.events).toEqual(["approval_requested"]);
    expect(waiting.state).toMatchObject({
      status: "waiting",
      next_at: null,
      approval: {
        request_id: "approval_1",
        requested_at: "2026-04-19T12:00:00.000Z",
        decision: null,
        detail: { a: 1 },
      },
      result: {
        approval_required: true,
        request_id: "approval_1",
        reason: "hourly_autonomy_budget_exceeded",
        reviewers: ["operator"],
      },
    });
    expect(nextStep(recordOf(waiting.state), NOON + 1e10)).toBe("none");
  });

  it("[T-9.5] it goes on with the approval, and its request stays to be seen", () => {
    const approved = respond(true);
    expect(approved).toMatchObject({
      events: ["approval_decided"],
      effects: [{ type: "enqueue_dispatch", at_ms: NOON + 60_000 }],
      state: {
        status: "accepted",
        approval: { decision: { approved: true, reviewer: "ann", at: "2026-04-19T12:01:00.000Z" } },
      },
    });
    expect(nextStep(recordOf(approved.state), NOON)).toBe("admission");
    expect(respond(true, approved.state)).toMatchObject({ rejection: "approval_decided" });
  });

  it("[T-9.5] a denial skips it, with the reason", () => {
    const denied = respond(false);
    expect(denied.events).toEqual(["approval_decided", "skipped"]);
    expect(denied.effects).toEqual([]);
    expect(denied.state).toMatchObject({
      status: "skipped",
      result: { skipped: true, approval: "denied", reason: "not now" },
    });
    expect(respond(true, denied.state).rejection).toBe("approval_decided");
  });

  it("[T-9.5] there is nothing to answer where nothing was asked", () => {
    expect(respond(true, accepted).rejection).toBe("approval_not_found");
    expect(respond(true, eventMachine.initial).rejection).toBe("approval_not_found");
  });
});

describe("attempts", () => {
  const local = acceptedWith({ handler: { function: "echo" } });
  const first = begin(local);

  it("[T-8] the attempt of a function has a lease, and is not begun twice within it", () => {
    expect(first.events).toEqual(["dispatch_started"]);
    expect(first.effects).toEqual([
      { type: "handle", attempt: 1, dispatch_id: recordOf(first.state).dispatch_id, run_id: null },
    ]);
    expect(first.state).toMatchObject({ status: "dispatching", next_at: "2026-04-19T12:01:00.000Z" });
    expect(tell(first.state, ATTEMPT, NOON + 59_999)).toMatchObject({ events: [], effects: [] });
  });

  it("[T-12.1] one whose end nobody reported is lost after its lease: it failed like any other", () => {
    const lost = tell(first.state, ATTEMPT, NOON + 60_000);
    expect(lost.events).toEqual(["attempt_ended", "retry_scheduled"]);
    expect(lost.state).toMatchObject({
      status: "retrying",
      attempts: [{ attempt: 1, outcome: "timeout", error: { code: "attempt_lost" } }],
    });
    expect(settled(lost.state, FAILURE, NOON + 60_001).rejection).toBe("stale_attempt");
  });

  it("[T-12.1] a lost attempt that was the last one makes a dead letter, a cancelled one is cancelled", () => {
    const once = begin(acceptedWith({ handler: { function: "echo" }, retry: { max: 1 } })).state;
    expect(tell(once, ATTEMPT, NOON + 60_000).state).toMatchObject({
      status: "dead_lettered",
      dead_letter: { attempt_count: 1, reason: null },
    });
    const asked = tell(first.state, { type: "cancel", requested_by: null, audit_id: null }).state;
    expect(tell(asked, ATTEMPT, NOON + 60_000).state.status).toBe("cancelled");
  });

  it("[T-26.2] a run that is under way is ordered again as the same run", () => {
    const run = begin(accepted).state;
    const running = settled(run, { type: "running" });
    expect(running.events).toEqual(["run_started"]);
    expect(running.state).toMatchObject({ status: "dispatching", next_at: null, attempts: [{ is_running: true }] });
    expect(settled(running.state, { type: "running" }).events).toEqual([]);
    const again = tell(running.state, ATTEMPT, NOON + 1e9);
    expect(again).toMatchObject({ events: [], effects: [{ attempt: 1, run_id: recordOf(run).run_id }] });
  });

  it("[T-12.2] the run after one that ended has another id; attempts that started none share theirs", () => {
    const retry = { retry: { max: 4, backoff: "immediate" } };
    let { state } = begin(acceptedWith(retry));
    const runs: (string | null)[] = [];
    const ended = { type: "failed", class: "local", code: "run_failed", detail: "d", retryable: true } as const;
    for (const end of [FAILURE, ended, FAILURE]) {
      runs.push(recordOf(state).run_id);
      state = begin(settled(state, end).state).state;
    }
    runs.push(recordOf(state).run_id);
    expect(runs[0]).toBe(runs[1]);
    expect(runs[2]).toBe(runs[3]);
    expect(runs[1]).not.toBe(runs[2]);
  });

  it("[T-12.2] a run that failed is tried again only where the trigger says so", () => {
    const ended = { type: "failed", class: "local", code: "run_failed", detail: "d", retryable: true } as const;
    const without = settled(begin(accepted).state, { type: "running" }).state;
    expect(settled(without, ended).state).toMatchObject({ status: "dead_lettered", dead_letter: { reason: null } });
    const retry = settled(begin(acceptedWith({ retry: { max: 2 } })).state, { type: "running" }).state;
    expect(settled(retry, ended).state).toMatchObject({ status: "retrying" });
  });

  const end = (kind: "denied" | "not_implemented" | "cancelled" | "timeout" | "a2a", retryable: boolean) =>
    recordOf(settled(first.state, { ...FAILURE, class: kind, retryable }).state);

  it("[T-8] each class of failure ends as it should", () => {
    expect(end("denied", false)).toMatchObject({ status: "failed", attempts: [{ outcome: "denied" }] });
    expect(end("not_implemented", false)).toMatchObject({ status: "failed", attempts: [{ outcome: "failed" }] });
    expect(end("cancelled", false)).toMatchObject({ status: "cancelled", attempts: [{ outcome: "cancelled" }] });
    expect(end("timeout", true)).toMatchObject({ status: "retrying", attempts: [{ outcome: "timeout" }] });
    expect(end("a2a", true)).toMatchObject({ status: "retrying", attempts: [{ outcome: "failed" }] });
    expect(end("a2a", false)).toMatchObject({ status: "dead_lettered", dead_letter: { reason: "not_retryable" } });
  });

  it("[T-23] a replay that is to wait is not begun before its time", () => {
    const replay = { event_id: "trigger_evt_1", number: 1, dlq_id: null, as_of: null, requested_by: null };
    const { event } = recordOf(accepted);
    const command = { type: "accept_replay", event, binding: binding(), replay, not_before: NOON + 1_000 } as const;
    const later = tell(eventMachine.initial, command);
    expect(later.effects).toEqual([{ type: "enqueue_dispatch", at_ms: NOON + 1_000 }]);
    expect(nextStep(recordOf(later.state), NOON + 999)).toBe("none");
    expect(nextStep(recordOf(later.state), NOON + 1_000)).toBe("admission");
    expect(tell(later.state, command)).toMatchObject({ events: [], reply: { duplicate: true } });
    expect(tell(later.state, accept()).events).toEqual([]);
  });
});

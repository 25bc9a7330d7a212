import { describe, expect, it } from "vitest";
import type { EventCommand, EventState, EventStatus } from "../../../src/engine/trigger/event.ts";
import { eventMachine } from "../../../src/engine/trigger/machine.ts";
import { dispatchOutcome, eventRow, eventView } from "../../../src/engine/trigger/view.ts";
import { NOON } from "./fixture.ts";
import { acceptedWith, ADMITTED, ATTEMPT, begin, FAILURE, recordOf, settled, STARTED, tell } from "./telling.ts";

const accepted = acceptedWith();
const LOCAL = { handler: { function: "echo" } };
const local = acceptedWith(LOCAL);
const admitted = tell(accepted, { type: "admit", admission: ADMITTED }).state;
const dispatching = begin(accepted).state;
const running = settled(dispatching, { type: "running" }).state;
const retrying = settled(dispatching, FAILURE).state;
const parked = tell(accepted, { type: "admit", admission: { type: "parked", verdicts: [], due_at: null } }).state;
const deferred = tell(accepted, {
  type: "admit",
  admission: { type: "deferred", verdicts: [], until: NOON + 1_000, reason: "budget_exceeded", result: {} },
}).state;
const waiting = tell(accepted, {
  type: "admit",
  admission: { type: "approval", verdicts: [], needed: { title: "t", reason: "r", detail: {}, reviewers: [] } },
}).state;
const dispatched = settled(dispatching, STARTED).state;
const failed = settled(dispatching, { ...FAILURE, class: "denied", retryable: false }).state;
const buried = settled(dispatching, { ...FAILURE, retryable: false }).state;
const CANCEL = { type: "cancel", requested_by: "me", audit_id: "audit_1" } as const;
const cancelled = tell(accepted, CANCEL).state;
const skipped = acceptedWith({ match: { events: ["push"] } });

const OPEN = [accepted, admitted, parked, deferred, waiting, dispatching, running, retrying];
const FINAL = [dispatched, failed, buried, cancelled, skipped];

const open = (retry_after_ms: number) => ({ ...ATTEMPT, circuit: { type: "open", retry_after_ms } }) as const;

describe("circuit", () => {
  it("[T-12.3] an open circuit ends the dispatch before its attempt, and says when to come back", () => {
    const first = tell(local, { type: "admit", admission: ADMITTED }).state;
    const told = tell(first, open(42_900));
    expect(told.journal).toMatchObject([{ type: "dead_lettered", destination: "local:echo" }]);
    expect(told.state).toMatchObject({
      status: "dead_lettered",
      attempts: [],
      dead_letter: {
        reason: "circuit_open",
        attempt_count: 0,
        error: "destination circuit open for local:echo; retry after 42s",
      },
    });
    expect(tell(first, open(10)).state).toMatchObject({
      error: { detail: "destination circuit open for local:echo; retry after 1s" },
    });
  });

  it("[T-12.3] the failure that opens it ends the dispatch, whatever attempts are left", () => {
    const begun = begin(local).state;
    const { dispatch_id } = recordOf(begun);
    const report: EventCommand = {
      type: "settle",
      dispatch_id: dispatch_id ?? "",
      attempt: 1,
      outcome: FAILURE,
      circuit_opened: true,
    };
    expect(tell(begun, report)).toMatchObject({
      events: ["attempt_ended", "dead_lettered"],
      effects: [],
      state: {
        dead_letter: {
          reason: "circuit_open",
          attempt_count: 1,
          error: "destination circuit opened for local:echo after 5 consecutive failures: no",
        },
      },
    });
  });
});

describe("cancel", () => {
  const BEFORE = "trigger cancel request cancelled dispatch before attempt 1";

  it("[T-13.1] what has not begun is cancelled at once, with the words for where it was", () => {
    for (const state of [accepted, admitted, parked, deferred, waiting]) {
      const told = tell(state, CANCEL);
      expect(told).toMatchObject({
        events: ["cancel_requested", "cancelled"],
        effects: [],
        state: {
          status: "cancelled",
          next_at: null,
          error: { code: "cancelled", detail: BEFORE },
          cancel: { requested_at: "2026-04-19T12:00:00.000Z", requested_by: "me", audit_id: "audit_1" },
        },
      });
    }
    expect(tell(retrying, CANCEL).state).toMatchObject({
      status: "cancelled",
      error: { detail: "trigger cancel request cancelled retry wait" },
    });
  });

  it("[T-13.1] what is at work is told, once, and ends with its report", () => {
    const asked = tell(dispatching, CANCEL);
    expect(asked).toMatchObject({ events: ["cancel_requested"], effects: [], reply: { is_cancelled: true } });
    expect(tell(asked.state, { ...CANCEL, requested_by: "other" })).toMatchObject({ events: [], state: asked.state });
    const text = "trigger cancel request cancelled local handler";
    expect(settled(asked.state, STARTED)).toMatchObject({
      events: ["attempt_ended", "cancelled"],
      state: { status: "cancelled", result: null, error: { detail: text }, attempts: [{ outcome: "cancelled" }] },
    });
    expect(settled(asked.state, FAILURE).state).toMatchObject({ status: "cancelled", error: { detail: "no" } });
  });

  it("[T-13.1] a run is stopped as soon as there is one", () => {
    const { run_id } = recordOf(dispatching);
    expect(tell(running, CANCEL).effects).toEqual([{ type: "cancel_run", run_id }]);
    const asked = tell(dispatching, CANCEL).state;
    expect(settled(asked, { type: "running" }).effects).toEqual([{ type: "cancel_run", run_id }]);
    expect(settled(asked, STARTED).effects).toEqual([{ type: "cancel_run", run_id }]);
  });

  it("[T-13.1] there is nothing left to cancel after the end", () => {
    for (const state of FINAL)
      expect(tell(state, CANCEL)).toMatchObject({
        rejection: "event_settled",
        detail: `event 'trigger_evt_1' is ${state.status}: there is nothing left to cancel`,
      });
  });
});

const end = (status: EventStatus, error: string | null = "boom"): EventCommand => ({
  type: "end_replay",
  number: 1,
  status,
  error,
  error_class: "unknown",
  run_id: "r",
});

describe("dead letters", () => {
  const noted = tell(buried, {
    type: "note_replay",
    summary: {
      number: 1,
      binding_version: 3,
      requested_at: "2026-04-19T12:00:00.000Z",
      requested_by: "me",
      as_of: null,
      dlq_id: "dlq_1",
      status: "accepted",
      settled_at: null,
      run_id: null,
    },
  }).state;

  it("[T-23] a replay is noted, and noted again when it is over", () => {
    expect(recordOf(noted)).toMatchObject({ status: "dead_lettered", replay_count: 1, replays: [{ number: 1 }] });
    expect(recordOf(tell(noted, end("dispatched")).state).replays).toMatchObject([
      { number: 1, status: "dispatched", settled_at: "2026-04-19T12:00:00.000Z", run_id: "r" },
    ]);
  });

  const after = (status: EventStatus) => recordOf(tell(noted, end(status)).state).dead_letter;

  it("[T-12.6] what the end of a replay means for the letter", () => {
    for (const status of ["dispatched", "skipped"] as const)
      expect(after(status)).toMatchObject({
        id: "dlq_1",
        state: "resolved",
        error: "no",
        history: [{ status: "dlq" }, { attempt: 2, status: "replay_succeeded", error: null }],
      });
    expect(after("dead_lettered")).toMatchObject({
      id: "dlq_1",
      state: "pending",
      error: "boom",
      history: [
        { attempt: 1, status: "dlq" },
        { attempt: 2, status: "replay_dlq", error: "boom" },
      ],
    });
    for (const status of ["failed", "cancelled"] as const) expect(after(status)).toEqual(recordOf(noted).dead_letter);
  });

  it("[T-12.6] a history goes on over replays, and a letter that is closed stays closed", () => {
    const again = tell(noted, end("dead_lettered")).state;
    const done = tell(again, end("dispatched")).state;
    expect(recordOf(done).dead_letter).toMatchObject({ state: "resolved" });
    expect(recordOf(done).dead_letter?.history.map((step) => `${step.attempt} ${step.status}`)).toEqual([
      "1 dlq",
      "2 replay_dlq",
      "3 replay_succeeded",
    ]);
    expect(recordOf(tell(done, end("skipped")).state).dead_letter).toEqual(recordOf(done).dead_letter);
    const newer = recordOf(tell(done, end("dead_lettered", "provider returned 503")).state).dead_letter;
    expect(newer).toMatchObject({
      state: "pending",
      error_class: "provider_5xx",
      history: [{ attempt: 1, status: "replay_dlq", error: "provider returned 503" }],
    });
  });

  it("[T-12.6] an event that never was a dead letter becomes one through its replay", () => {
    expect(recordOf(tell(dispatched, end("dispatched")).state).dead_letter).toBeNull();
    const { status, dead_letter } = recordOf(tell(dispatched, end("dead_lettered")).state);
    expect([status, dead_letter?.history]).toMatchObject(["dispatched", [{ attempt: 1, status: "replay_dlq" }]]);
    expect(tell(eventMachine.initial, end("dispatched")).rejection).toBe("event_not_found");
  });

  it("[T-12.6] a pending letter is discarded once", () => {
    const gone = tell(buried, { type: "discard" });
    expect(recordOf(gone.state).dead_letter).toMatchObject({
      state: "discarded",
      error: "no",
      history: [{ status: "dlq" }, { status: "discarded", error: null }],
    });
    expect(tell(gone.state, { type: "discard" })).toMatchObject({
      rejection: "dead_letter_not_found",
      detail: "unknown pending DLQ entry 'dlq_1'",
    });
    expect(tell(accepted, { type: "discard" }).rejection).toBe("dead_letter_not_found");
  });
});

describe("every state", () => {
  const REPORTS: readonly EventCommand[] = [
    { type: "admit", admission: ADMITTED },
    ATTEMPT,
    { type: "settle", dispatch_id: "d", attempt: 1, outcome: STARTED },
    CANCEL,
    { type: "respond", approved: true, reviewer: null, reason: null },
    { type: "discard" },
  ];

  it("[T-8] a dispatch that is over takes nothing any more", () => {
    for (const state of FINAL)
      for (const command of REPORTS) {
        if (command.type === "discard" && state === buried) continue;
        expect(tell(state, command)).toMatchObject({ events: [], effects: [], state });
      }
  });

  it("[T-26.2] every journal folds to its state, in any state", () => {
    for (const state of [...OPEN, ...FINAL])
      for (const command of REPORTS) {
        const { journal, state: next } = tell(state, command);
        expect(journal.reduce<EventState>((so, event) => eventMachine.evolve(so, event), state)).toEqual(next);
        for (const event of journal) expect(eventMachine.evolve(eventMachine.initial, event).status).toBe("absent");
      }
  });

  it("[T-8] the outcome has the specification's words", () => {
    const words = [...OPEN, ...FINAL].map((state) => dispatchOutcome(recordOf(state)).status);
    expect(words).toEqual([...OPEN.map(() => "waiting"), "succeeded", "failed", "dlq", "cancelled", "skipped"]);
    expect(dispatchOutcome(recordOf(buried))).toEqual({
      trigger_id: "hub",
      binding_key: "hub@v3",
      event_id: "trigger_evt_1",
      attempt_count: 1,
      status: "dlq",
      handler_kind: "workflow",
      target_uri: "workflow://triage",
      replay_of_event_id: null,
      result: null,
      error: "no",
    });
    expect(dispatchOutcome(recordOf(dispatched)).error).toBeNull();
  });

  it("[T-8] rows and views tell what there is", () => {
    expect(eventRow(recordOf(skipped))).toMatchObject({ skip_stage: "match", attempt_count: 0, error: null });
    expect(eventRow(recordOf(skipped)).settled_at).not.toBeNull();
    expect(eventRow(recordOf(retrying))).toMatchObject({
      settled_at: null,
      error: "unavailable: no",
      attempt_count: 1,
    });
    expect(eventRow(recordOf(buried))).toMatchObject({ error_class: "unknown", status: "dead_lettered" });
    expect(eventView(recordOf(dispatching))).toMatchObject({
      next_at: null,
      runs: [],
      destination: "workflow:workflow://triage",
    });
    expect(eventView(recordOf(running)).runs).toEqual([recordOf(running).run_id]);
    expect(eventView(recordOf(retrying))).toMatchObject({ next_at: "2026-04-19T12:00:05.000Z", runs: [] });
  });
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fold } from "../../src/engine/machine.ts";
import type { Admission } from "../../src/engine/trigger/admission.ts";
import type {
  EventCommand,
  EventEvent,
  EventState,
  EventStatus,
  FailureClass,
  HandlerReport,
} from "../../src/engine/trigger/event.ts";
import { isFinal } from "../../src/engine/trigger/evolve.ts";
import { eventMachine } from "../../src/engine/trigger/machine.ts";
import { accept, binding, contextAt, NOON, opened, settle } from "../unit/trigger/fixture.ts";
import { ATTEMPT } from "../unit/trigger/telling.ts";

type Make = (state: EventState) => EventCommand;

const pushed = { ...opened, kind: "push", provider_payload: { event: "push" } };

const FAILED = { type: "failed", class: "infrastructure", code: "c", detail: "d" } as const;

const outcome: fc.Arbitrary<HandlerReport> = fc.oneof(
  fc.constant({ type: "succeeded", result: 1 } as const),
  fc.constant({ type: "running" } as const),
  fc.boolean().map((retryable) => ({ ...FAILED, retryable })),
  fc
    .constantFrom<FailureClass>("timeout", "denied", "cancelled", "not_implemented", "local")
    .map((kind) => ({ ...FAILED, class: kind, retryable: kind === "timeout" || kind === "local" })),
);

const needed = { title: "t", reason: "hourly_autonomy_budget_exceeded", detail: {}, reviewers: ["operator"] };

const admission: fc.Arbitrary<Admission> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Admission>({ type: "admitted", verdicts: [], batch: null }) },
  fc.option(fc.constant(NOON)).map((due_at): Admission => ({ type: "parked", verdicts: [], due_at })),
  fc.constantFrom<Admission>(
    { type: "approval", verdicts: [], needed },
    { type: "exhausted", verdicts: [], reason: "budget_exceeded" },
    { type: "deferred", verdicts: [], until: NOON + 5_000, reason: "budget_exceeded", result: {} },
    { type: "skipped", verdicts: [], stage: "predicate", detail: {}, result: {} },
  ),
);

const always = (command: EventCommand): fc.Arbitrary<Make> => fc.constant<Make>(() => command);

const attempt: fc.Arbitrary<Make> = fc.boolean().map((isOpen): Make => {
  const circuit = isOpen ? ({ type: "open", retry_after_ms: 60_000 } as const) : ({ type: "closed" } as const);
  return () => ({ type: "attempt", circuit, lease_ms: 60_000 });
});

const make: fc.Arbitrary<Make> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.constantFrom<Make>(
      () => accept(),
      () => accept({ event: pushed }),
      () => accept({ binding: binding({ handler: { function: "echo" }, retry: { max: 3 } }) }),
    ),
  },
  {
    weight: 3,
    arbitrary: admission.map((said): Make => () => ({ type: "admit", admission: said })),
  },
  { weight: 4, arbitrary: attempt },
  {
    weight: 3,
    arbitrary: fc.tuple(outcome, fc.boolean()).map(([end, circuit_opened]): Make => (state) => ({
      ...settle(state, end),
      circuit_opened,
    })),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(outcome, fc.nat(9)).map(
      ([end, number]): Make =>
        (state) =>
          settle(state, end, number),
    ),
  },
  { weight: 1, arbitrary: always({ type: "cancel", requested_by: null, audit_id: null }) },
  {
    weight: 1,
    arbitrary: fc.boolean().map((approved): Make => () => ({
      type: "respond",
      approved,
      reviewer: null,
      reason: null,
    })),
  },
  { weight: 1, arbitrary: always({ type: "discard" }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<EventStatus>("dispatched", "dead_lettered", "failed").map((status): Make => () => ({
      type: "end_replay",
      number: 1,
      status,
      error: "e",
      error_class: "unknown",
      run_id: null,
    })),
  },
);

const steps = fc.array(fc.tuple(make, fc.constantFrom(0, 1, 5000, 36_000_000)), { maxLength: 40 });
/** What of an event its replays and its dead letter do not change. */
const lasting = (state: EventState | undefined): object =>
  state === undefined || state.status === "absent"
    ? {}
    : { ...state, dead_letter: null, replays: [], replay_count: 0, updated_at: "" };

interface Walk {
  readonly states: readonly EventState[];
  readonly events: readonly EventEvent[];
  readonly runs: ReadonlySet<string>;
}

const walk = (moves: readonly (readonly [Make, number])[]): Walk => {
  const states: EventState[] = [eventMachine.initial];
  const events: EventEvent[] = [];
  const runs = new Set<string>();
  let now = NOON;
  let state = eventMachine.initial;
  for (const [index, [command, wait]] of moves.entries()) {
    now += wait;
    const decision = eventMachine.decide(state, command(state), contextAt(now, index * 10));
    if (!decision.ok) continue;
    for (const effect of decision.effects)
      if (effect.type === "handle" && effect.run_id !== null) runs.add(effect.run_id);
    events.push(...decision.events);
    state = fold(eventMachine, state, decision.events);
    states.push(state);
  }
  return { states, events, runs };
};

describe("event", () => {
  it("[T-26.2] the journal folds to the state, and the same commands lead to the same journal", () => {
    fc.assert(
      fc.property(steps, (moves) => {
        const { states, events } = walk(moves);
        expect(fold(eventMachine, eventMachine.initial, events)).toEqual(states.at(-1));
        expect(walk(moves).events).toEqual(events);
      }),
    );
  });

  it("[T-26.2] a final dispatch never moves, and the receipt never changes", () => {
    fc.assert(
      fc.property(steps, (moves) => {
        const { states } = walk(moves);
        const end = states.findIndex(isFinal);
        if (end >= 0) for (const state of states.slice(end)) expect(lasting(state)).toEqual(lasting(states[end]));
        const receipts = new Set(states.map((state) => (state.status === "absent" ? null : state.receipt)));
        expect([...receipts].filter((receipt) => receipt !== null).length).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("[T-26.2] there is one run, and a further one only after a run has ended", () => {
    fc.assert(
      fc.property(steps, (moves) => {
        const { states, runs } = walk(moves);
        const last = states.at(-1);
        const ended =
          last === undefined || last.status === "absent"
            ? []
            : last.attempts.filter((one) => one.is_running && one.outcome !== null);
        expect(runs.size).toBeLessThanOrEqual(1 + ended.length);
      }),
    );
  });

  it("[T-12.1] attempts are bounded and end one by one, and an event that waits for its time has one", () => {
    fc.assert(
      fc.property(steps, (moves) => {
        for (const state of walk(moves).states) {
          if (state.status === "absent") continue;
          expect(state.attempts.length).toBeLessThanOrEqual(7);
          expect(state.attempts.map((one) => one.attempt)).toEqual(state.attempts.map((_, index) => index + 1));
          const open = state.attempts.filter((one) => one.outcome === null).length;
          expect(open).toBe(state.status === "dispatching" ? 1 : 0);
          const isTimed = state.status === "retrying" || state.status === "deferred";
          if (isTimed) expect(state.next_at).not.toBeNull();
          if (isFinal(state)) expect(state.next_at).toBeNull();
          expect(state.dead_letter !== null || state.status !== "dead_lettered" || state.replay !== null).toBe(true);
        }
      }),
    );
  });

  it("[T-26.2] folding takes any events in any order and never moves a final dispatch", () => {
    const pool = walk([
      [() => accept(), 0],
      [() => ({ type: "admit", admission: { type: "admitted", verdicts: [], batch: null } }), 0],
      [() => ATTEMPT, 0],
      [(state) => settle(state, { ...FAILED, retryable: true }), 0],
      [() => ATTEMPT, 5000],
      [(state) => settle(state, { type: "running" }), 0],
      [() => ({ type: "cancel", requested_by: null, audit_id: null }), 0],
      [(state) => settle(state, { ...FAILED, class: "cancelled", code: "run_cancelled", retryable: false }), 0],
    ]).events;
    const at = "2026-04-19T12:00:00.000Z";
    const others: readonly EventEvent[] = [
      { type: "dispatch_failed", error: { code: "c", detail: "d" }, at },
      { type: "parked", at, verdicts: [], next_at: null },
      { type: "dispatched", at, result: null },
      { type: "approval_decided", at, decision: { approved: true, reviewer: null, reason: null, at } },
      { type: "replay_ended", at, number: 1, status: "dispatched", run_id: null },
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom<EventEvent>(...pool, ...others), { maxLength: 30 }), (events) => {
        let state = eventMachine.initial;
        for (const event of events) {
          const next = eventMachine.evolve(state, event);
          if (isFinal(state)) expect(next.status).toBe(state.status);
          if (state.status !== "absent") expect(next.status).not.toBe("absent");
          state = next;
        }
      }),
    );
    expect(pool.map(({ type }) => type)).toEqual([
      "accepted",
      "admitted",
      "dispatch_started",
      "attempt_ended",
      "retry_scheduled",
      "dispatch_started",
      "run_started",
      "cancel_requested",
      "attempt_ended",
      "cancelled",
    ]);
  });
});

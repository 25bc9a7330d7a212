import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fold } from "../../src/engine/machine.ts";
import type { EventCommand, EventEvent, EventState } from "../../src/engine/trigger/event.ts";
import { eventMachine } from "../../src/engine/trigger/machine.ts";
import { accept, contextAt, NOON, opened, settle } from "../unit/trigger/fixture.ts";

type Make = (state: EventState) => EventCommand;

const pushed = { ...opened, kind: "push", provider_payload: { event: "push" } };

const outcome = fc.oneof(
  fc.constant({ type: "started" } as const),
  fc.boolean().map((retryable) => ({ type: "failed", code: "c", detail: "d", retryable }) as const),
);

const make: fc.Arbitrary<Make> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.constantFrom<Make>(
      () => accept(),
      () => accept({ event: pushed }),
    ),
  },
  { weight: 3, arbitrary: fc.constant<Make>(() => ({ type: "dispatch" })) },
  {
    weight: 3,
    arbitrary: outcome.map(
      (end): Make =>
        (state) =>
          settle(state, end),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(outcome, fc.nat(9)).map(
      ([end, attempt]): Make =>
        (state) =>
          settle(state, end, attempt),
    ),
  },
);

const steps = fc.array(fc.tuple(make, fc.constantFrom(0, 1, 5000, 36_000_000)), { maxLength: 40 });
const isFinal = (state: EventState): boolean => ["dispatched", "skipped", "failed"].includes(state.status);

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
    for (const effect of decision.effects) if (effect.type === "start_run") runs.add(effect.run_id);
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

  it("[T-26.2] a final state never changes, the receipt never changes, and there is at most one run", () => {
    fc.assert(
      fc.property(steps, (moves) => {
        const { states, runs } = walk(moves);
        const end = states.findIndex(isFinal);
        if (end >= 0) for (const state of states.slice(end)) expect(state).toEqual(states[end]);
        const receipts = new Set(states.map((state) => (state.status === "absent" ? null : state.receipt)));
        expect([...receipts].filter((receipt) => receipt !== null).length).toBeLessThanOrEqual(1);
        expect(runs.size).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("[T-12.1] there are never more than seven attempts, and an open event always has a waker", () => {
    fc.assert(
      fc.property(steps, (moves) => {
        for (const state of walk(moves).states) {
          if (state.status === "absent") continue;
          expect(state.attempts.length).toBeLessThanOrEqual(7);
          const open = state.attempts.filter((one) => one.outcome === null).length;
          if (state.status === "dispatching") expect(open).toBe(1);
          if (state.status === "accepted") expect(state.next_at === null).toBe(state.attempts.length === 0);
        }
      }),
    );
  });

  it("[T-26.2] folding takes any events in any order and never leaves a final state", () => {
    const pool = walk([
      [() => accept(), 0],
      [() => ({ type: "dispatch" }), 0],
      [(state) => settle(state, { type: "failed", code: "c", detail: "d", retryable: true }), 0],
      [() => ({ type: "dispatch" }), 5000],
      [(state) => settle(state, { type: "started" }), 0],
    ]).events;
    const dead = { type: "dispatch_failed", attempt: 1, error: { code: "c", detail: "d" }, at: "x" } as const;
    fc.assert(
      fc.property(fc.array(fc.constantFrom<EventEvent>(...pool, dead), { maxLength: 20 }), (events) => {
        let state = eventMachine.initial;
        for (const event of events) {
          const next = eventMachine.evolve(state, event);
          if (isFinal(state)) expect(next).toBe(state);
          state = next;
        }
      }),
    );
    expect(pool.length).toBe(5);
  });
});

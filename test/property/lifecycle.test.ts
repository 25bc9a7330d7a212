import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { auditEntries } from "../../src/engine/finish/audit.ts";
import type { LifecycleCommand, LifecycleEvent } from "../../src/engine/finish/command.ts";
import { lifecycleMachine } from "../../src/engine/finish/machine.ts";
import { sortedQueued } from "../../src/engine/finish/queued.ts";
import { NEW_LIFECYCLE } from "../../src/engine/finish/state.ts";
import { payloadSummary } from "../../src/engine/finish/summaries.ts";
import { fold } from "../../src/engine/machine.ts";
import type { Json } from "../../src/lib/json.ts";

const payload = fc.jsonValue() as fc.Arbitrary<Json>;

const command: fc.Arbitrary<LifecycleCommand> = fc
  .oneof(
    fc.record({ type: fc.constant("emit_audit" as const), kind: fc.string({ minLength: 1 }), payload }),
    fc.record({ type: fc.constant("hand_off" as const), target: fc.constantFrom("", "a", "b"), payload }),
    fc.record({
      type: fc.constant("acknowledge_handoff" as const),
      envelope_id: fc.integer({ min: 0, max: 12 }).map((seq) => (seq === 0 ? "" : `envelope_${seq}`)),
      decision: payload,
    }),
    fc.record({ type: fc.constant("set_disposition" as const), disposition: payload }),
    fc.record({
      type: fc.constant("set_on_finish" as const),
      on_finish: fc.record({ handler: fc.string(), input: payload }),
    }),
    fc.record({ type: fc.constant("take_on_finish" as const) }),
  )
  .map((told) => ({ ...told, pipeline_id: "run_1" }));

/** Everything that was recorded, with the outcome of each command. */
const told = (commands: readonly LifecycleCommand[]) => {
  let state = NEW_LIFECYCLE;
  const events: LifecycleEvent[] = [];
  const outcomes = commands.map((each, index) => {
    const context = { now: index, nextId: (prefix: string) => `${prefix}_${index}` };
    const decision = lifecycleMachine.decide(state, each, context);
    expect(lifecycleMachine.decide(state, each, context)).toEqual(decision);
    if (!decision.ok) return null;
    events.push(...decision.events);
    state = fold(lifecycleMachine, state, decision.events);
    return decision.reply;
  });
  return { state, events, outcomes };
};

describe("the lifecycle of any run", () => {
  it("[L-21.6] numbers count up by one over audit and handoffs, and the fold of the events is the state", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const { state, events } = told(commands);
        const numbers = events.flatMap((event) => {
          if (event.type === "handoff_recorded") return [event.handoff.seq];
          return "entry" in event ? [event.entry.seq] : [];
        });
        expect(numbers).toEqual(numbers.map((_, index) => index + 1));
        expect(state.seq).toBe(numbers.length);
        expect(fold(lifecycleMachine, NEW_LIFECYCLE, JSON.parse(JSON.stringify(events)) as LifecycleEvent[])).toEqual(
          JSON.parse(JSON.stringify(state)),
        );
        const seqs = auditEntries([{ events }]).map(({ seq }) => seq);
        expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
      }),
    );
  });

  it("[L-21.7] each handoff is acknowledged at most once, and open until then", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const { state, outcomes } = told(commands);
        const given = (type: string): readonly string[] =>
          outcomes.flatMap((outcome, index) =>
            commands[index]?.type === type && outcome?.envelope != null ? [outcome.envelope.envelope_id] : [],
          );
        const acknowledged = given("acknowledge_handoff");
        expect(new Set(acknowledged).size).toBe(acknowledged.length);
        const open = given("hand_off").filter((id) => !acknowledged.includes(id));
        expect(state.handoffs.map(({ envelope_id }) => envelope_id)).toEqual(open);
      }),
    );
  });

  it("[L-21.5] the summary of a payload does not depend on the order of its keys, and of a text keeps 80 code points", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), payload), fc.string({ unit: "binary" }), (object, text) => {
        const reversed = Object.fromEntries(Object.entries(object).toReversed());
        expect(payloadSummary(reversed)).toBe(payloadSummary(object));
        const points = Array.from(text);
        expect(payloadSummary(text)).toBe(points.length <= 80 ? text : `${points.slice(0, 80).join("")}...`);
      }),
    );
  });

  it("[L-22.3] the order of queued triggers does not depend on where they come from", () => {
    const item = fc.record({ queued_at_ms: fc.nat({ max: 3 }), id: fc.string({ maxLength: 2 }) });
    fc.assert(
      fc.property(fc.array(item), (items) => {
        const order = (list: typeof items) => sortedQueued(list as never).map(({ id, queued_at_ms: at }) => [at, id]);
        expect(order(items.toReversed())).toEqual(order(items));
      }),
    );
  });
});
